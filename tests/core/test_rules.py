"""Rules: what one more event does to a wait. Each table is a rule, the events in order, and what each start
is handed.
"""

from typing import Any

import pytest

from reactor import Asset, Daily, Dynamic, Hourly, Static, at_least
from reactor.core.why import explain
from reactor.model.condition import Condition
from reactor.model.ids import Instant, TaskName, WaitKey
from reactor.model.outcome import RuleChanged
from tests.core.stage import Stage, does, flow, graph_of

A, B, C = Asset("a"), Asset("b"), Asset("c")


def stage(inputs: Condition, **options: Any) -> Stage:
    w = flow()
    does("t", w, inputs=inputs, **options)
    return Stage(graph_of(w))


def play(found: Stage, events: str) -> list[list[str]]:
    """`"a1 b1"`: an event of asset a called a1, then one of b. `+30` lets 30 seconds pass."""
    for word in events.split():
        if word[0] == "+":
            found.now = Instant(found.now + round(float(word[1:]) * 1e6))
        else:
            found.ready(word[0], id=word)
    return found.handed()


def handed(text: str) -> list[list[str]]:
    return [part.split() for part in text.split("|")] if text else []


@pytest.mark.parametrize(
    ("rule", "events", "starts"),
    [
        (A & B, "a1 b1", "a1 b1"),
        (A & B, "b1 a1", "b1 a1"),
        (A & B, "a1 a2 b1", "a2 b1"),
        (A & B, "a1 b1 a2 a3 b2", "a1 b1|a3 b2"),
        ((A & B).consume("all"), "a1 b1 a2 a3 b2", "a1 b1|a2 a3 b2"),
        (A | B, "a1 b1 a2", "a1|b1|a2"),
        (A & (B | C), "b1 c1", ""),
        (A & (B | C), "b1 c1 a1", "b1 c1 a1"),
        (at_least(2, A, B, C), "a1 a2 c1 b1 c2", "a2 c1|b1 c2"),
        (at_least(3, A, B, C), "a1 b1", ""),
        ((A & B) | C, "a1 c1 b1", "a1 c1"),
        (((A & B) | C).reset("branch"), "a1 c1 b1", "c1|a1 b1"),
        ((A | B | C).reset("branch"), "a1 b1 c1", "a1|b1|c1"),
        ((A & B).reset("none"), "a1 b1 b2 a2", "a1 b1|a1 b2|b2 a2"),
        ((A & B).within("10s"), "a1 +11 b1 +5 a2", "b1 a2"),
        ((A & B).within("10s"), "a1 +10 b1", "a1 b1"),
        ((A & B).within("10s"), "a1 +8 a2 +8 b1", "a2 b1"),
        ((A & B & C).within("10s"), "a1 +6 b1 +6 c1 +1 a2", "b1 c1 a2"),
        ((A & B).reset("none").within("10s"), "a1 b1 +11 b2 a2", "a1 b1|b2 a2"),
    ],
    ids=str,
)
def test_what_starts_are_handed(rule: Condition, events: str, starts: str) -> None:
    assert play(stage(rule), events) == handed(starts)


@pytest.mark.parametrize(
    ("again", "starts"), [("rerun", "a1 b1|b1 a2|a2 b2"), ("all new", "a1 b1|a2 b2"), ("record", "a1 b1")]
)
def test_a_new_version_after_the_start(again: str, starts: str) -> None:
    assert play(stage(A & B, again=again), "a1 b1 a2 b2") == handed(starts)


def test_partitioned_inputs_start_again_on_a_new_version() -> None:
    days = Daily("2026-01-01")
    found = stage(Asset("a", days) & Asset("b", days))
    found.ready("a", "2026-01-02", id="a1").ready("b", "2026-01-03", id="b0").ready("b", "2026-01-02", id="b1")
    found.end(found.runs[0]).ready("a", "2026-01-02", id="a2")
    assert found.handed() == [["a1", "b1"], ["b1", "a2"]]
    assert [r.reason for r in found.runs] == ["inputs", "new version"]
    assert [r.key for r in found.runs] == ["2026-01-02", "2026-01-02"]


def test_what_only_records_says_so_in_the_ledger() -> None:
    found = stage(A & B, again="record")
    play(found, "a1 b1 a2")
    assert found.outcomes("t") == [("a2", "recorded")]


def test_an_event_that_is_not_ok_satisfies_nothing() -> None:
    found = stage(A & B)
    found.ready("a", status="failed", id="a1").ready("b", id="b1").ready("a", status="skipped", id="a2")
    assert found.handed() == []
    assert found.outcomes("t") == [("a1", "status"), ("a2", "status")]
    assert found.ready("a", id="a3").handed() == [["b1", "a3"]]


def test_filters_say_which_clause_refused() -> None:
    found = stage(A.where("rows > 0") & B)
    found.ready("a", id="a1", rows=0).ready("a", id="a2").ready("a", id="a3", rows="many").ready(
        "a", id="a4", rows=3
    ).ready("b", id="b1")
    assert found.handed() == [["a4", "b1"]]
    assert [d.detail for d in found.ledger.dispositions] == [
        "a.where('rows > 0') is false",
        "a.where('rows > 0') cannot be evaluated: there is no field 'rows'",
        "a.where('rows > 0') cannot be evaluated: '>' not supported between instances of 'str' and 'int'",
    ]


def test_one_event_that_two_operands_take_counts_once_in_the_ledger() -> None:
    found = stage(A.where("n > 0") & A.where("n > 1") & B)
    found.ready("a", id="a1", n=2).ready("a", id="a2", n=2)
    assert found.outcomes("t") == [("a1", "superseded")]
    found.ready("b", id="b1")
    assert found.handed() == [["a2", "a2", "b1"]]


def test_one_event_in_two_branches_has_its_start_once() -> None:
    found = stage((A.where("n > 0") | (A.where("n > 1") & B)).reset("branch"))
    found.ready("a", id="a1", n=2).ready("a", id="a2", n=2)
    assert found.handed() == [["a1"], ["a2"]]
    assert found.outcomes("t") == []


def test_a_key_keeps_its_own_wait() -> None:
    found = stage((A & B).key("order"))
    found.ready("a", id="a1", order=7).ready("b", id="b1", order=8).ready("b", id="b2", order=7).ready(
        "a", id="a2", order="8"
    )
    assert found.handed() == [["a1", "b2"], ["b1", "a2"]]
    assert [r.key for r in found.runs] == ["7", "8"]


@pytest.mark.parametrize("value", [None, {"x": 1}, [1]])
def test_an_event_without_a_key_is_filtered(value: Any) -> None:
    found = stage((A & B).key("order"))
    found.ready("a", id="a1", order=value)
    assert found.outcomes("t") == [("a1", "filtered")]
    assert found.ledger.dispositions[0].detail == "there is no field 'order' to tell its key by"


HOURS, DAYS = Hourly("2026-01-01T00", "Europe/Berlin"), Daily("2026-01-01", "Europe/Berlin")


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-06-01", 24), ("2026-10-25", 25)])
def test_a_day_is_complete_with_all_the_hours_that_it_has(day: str, hours: int) -> None:
    found = stage(Asset("h", HOURS).all_of(DAYS))
    keys = list(HOURS.between(DAYS.begin(day), DAYS.end(day)))  # type: ignore[arg-type]
    assert len(keys) == hours
    for key in reversed(keys[1:]):
        found.ready("h", key)
    assert found.handed() == []
    found.ready("h", keys[1]).ready("h", keys[0])
    assert [(r.key, len(r.inputs)) for r in found.runs] == [(day, hours)]


def test_a_day_may_miss_some_hours() -> None:
    found = stage(Asset("h", HOURS).all_of(DAYS, missing_at_most=22))
    assert len(found.ready("h", "2026-06-01T00").ready("h", "2026-06-01T01").starts) == 1
    early = stage(Asset("h", HOURS).all_of(DAYS, at_least=1))
    assert len(early.ready("h", "2026-06-01T05").starts) == 1


def test_why_names_the_hours_that_have_not_come() -> None:
    found = stage(Asset("h", HOURS).all_of(DAYS, missing_at_most=21))
    found.ready("h", "2026-06-01T05")
    node = found.graph.nodes[TaskName("t")]
    part = explain(node, found.ledger.waits[node.name, WaitKey("2026-06-01")])
    assert not part.holds
    assert (part.have, part.needed) == (1, 3)
    assert len(part.missing) == 23
    assert "2026-06-01T05" not in part.missing


def test_a_partition_outside_the_tasks_own_is_dropped_with_the_reason() -> None:
    w = flow()
    does("t", w, inputs=Asset("h", Hourly("2026-01-01T00")).all_of(Daily("2026-02-01")))
    found = Stage(graph_of(w))
    found.ready("h", "2026-01-05T00", id="h1")
    assert found.outcomes("t") == [("h1", "dropped")]
    assert "is before the first partition" in found.ledger.dispositions[0].detail


def test_static_and_dynamic_partitions_meet_by_equal_keys() -> None:
    for cut in (Static("eu", "us"), Dynamic("region")):
        found = stage(Asset("a", cut) & Asset("b", cut))
        found.ready("a", "eu", id="a1").ready("b", "us", id="b1").ready("a", "us", id="a2").ready("b", "eu", id="b2")
        assert found.handed() == [["b1", "a2"], ["a1", "b2"]]


# --- a rule that changes while it waits


def changed(found: Stage, rule: Condition) -> Stage:
    """The same task with another rule, as after a reload."""
    w = flow()
    does("t", w, inputs=rule)
    found.graph = graph_of(w, assets=[A, B, C])
    found.crash()
    for wait in list(found.ledger.waits.values()):
        found.tell(RuleChanged(wait.task, wait.key))
    return found


def test_an_open_wait_moves_to_the_new_rule_with_what_it_holds() -> None:
    found = changed(play_on(stage(A & B), "a1"), A & B & C)
    assert play(found, "b1 c1") == [["a1", "b1", "c1"]]


def test_what_a_new_rule_does_not_ask_for_is_released_in_the_ledger() -> None:
    found = changed(play_on(stage(A & B), "a1"), B & C)
    assert found.outcomes("t") == [("a1", "released")]
    assert play(found, "b1 c1") == [["b1", "c1"]]


def test_a_looser_rule_that_holds_already_starts_at_once() -> None:
    assert changed(play_on(stage(A & B), "a1"), A | B).handed() == [["a1"]]


def test_what_was_used_is_not_used_again_by_a_new_rule() -> None:
    found = play_on(stage((A & B).reset("none")), "a1 b1")
    assert len(changed(found, (A & B).reset("none").within("1h")).runs) == 1


def play_on(found: Stage, events: str) -> Stage:
    play(found, events)
    return found
