"""The transition table: every pair of state and move, and the chart that the docs hold."""

from pathlib import Path

import pytest

from reactor import Asset
from reactor.core.chart import chart
from reactor.core.runs import moved
from reactor.model.run import MEANING, OPEN, TRANSITIONS, Move, RunState
from tests.core.stage import Stage, does, flow, graph_of

ALLOWED = {
    ("queued", "start"): "running",
    ("queued", "cancel"): "cancelled",
    ("queued", "expire"): "expired",
    ("running", "start"): "running",
    ("running", "succeed"): "succeeded",
    ("running", "retry"): "retrying",
    ("running", "fail"): "failed",
    ("running", "cancel"): "cancelled",
    ("retrying", "start"): "running",
    ("retrying", "cancel"): "cancelled",
    ("failed", "again"): "queued",
    ("cancelled", "again"): "queued",
    ("expired", "again"): "queued",
}


@pytest.mark.parametrize("state", RunState)
@pytest.mark.parametrize("move", Move)
def test_every_pair_of_state_and_move(state: RunState, move: Move) -> None:
    assert TRANSITIONS[state].get(move) == ALLOWED.get((state.value, move.value))


def test_a_move_that_the_table_does_not_hold_is_a_defect() -> None:
    w = flow()
    does("t", w, inputs="a")
    played = Stage(graph_of(w, assets=[Asset("a")])).ready("a")
    with pytest.raises(KeyError):
        moved(played.runs[0], Move.AGAIN)


def test_open_states_are_those_that_something_still_happens_to() -> None:
    closed = {s for s, moves in TRANSITIONS.items() if not set(moves) - {Move.AGAIN}}
    assert set(RunState) - closed == OPEN
    assert set(MEANING) == set(RunState)


def test_the_chart_names_every_transition_once() -> None:
    lines = [line.strip() for line in chart().splitlines()]
    arrows = [line for line in lines if ":" in line]
    assert sorted(arrows) == sorted(f"{a} --> {c}: {b}" for (a, b), c in ALLOWED.items())
    assert lines[1] == "[*] --> queued"


def test_the_chart_in_the_docs_is_printed_from_the_table() -> None:
    page = Path(__file__).parents[2] / "reactor" / "ARCHITECTURE.md"
    assert f"```mermaid\n{chart()}\n```" in page.read_text("utf-8")
