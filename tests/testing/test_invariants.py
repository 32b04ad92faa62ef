"""The checker can fail: each seeded defect of the engine is found within a few seeds, and called by its name."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from reactor import Asset, Daily, Retry, Run, Workflow
from reactor.core import plan, readiness, runs, step
from reactor.core.build import build
from reactor.core.graph import Graph
from reactor.core.state import State
from reactor.model.events import Dispose
from reactor.model.run import RunState
from reactor.testing import Faults, simulate
from reactor.testing.ledger import Ledger
from reactor.testing.machine import Machine

SEEDS = range(6)
FAULTS = Faults(duplicates=0.2, reordering=0.2, delay="2h", failures=0.2, crash=0.1)


def graph() -> Graph:
    days = Daily("2026-01-01")
    a, b, made = Asset("a", days), Asset("b", days), Asset("made", days)
    w = Workflow("w", owner="o@example.com", retry=Retry(3))

    @w.task(inputs=a & b, outputs=made)
    def makes(run: Run) -> None: ...

    @w.task(inputs=made, limit=1)
    def reads(run: Run) -> None: ...

    return build([], [], [w])


def found() -> set[str]:
    """The kinds of broken promises that some seeds show."""
    broken = [line for seed in SEEDS for line in simulate(graph(), seed, FAULTS, days=8).broken]
    return {line.partition(":")[0] for line in broken}


def test_without_a_defect_nothing_is_found() -> None:
    assert found() == set()


def early(patch: pytest.MonkeyPatch) -> None:
    def feed(*args: Any) -> plan.Fed:
        fed = plan.feed(*args)
        return fed if fed.start is not None else plan._fire(args[0], args[1], fed.wait.items, (), args[3])

    patch.setattr(readiness, "feed", feed)


def backlog_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    die = Machine._die
    patch.setattr(Machine, "_die", lambda self, _, down: die(self, [], down))


def ids_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    commit = Machine._commit

    def forget(self: Machine, *args: Any) -> None:
        commit(self, *args)
        self.ledger.seen.clear()
        self.ledger.done = ForgetsSome(self.ledger.done)

    patch.setattr(Machine, "_commit", forget)


class ForgetsSome(set[Any]):
    """Positions that are written down and never looked up."""

    def __contains__(self, _: object) -> bool:
        return False


def lost_attempts_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(step, "on_lost", lambda *_: None)


def no_fence(patch: pytest.MonkeyPatch) -> None:

    def same_token(run: Any, **changes: Any) -> Any:
        return replace(run, **{**changes, **({"token": 1} if "token" in changes else {})})

    patch.setattr(runs, "replace", same_token)


def a_line_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    dispose = State.dispose

    def some(self: State, item: Any, task: str, outcome: Any, *rest: Any) -> None:
        if outcome is not Dispose.MERGED:
            dispose(self, item, task, outcome, *rest)

    patch.setattr(State, "dispose", some)


def partitions_are_not_held(patch: pytest.MonkeyPatch) -> None:
    put_run = State.put_run

    def put(self: State, run: Any) -> None:
        put_run(self, run)
        if run.state is RunState.RUNNING:
            self.busy.clear()

    patch.setattr(State, "put_run", put)
    patch.setattr(State, "busy", property(lambda _: {}, lambda *_: None), raising=False)


def generations_do_not_grow(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Ledger, "_one_run", lambda *_: None)
    fire = plan._fire

    def again(*args: Any) -> plan.Fed:
        fed = fire(*args)
        fed.wait = replace(fed.wait, generation=1)
        return fed

    patch.setattr(plan, "_fire", again)


@pytest.mark.parametrize(
    ("defect", "kind"),
    [
        (early, "early"),
        (backlog_is_forgotten, "lost"),
        (ids_are_forgotten, "doubled"),
        (lost_attempts_are_forgotten, "stuck"),
        (no_fence, "fence"),
        (a_line_is_forgotten, "ledger"),
        (partitions_are_not_held, "two at once"),
        (generations_do_not_grow, "twice"),
    ],
)
def test_a_seeded_defect_is_found(
    defect: Callable[[pytest.MonkeyPatch], None], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    defect(monkeypatch)
    assert kind in found()
