"""The state that decisions are made on, and what a stretch of decisions has changed.

`State` holds every open run and those slots and waits that were loaded. The values in it are frozen; the containers are the step's own: it puts
new values in, and `Changes` remembers which, so that one transaction can write them. After a commit that failed, a state is thrown away and
restored from the store: there is no undo.
"""

from collections.abc import Iterable

import msgspec

from reactor.core.graph import Graph, Node
from reactor.model.commands import Alert, Command
from reactor.model.events import Disposition, Item, Readiness
from reactor.model.ids import AssetName, Instant, PartitionKey, RunId, TaskName, WaitKey, WorkflowName
from reactor.model.run import OPEN, Attempt, Run, RunState
from reactor.model.slot import Shape, Slot, Wait

SlotKey = tuple[AssetName, PartitionKey]
PlaceKey = tuple[TaskName, WaitKey]
Pool = tuple[str, str, str]
Group = tuple[TaskName, str]
"""Runs that wait for the same free places: a task and the value that its keyed limit counts them under."""


class Changes(msgspec.Struct):
    """What the decisions since the last commit wrote."""

    slots: dict[SlotKey, Slot] = msgspec.field(default_factory=dict)
    waits: dict[PlaceKey, Wait] = msgspec.field(default_factory=dict)
    runs: dict[RunId, Run] = msgspec.field(default_factory=dict)
    shapes: dict[AssetName, Shape] = msgspec.field(default_factory=dict)
    attempts: list[Attempt] = msgspec.field(default_factory=list)
    readiness: list[Readiness] = msgspec.field(default_factory=list)
    versions: list[tuple[int, int]] = msgspec.field(default_factory=list)
    offered: list[tuple[int, int]] = msgspec.field(default_factory=list)
    dispositions: list[Disposition] = msgspec.field(default_factory=list)
    alerts: list[Alert] = msgspec.field(default_factory=list)
    commands: list[Command] = msgspec.field(default_factory=list)


class State:
    """See the file's head. `slots` and `waits` are caches: what is not in them has not been loaded."""

    def __init__(self, next_seq: int = 1, next_order: int = 1) -> None:
        self.next_seq = next_seq
        self.next_order = next_order
        self.slots: dict[SlotKey, Slot] = {}
        self.waits: dict[PlaceKey, Wait] = {}
        self.runs: dict[RunId, Run] = {}
        self.shapes: dict[AssetName, Shape] = {}
        """All of them: there is one for each asset with a schema."""
        self.closed: dict[RunId, Run] = {}
        """Closed runs that were loaded because a person asks for one of them again."""
        self.changes = Changes()
        self.active: dict[Pool, int] = {}
        self.queue: dict[Group, dict[RunId, None]] = {}
        self.groups: dict[WorkflowName, dict[Group, None]] = {}
        self.busy: dict[PlaceKey, RunId] = {}
        """For tasks cut by partition: the run that has begun, and holds its partition."""
        self.behind: dict[PlaceKey, RunId] = {}
        """The one queued run of a partition, which later requests merge into."""

    def take_changes(self) -> Changes:
        taken, self.changes = self.changes, Changes()
        return taken

    def forget_cache(self, most: int, sent: Iterable[Changes]) -> None:
        """Drops the slots, or the waits, where there are more than that. Those that were changed stay until they are in the store: `sent` are the
        changes that are on their way there."""
        still = (*sent, self.changes)
        if len(self.slots) > most:
            self.slots = {key: slot for changes in still for key, slot in changes.slots.items()}
        if len(self.waits) > most:
            self.waits = {key: wait for changes in still for key, wait in changes.waits.items()}

    def slot(self, asset: AssetName, partition: PartitionKey) -> Slot:
        """The slot; it must have been loaded."""
        return self.slots[asset, partition]

    def put_slot(self, slot: Slot) -> None:
        key = (slot.asset, slot.partition)
        self.slots[key] = self.changes.slots[key] = slot

    def put_wait(self, wait: Wait) -> None:
        place = (wait.task, wait.key)
        self.waits[place] = self.changes.waits[place] = wait

    def put_shape(self, shape: Shape) -> None:
        self.shapes[shape.asset] = shape
        self.changes.shapes[shape.asset] = shape

    def put_run(self, run: Run) -> None:
        """A new or changed run. Closed ones leave the state."""
        if run.state in OPEN:
            self.runs[run.id] = run
        else:
            self.runs.pop(run.id, None)
        self.changes.runs[run.id] = run

    def take_seq(self) -> int:
        self.next_seq += 1
        return self.next_seq - 1

    def take_order(self) -> int:
        self.next_order += 1
        return self.next_order - 1

    def tell(self, alerts: Iterable[Alert]) -> None:
        """People are told, once what they are told of is durable."""
        for alert in alerts:
            self.changes.alerts.append(alert)
            self.changes.commands.append(alert)

    def dispose(self, item: Item | Readiness, task: str, outcome: object, detail: str, now: Instant) -> None:
        self.changes.dispositions.append(Disposition(item.seq, task, outcome, detail, now))  # type: ignore[arg-type]

    def adopt(self, graph: Graph, runs: Iterable[Run]) -> None:
        """Open runs as the store has them, at the start of an engine: every index is made anew from them."""
        found = sorted(runs, key=lambda r: r.order)
        for run in found:
            self.runs[run.id] = run
            node = graph.nodes.get(run.task)
            if run.state is RunState.RUNNING:
                self.count(graph, run, +1)
            if node is not None and node.by_partition:
                (self.behind if run.state is RunState.QUEUED else self.busy)[run.task, run.key] = run.id
        for run in found:
            if run.state is RunState.QUEUED and (run.task, run.key) not in self.busy:
                self.enqueue(run)

    def enqueue(self, run: Run) -> None:
        group = (run.task, run.limit_key)
        self.queue.setdefault(group, {})[run.id] = None
        self.groups.setdefault(run.workflow, {})[group] = None

    def dequeue(self, run: Run) -> None:
        group = (run.task, run.limit_key)
        waiting = self.queue.get(group)
        if waiting is not None and run.id in waiting:
            del waiting[run.id]
            if not waiting:
                del self.queue[group]
                self.groups[run.workflow].pop(group, None)

    def count(self, graph: Graph, run: Run, by: int) -> None:
        """A run takes its places, or gives them back."""
        if run.task in graph.unlimited:
            return
        for pool, _ in pools(graph, run):
            left = self.active.get(pool, 0) + by
            if left:
                self.active[pool] = left
            else:
                self.active.pop(pool, None)

    def has_room(self, graph: Graph, run: Run) -> bool:
        return run.task in graph.unlimited or all(self.active.get(pool, 0) < limit for pool, limit in pools(graph, run))


def pools(graph: Graph, run: Run) -> list[tuple[Pool, int]]:
    """The limits that a run counts under, with how many each lets in. Without a limit there is nothing to count."""
    found: list[tuple[Pool, int]] = []
    flow = graph.workflows.get(run.workflow)
    if flow is not None and flow.limit is not None:
        found.append((("workflow", run.workflow, ""), flow.limit))
    node: Node | None = graph.nodes.get(run.task)
    if node is not None and node.task.limit is not None:
        found.append((("task", run.task, run.limit_key), node.task.limit.runs))
    return found
