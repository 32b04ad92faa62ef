"""The contract of telemetry: it is told what happened after it is durable, and can slow or stop nothing.

Spans are written afterwards, from what the ledger holds, with the ids that were fixed when the thing began. Without an exporter every call is
free. What had to be dropped is counted.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from reactor.model.commands import Announced, Noted
from reactor.model.events import RawEvent
from reactor.model.ids import Instant, Lane, SensorName, SourceName


class Sensed(msgspec.Struct, frozen=True):
    """One raw event that became readiness, for its spans: `process`, `sensor` and one `ready` per entry of `ready`."""

    source: SourceName
    lane: Lane
    event: RawEvent
    sensor: SensorName
    began: Instant
    ended: Instant
    process: str
    """The trace context (W3C traceparent) of the `process` span; its parent is the event's own, where it has one."""
    sensor_span: str
    ready: tuple[tuple[str, str, str], ...]
    """(asset, partition, traceparent of the `ready` span)."""


class Counted(msgspec.Struct, frozen=True):
    """What one committed batch of a lane came to."""

    source: SourceName
    lane: Lane
    ready: int
    ignored: int
    duplicate: int
    dead: int
    at: Instant


class Telemetry(Protocol):
    @property
    def traces(self) -> bool:
        """Whether spans go anywhere: where not, nobody needs to make ids for them."""

    def flagged(self, context: str, incoming: str | None) -> str:
        """A new span's context with the flag that tells those it is handed to whether its trace is kept. `incoming`: the producer's own
        context, where there was one."""

    def sensed(self, found: Sequence[Sensed]) -> None: ...
    def counted(self, counts: Sequence[Counted]) -> None: ...
    def announced(self, made: Sequence[Announced]) -> None: ...
    def noted(self, ended: Sequence[Noted]) -> None:
        """Attempts that ended, with their runs. A run that ended too is told by the run's own state: its span is written then."""

    async def close(self, timeout: float) -> None:
        """Flushes what it can within `timeout` seconds, then lets go."""
