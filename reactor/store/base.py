"""The contract of a store: what every keeper of the ledger promises, beside those who keep it.

One `commit` is one transaction: all of it or nothing, and when it returns it survives a power cut (memory keepers apart). It is
refused whole (`Fenced`) where a lane does not stand at the position that the batch was read from, or the lease is not ours.
Only the engine commits; anybody may read. `tests/store/` holds one suite that every keeper passes.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from reactor.model.commands import Alert
from reactor.model.events import DeadLetter, Disposition, Json, Readiness
from reactor.model.ids import AssetName, Instant, Lane, PartitionKey, RunId, SensorName, SourceName, TaskName, WaitKey
from reactor.model.run import Attempt, Run, RunState
from reactor.model.seen import FileSeen
from reactor.model.slot import Shape, Slot, Wait

TOLD = "alerts told by "
"""The note of the last alert that a channel took begins with this; it is empty for a channel that is not asked any more."""


class LaneAt(msgspec.Struct, frozen=True):
    """Where a lane stands: every event below `position` has had its effect. `cursor` is what the source needs to go on (JSON)."""

    source: SourceName
    lane: Lane
    position: int
    cursor: str = ""


class Span(msgspec.Struct, frozen=True):
    """A stretch of one lane, [first, until), and what became of its events: the counts add up to until - first.

    `gap` counts positions that hold no event (compaction, transaction markers, a hole that a person accepted).
    """

    source: SourceName
    lane: Lane
    first: int
    until: int
    ready: int = 0
    ignored: int = 0
    duplicate: int = 0
    dead: int = 0
    gap: int = 0
    at: Instant = Instant(0)


class Move(msgspec.Struct, frozen=True):
    """A lane moves from the position that the batch was read from. No match aborts the whole commit."""

    span: Span
    cursor: str = ""
    first_time: bool = False
    """The lane was not known before: there is no position to match."""


class Kept(msgspec.Struct, frozen=True):
    """A raw event that nobody else keeps (HTTP, files, rows), stored so that it can be shown and replayed."""

    source: SourceName
    lane: Lane
    position: int
    id: str
    at: Instant
    payload: bytes
    """The payload as JSON, tagged with its kind."""


class TopicRecord(msgspec.Struct, frozen=True):
    """A record of an embedded topic. `offset` is given by the store when it is appended."""

    topic: str
    key: bytes | None
    body: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    at: Instant
    offset: int = -1


class Audit(msgspec.Struct, frozen=True):
    """What a person did: kept for ever, in the same transaction as its effect."""

    at: Instant
    actor: str
    action: str
    object: str
    detail: str = ""


class Undelivered(msgspec.Struct, frozen=True):
    """An alert, by its id, that a channel will never take."""

    alert: int
    channel: str
    reason: str
    at: Instant


class SensorState(msgspec.Struct, frozen=True):
    sensor: SensorName
    state: bytes


class Transaction(msgspec.Struct):
    """Everything that one commit writes. Later entries of a list win where two have the same key."""

    moves: list[Move] = msgspec.field(default_factory=list)
    seen: list[tuple[str, str, Instant]] = msgspec.field(default_factory=list)
    """(scope, event id, when) of events that are recognised by their id."""
    kept: list[Kept] = msgspec.field(default_factory=list)
    files: list[FileSeen] = msgspec.field(default_factory=list)
    """What file sources remember of each name; the row of (source, name) is replaced."""
    files_gone: list[tuple[SourceName, str]] = msgspec.field(default_factory=list)
    """Names that file sources forget, before what they remember anew."""
    readiness: list[Readiness] = msgspec.field(default_factory=list)
    versions: list[tuple[int, int]] = msgspec.field(default_factory=list)
    """(seq, version) that a readiness event gave to its slot; 0 where it gave none."""
    dispositions: list[Disposition] = msgspec.field(default_factory=list)
    offered: list[tuple[int, int]] = msgspec.field(default_factory=list)
    """(seq, number of rules that the event was offered to): what `audit` adds up against."""
    dead: list[DeadLetter] = msgspec.field(default_factory=list)
    dead_moved: list[tuple[int, str]] = msgspec.field(default_factory=list)
    """(id, new state) of dead letters that were retried or dropped."""
    slots: list[Slot] = msgspec.field(default_factory=list)
    shapes: list[Shape] = msgspec.field(default_factory=list)
    waits: list[Wait] = msgspec.field(default_factory=list)
    """An event enters a wait in the transaction that brings the event, and at no other time; it may leave it at any."""
    runs: list[Run] = msgspec.field(default_factory=list)
    """New and changed runs. (task, key, generation) is unique, and so is `order`."""
    attempts: list[Attempt] = msgspec.field(default_factory=list)
    states: list[SensorState] = msgspec.field(default_factory=list)
    alerts: list[Alert] = msgspec.field(default_factory=list)
    """Unique by key: a second alert of the same key is not written."""
    undelivered: list[Undelivered] = msgspec.field(default_factory=list)
    topics: list[TopicRecord] = msgspec.field(default_factory=list)
    audits: list[Audit] = msgspec.field(default_factory=list)
    meta: dict[str, str] = msgspec.field(default_factory=dict)
    epoch: int = 0
    """The lease under which this was decided."""


class Restored(msgspec.Struct):
    """What an engine needs to go on from where the last one stopped."""

    epoch: int
    next_seq: int
    next_order: int
    open_runs: list[Run]
    lanes: list[LaneAt]
    meta: dict[str, str]
    shapes: list[Shape] = msgspec.field(default_factory=list)


class Wanted(msgspec.Struct):
    """The keys of what a stretch of events can touch, and the engine does not have in memory."""

    seen: list[tuple[str, str]] = msgspec.field(default_factory=list)
    """(scope, event id) pairs."""
    slots: list[tuple[AssetName, PartitionKey]] = msgspec.field(default_factory=list)
    waits: list[tuple[TaskName, WaitKey]] = msgspec.field(default_factory=list)
    runs: list[RunId] = msgspec.field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.seen or self.slots or self.waits or self.runs)


class Found(msgspec.Struct):
    """Those of the wanted things that exist."""

    seen: set[tuple[str, str]] = msgspec.field(default_factory=set)
    slots: list[Slot] = msgspec.field(default_factory=list)
    waits: list[Wait] = msgspec.field(default_factory=list)
    runs: list[Run] = msgspec.field(default_factory=list)


class RunFilter(msgspec.Struct, frozen=True):
    """Which runs a list shows, newest first. `before` is the `order` of the last one of the page before."""

    state: RunState | None = None
    task: TaskName | None = None
    key: WaitKey | None = None
    before: int | None = None
    limit: int = 50


class Writer(Protocol):
    """What the engine uses. One at a time, held by a lease."""

    async def restore(self, holder: str) -> Restored:
        """Takes the lease and reads what is open. Raises StoreBusy where another engine holds it."""

    async def load(self, wanted: Wanted) -> Found:
        """What is durable of it, all in one go. Does not wait for a commit that is under way, and may or may not see what that one writes."""

    async def load_files(self, source: SourceName) -> list[FileSeen]:
        """Every file that a file source remembers."""

    async def load_states(self) -> dict[SensorName, bytes]: ...
    async def waits_of(self, task: TaskName, after: WaitKey | None, limit: int) -> list[Wait]:
        """Waits of a task that hold something, by key, for a change of rules."""

    async def commit(self, transaction: Transaction) -> Mapping[str, int]:
        """Writes all of it durably. Returns the next offset of each embedded topic that it appended to.

        Raises Fenced; StoreFull (the same transaction may be tried again); StoreRefused where it would break a rule of the ledger; StoreFailed
        or StoreCorrupt, after which nothing more is written.
        """

    async def forget(self, before: Instant, seen_before: Instant, most: int) -> int:
        """Removes up to `most` rows of history from before an instant: ended runs with their attempts, readiness with its dispositions, kept events,
        dead letters that were dealt with, alerts that every channel took, records of embedded topics that were read where anybody reads them;
        old spans are folded together. Event ids go from before `seen_before`. What an open wait, a run that is
        kept, or the newest version of a slot, or what it holds, refers to stays. Returns how many went; the ledger balances as it did."""

    async def checkpoint(self) -> None:
        """Housekeeping between commits; never needed for a promise."""

    async def close(self) -> None: ...


class Stored(msgspec.Struct, frozen=True):
    """A readiness event as the lists show it, with what became of it."""

    readiness: Readiness
    version: int
    offered: int
    dispositions: tuple[Disposition, ...] = ()
    runs: tuple[RunId, ...] = ()
    """Runs that were handed it."""


class AlertRow(msgspec.Struct, frozen=True):
    id: int
    alert: Alert


class Reader(Protocol):
    """What views, the command line and `audit` use. Never blocks the writer; sees whole transactions only."""

    async def runs(self, which: RunFilter) -> list[Run]: ...
    async def run(self, id: str) -> Run | None:
        """By its id, or by a prefix of it where only one run begins so."""

    async def attempts(self, run: RunId) -> list[Attempt]: ...
    async def run_counts(self) -> dict[tuple[TaskName, RunState], int]: ...
    async def slot(self, asset: AssetName, partition: PartitionKey) -> Slot | None: ...
    async def slots(self, asset: AssetName, limit: int) -> list[Slot]:
        """The slots of an asset with the greatest keys first."""

    async def held(self, limit: int) -> list[Slot]:
        """Slots that hold what a gate did not let through and nobody has decided on, what has waited longest first."""

    async def wait(self, task: TaskName, key: WaitKey) -> Wait | None: ...
    async def waits(self, task: TaskName, limit: int) -> list[Wait]:
        """The waits of a task that hold something, with the greatest keys first."""

    async def events(self, after: int | None, limit: int, asset: AssetName | None = None) -> list[Stored]:
        """With `after`: the events behind that seq, oldest first. Without: the newest `limit`, oldest first."""

    async def last_arrival(self, asset: AssetName) -> Readiness | None: ...
    async def lanes(self) -> list[LaneAt]: ...
    async def spans(self, source: SourceName | None, limit: int) -> list[Span]:
        """Newest first."""

    async def dead(self, state: str | None, limit: int) -> list[DeadLetter]:
        """Newest first."""

    async def dead_letter(self, id: int) -> DeadLetter | None: ...
    async def alerts(self, after: int, limit: int) -> list[AlertRow]:
        """Those behind that id, oldest first."""

    async def undelivered(self, limit: int) -> list[Undelivered]:
        """Newest first."""

    async def audits(self, limit: int) -> list[Audit]:
        """Newest first."""

    async def topic(self, topic: str, offset: int, limit: int) -> list[TopicRecord]: ...
    async def topic_ends(self) -> dict[str, tuple[int, int]]:
        """(first offset, next offset) of each embedded topic."""

    async def balance(self) -> Iterable[str]:
        """Every line of the ledger that does not balance, in words. Nothing: it balances."""

    async def totals(self) -> Mapping[str, Json]:
        """Sums for `reactor audit`, over all history, what was forgotten included: `events` (raw ones, by what they came to), `readiness`
        (`events`, how often they were `offered` to a rule, and where each offer stands: `pending`, `used`, or a `Dispose`), `runs` by state,
        `dead letters` by state."""

    async def close(self) -> None: ...
