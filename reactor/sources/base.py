"""The contract of a source: batches of events, lane by lane, with positions that only the engine makes durable.

A source never decides that an event is done. It is told where each of its lanes stands (`start`), yields batches from there, in the order of
each lane, and is told afterwards which batches are durable (`done`): only then does it acknowledge to whoever sent them. It holds at most
a bounded amount in memory: it yields no further batch before the consumer asks for one, and a consumer that does not ask is back-pressure.
`tests/sources/` holds one suite that every kind of source passes.
"""

from collections.abc import AsyncIterator, Mapping
from enum import StrEnum
from typing import Protocol

import msgspec

from reactor.model.events import RawEvent
from reactor.model.ids import Instant, Lane, SourceName
from reactor.model.seen import FileSeen

ONLY_LANE = Lane("0")
"""The lane of a source that has one."""


class Batch(msgspec.Struct):
    """Events of one lane, in order. Covers the positions [first, until); those without an event in `events` are gaps."""

    source: SourceName
    lane: Lane
    first: int
    until: int
    events: list[RawEvent]
    cursor: str = ""
    """What the source needs to go on after this batch (JSON), saved with the position."""
    keep: bool = False
    """Nobody else keeps these payloads: the ledger stores them."""
    first_time: bool = False
    """The lane was never read before, so there is no position to match."""
    files: list[FileSeen] = []
    """What a file source remembers of the files in this batch: saved in the same transaction as the position."""
    gone: list[str] = []
    """Names that it is to remember no longer: forgotten in the same transaction, before `files` are saved."""


class LaneStart(msgspec.Struct, frozen=True):
    position: int
    cursor: str = ""


class Condition(StrEnum):
    CONNECTED = "connected"
    CONNECTING = "connecting"
    BROKEN = "broken"
    PAUSED = "paused"
    STOPPED = "stopped"


class Health(msgspec.Struct, frozen=True):
    """What a source knows of itself. `lag` is in events; None where it cannot be known."""

    condition: Condition
    since: Instant
    lag: int | None = None
    last_event: Instant | None = None
    error: str | None = None
    detail: str = ""


class Source(Protocol):
    """One connection that yields the events of one declared source."""

    @property
    def name(self) -> SourceName: ...

    async def start(self, lanes: Mapping[Lane, LaneStart]) -> None:
        """Connects in the background. Returns at once: a broker that is not there yet is a condition, not an error."""

    def batches(self) -> AsyncIterator[Batch]:
        """The batches, for ever, until `stop`. Trouble is shown in `health` and retried with backoff inside; it is raised only where going on
        would lose events (then the service shows the source as broken and leaves its lanes where they are)."""

    async def done(self, batch: Batch) -> None:
        """The batch and its effects are durable: acknowledge it."""

    async def stop(self) -> None:
        """No further batch; connections closed."""

    def health(self) -> Health: ...


class SeenFiles(Protocol):
    """What file sources were told is durable: `Batch.files` of every batch that was committed. The store's writer is one."""

    async def load_files(self, source: SourceName) -> list[FileSeen]: ...


class TopicLog(Protocol):
    """The durable log behind the embedded topics: `service` hands one in."""

    async def read(self, topic: str, offset: int, limit: int) -> list["LogRecord"]: ...
    async def ends(self, topic: str) -> tuple[int, int]:
        """(first offset, next offset)."""

    async def wait(self, topic: str, offset: int) -> None:
        """Returns when the topic has a record at or behind the offset."""


class LogRecord(msgspec.Struct, frozen=True):
    topic: str
    offset: int
    key: bytes | None
    body: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    at: Instant
