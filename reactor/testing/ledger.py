"""The ledger of a simulation: what was committed, in dictionaries. A crash forgets everything but this.

It keeps the promises of a store that the core leans on: one transaction is all or nothing, (task, key, generation)
is unique, an alert is written once for its key, and an event that is delivered again is known.
"""

from collections.abc import Iterable
from typing import TypeVar

from reactor.core.graph import Graph
from reactor.core.state import Changes, PlaceKey, SlotKey, State
from reactor.core.step import Needs, fill
from reactor.model.commands import Alert
from reactor.model.events import DeadLetter, Disposition, Readiness
from reactor.model.ids import AssetName, Instant, RunId, SensorName, SourceName, TaskName, WaitKey
from reactor.model.run import OPEN, Attempt, Run
from reactor.model.slot import Shape, Slot, Wait

K = TypeVar("K")
V = TypeVar("V")


class Twice(AssertionError):
    """Two runs were made for one generation of one rule: the engine broke its first promise."""


class Ledger:
    def __init__(self) -> None:
        self.slots: dict[SlotKey, Slot] = {}
        self.waits: dict[PlaceKey, Wait] = {}
        self.runs: dict[RunId, Run] = {}
        self.shapes: dict[AssetName, Shape] = {}
        self.readiness: dict[int, Readiness] = {}
        self.offered: dict[int, int] = {}
        self.dispositions: list[Disposition] = []
        self.attempts: list[Attempt] = []
        self.alerts: dict[str, Alert] = {}
        self.dead: list[DeadLetter] = []
        self.seen: dict[SourceName, set[str]] = {}
        self.states: dict[SensorName, bytes] = {}
        self.done: set[tuple[SourceName, int]] = set()
        """The positions of each source that had their effect."""
        self.slots_of: dict[SourceName, Instant] = {}
        """The newest slot of each schedule that was fired."""
        self.deadlines_judged: Instant | None = None
        self._generations: dict[tuple[TaskName, WaitKey, int], RunId] = {}
        self._next = (1, 1)

    def commit(self, changes: Changes, state: State) -> None:
        """Everything that the steps since the last commit wrote."""
        for run in changes.runs.values():
            self._one_run(run)
            self.runs[run.id] = run
        self.slots.update(changes.slots)
        self.shapes.update(changes.shapes)
        self.waits.update(changes.waits)
        self.readiness.update({r.seq: r for r in changes.readiness})
        self.offered.update(changes.offered)
        self.dispositions.extend(changes.dispositions)
        self.attempts.extend(changes.attempts)
        for alert in changes.alerts:
            self.alerts.setdefault(alert.key, alert)
        self._next = (state.next_seq, state.next_order)

    def _one_run(self, run: Run) -> None:
        first = self._generations.setdefault((run.task, run.key, run.generation), run.id)
        if first != run.id:
            raise Twice(f"{run.task} {run.key}: generation {run.generation} has two runs, {first} and {run.id}")

    def restore(self, graph: Graph) -> State:
        """What an engine knows after a start."""
        state = State(*self._next)
        state.adopt(graph, self.open_runs())
        state.shapes = dict(self.shapes)
        return state

    def open_runs(self) -> list[Run]:
        return [r for r in self.runs.values() if r.state in OPEN]

    def load(self, state: State, wanted: Needs) -> None:
        """Puts what the coming steps can touch into the state."""
        slots = _those(self.slots, (k for k in wanted.slots if k not in state.slots))
        waits = _those(self.waits, (k for k in wanted.waits if k not in state.waits))
        fill(state, wanted, slots, waits)
        state.closed = {i: self.runs[i] for i in wanted.closed if i in self.runs}


def _those(known: dict[K, V], keys: Iterable[K]) -> list[V]:
    return [known[k] for k in keys if k in known]
