"""A stage for the core: definitions, a state, and one event after another. Values in, values out; what is
committed is kept in a ledger.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from reactor import Asset, Evidence, Workflow
from reactor.core.build import build
from reactor.core.graph import Graph
from reactor.core.state import Changes
from reactor.core.step import Needs, needs, step
from reactor.model.commands import StartAttempt
from reactor.model.events import Readiness, Status
from reactor.model.ids import AssetName, EventId, Instant, Lane, PartitionKey, RunId, SensorName, SourceName
from reactor.model.outcome import Ending, Lost, Outcome, Resumed, RetryDue, StepEvent
from reactor.model.run import Run, RunState
from reactor.testing.ids import CountedIds
from reactor.testing.ledger import Ledger


def graph_of(*flows: Workflow, assets: Sequence[Asset] = ()) -> Graph:
    return build(assets, [], flows)


def flow(name: str = "flow", **options: Any) -> Workflow:
    return Workflow(name, owner="owner@example.com", **options)


def does(name: str, into: Workflow, **options: Any) -> None:
    """A task without a body."""

    def body() -> Evidence | None:
        return None

    make: Callable[..., Any] = into.task(name=name, **options)
    make(body)


class Stage:
    def __init__(self, graph: Graph, now: int = 1_000) -> None:
        self.graph = graph
        self.ids = CountedIds()
        self.ledger = Ledger()
        self.state = self.ledger.restore(graph)
        self.now = Instant(now)
        self.starts: list[tuple[Instant, Run]] = []
        self.came: set[tuple[SourceName, int]] = set()
        self.changes = Changes()
        self._positions = itertools.count()

    def tell(self, event: StepEvent) -> str | None:
        wanted = Needs()
        needs(self.graph, self.state, event, wanted)
        self.ledger.load(self.state, wanted)
        refusal = step(self.graph, self.state, event, self.now, self.ids)
        self.changes = self.state.take_changes()
        self.ledger.commit(self.changes, self.state)
        self.starts += [(self.now, c.run) for c in self.changes.commands if isinstance(c, StartAttempt)]
        return refusal

    def ready(self, asset: str, partition: str = "", status: str = "ok", id: str = "", **evidence: Any) -> "Stage":
        seq = self.state.take_seq()
        self.tell(
            Readiness(
                seq,
                EventId(id or f"{asset}{seq}"),
                AssetName(asset),
                PartitionKey(partition),
                Status(status),
                msgspec.json.encode(evidence),
                self.now,
                self.now,
                SourceName("test"),
                Lane("0"),
                next(self._positions),
                SensorName("test"),
            )
        )
        return self

    def end(
        self, run: Run | str, ending: Ending = Ending.SUCCEEDED, token: int | None = None, permanent: bool = False
    ) -> "Stage":
        found = self.ledger.runs[RunId(run if isinstance(run, str) else run.id)]
        node = self.graph.nodes.get(found.task)
        outputs = {AssetName(a.name): b"{}" for a in node.task.outputs} if node and ending is Ending.SUCCEEDED else {}
        error = None if ending is Ending.SUCCEEDED else "Error: it failed"
        self.tell(
            Outcome(
                found.id, found.token if token is None else token, ending, self.now, "test", error, permanent, outputs
            )
        )
        return self

    def retry(self, run: Run) -> "Stage":
        found = self.run(run)
        self.tell(RetryDue(found.id, found.token))
        return self

    def crash(self) -> "Stage":
        """Memory is gone; the ledger stays. What ran is lost and offered again."""
        self.state = self.ledger.restore(self.graph)
        for run in sorted(self.ledger.open_runs(), key=lambda r: r.order):
            if run.state is RunState.RUNNING:
                self.tell(Lost(run.id, run.token))
        self.tell(Resumed())
        return self

    def run(self, run: Run | str) -> Run:
        """As it is now."""
        return self.ledger.runs[RunId(run if isinstance(run, str) else run.id)]

    @property
    def runs(self) -> list[Run]:
        return list(self.ledger.runs.values())

    def running(self, task: str | None = None) -> list[Run]:
        return [r for r in self.ledger.open_runs() if r.state is RunState.RUNNING and task in (None, r.task)]

    def handed(self) -> list[list[str]]:
        """The ids of the events of each start, in order."""
        return [[i.event for i in run.inputs] for _, run in self.starts]

    def outcomes(self, task: str) -> list[tuple[str, str]]:
        """The lines of the ledger of this rule: (event, what became of it)."""
        return [(self.ledger.readiness[d.seq].id, d.outcome.value) for d in self.ledger.dispositions if d.task == task]
