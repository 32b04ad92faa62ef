"""THE LEDGER BALANCES: for random graphs and random lives, each event ends exactly once for each rule, and no
promise is broken.

A life is a sequence of events, duplicates among them, ends of attempts in any order, retries, cancels, second
tries and crashes.
"""

import itertools
from dataclasses import replace
from typing import Any

from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reactor import Asset, Dynamic, Limit, Retry
from reactor.core.graph import Graph
from reactor.core.plan import present
from reactor.model.condition import Operand
from reactor.model.ids import Instant
from reactor.model.outcome import CancelRun, Ending, RunAgain
from reactor.model.run import RunState
from reactor.testing.invariants import broken, unbalanced
from tests.core.stage import Stage, does, flow, graph_of
from tests.core.strategies import NAMES, rules, trees

KEYS = ("x", "y")


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Two to four tasks, some on what others make; with and without partitions, limits, retries, keys."""
    cut = draw(st.sampled_from([None, Dynamic("k")]))
    raw = {n: Asset(n, cut) for n in NAMES}
    w = flow(limit=draw(st.sampled_from([None, 1, 2])), retry=Retry(draw(st.integers(1, 2))))
    made: list[Any] = []
    for number in range(draw(st.integers(2, 4))):
        inputs: Any = draw(rules()) if draw(st.booleans()) else draw(trees)
        if draw(st.booleans()) and made:
            inputs = draw(st.sampled_from(made)) & raw[draw(st.sampled_from(NAMES))]
        elif cut is None and draw(st.booleans()):
            inputs = inputs.key("k")
        out = Asset(f"made{number}", cut)
        limit = draw(st.sampled_from([None, None, 1, Limit(1, "k")]))
        more: dict[str, Any] = {} if limit is None else {"limit": limit}
        again = draw(st.sampled_from([None, None, "all new", "record", "rerun"]))
        if again is not None:
            more["again"] = again
        keyless = getattr(inputs, "key_field", None) is None
        does(f"t{number}", w, inputs=_renamed(inputs, raw), outputs=[out] if keyless else [], **more)
        if keyless:
            made.append(out)
    return graph_of(w, assets=list(raw.values()))


def _renamed(condition: Any, raw: dict[str, Asset]) -> Any:
    """The same condition by the names of its assets: how they are cut is the graph's to say."""
    if isinstance(condition, Asset):
        return Operand(condition.name)  # type: ignore[arg-type]
    if isinstance(condition, Operand):
        return replace(condition, of=None)
    if hasattr(condition, "when"):
        return replace(condition, when=_renamed(condition.when, raw))
    return replace(condition, parts=tuple(_renamed(p, raw) for p in condition.parts))


class Life(RuleBasedStateMachine):
    @initialize(graph=graphs())
    def begin(self, graph: Graph) -> None:
        self.stage = Stage(graph)
        self.cut = graph.assets["a"].partitions is not None  # type: ignore[index]
        self.numbers = itertools.count()
        note(str({n: str(x.task.inputs) for n, x in graph.nodes.items()}))

    @rule(
        asset=st.sampled_from(NAMES),
        key=st.sampled_from(KEYS),
        n=st.integers(0, 3),
        gap=st.integers(0, 10),
        ok=st.integers(0, 9),
    )
    def event(self, asset: str, key: str, n: int, gap: int, ok: int) -> None:
        self.stage.now = Instant(self.stage.now + gap * 1_000_000)
        status = "failed" if ok == 0 else "ok"
        self.stage.ready(asset, key if self.cut else "", status, id=f"{asset}-{next(self.numbers)}", n=n, k=key)

    @precondition(lambda self: self.stage.running())
    @rule(
        which=st.integers(0, 50),
        ending=st.sampled_from([Ending.SUCCEEDED, Ending.SUCCEEDED, Ending.FAILED, Ending.DIED]),
    )
    def end(self, which: int, ending: Ending) -> None:
        running = self.stage.running()
        self.stage.end(running[which % len(running)], ending)

    @precondition(lambda self: self.stage.running())
    @rule(which=st.integers(0, 50), ending=st.sampled_from([Ending.SUCCEEDED, Ending.FAILED]))
    def stale_end(self, which: int, ending: Ending) -> None:
        running = self.stage.running()
        run = running[which % len(running)]
        self.stage.end(run, ending, token=run.token - 1)
        assert self.stage.run(run) == run

    @rule(which=st.integers(0, 50))
    def retry(self, which: int) -> None:
        waiting = [r for r in self.stage.ledger.open_runs() if r.state is RunState.RETRYING]
        if waiting:
            self.stage.retry(waiting[which % len(waiting)])

    @rule(which=st.integers(0, 50), again=st.booleans())
    def person(self, which: int, again: bool) -> None:
        runs = self.stage.runs
        if runs:
            run = runs[which % len(runs)]
            self.stage.tell(RunAgain(run.id, "ann") if again else CancelRun(run.id, "ann"))

    @rule()
    def crash(self) -> None:
        self.stage.crash()

    @invariant()
    def the_ledger_balances(self) -> None:
        if hasattr(self, "stage"):
            assert list(unbalanced(self.stage.graph, self.stage.ledger)) == []

    @invariant()
    def never_two_at_once_for_a_partition(self) -> None:
        if not hasattr(self, "stage"):
            return
        places = [(r.task, r.key) for r in self.stage.running() if self.stage.graph.nodes[r.task].by_partition]
        assert len(places) == len(set(places))

    @invariant()
    def never_early(self) -> None:
        if not hasattr(self, "stage"):
            return
        for run in self.stage.runs:
            plan = self.stage.graph.nodes[run.task].plan
            assert plan.holds(present(plan, run.key, run.inputs))

    @invariant()
    def nothing_waits_that_has_room(self) -> None:
        if not hasattr(self, "stage"):
            return
        state = self.stage.state
        for group, waiting in state.queue.items():
            head = state.runs[next(iter(waiting))]
            assert not state.has_room(self.stage.graph, head), f"{group} has room"
        for run in state.runs.values():
            if run.state is RunState.QUEUED:
                queued = run.id in state.queue.get((run.task, run.limit_key), ())
                assert queued or (run.task, run.key) in state.busy, "a queued run that nobody will start"

    def teardown(self) -> None:
        if not hasattr(self, "stage"):
            return
        for _ in range(1_000):
            running = self.stage.running()
            waiting = [r for r in self.stage.ledger.open_runs() if r.state is RunState.RETRYING]
            if not running and not waiting:
                break
            for run in running:
                self.stage.end(run)
            for run in waiting:
                self.stage.retry(run)
        assert broken(self.stage.graph, self.stage) == []


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase
