"""A topic of the project's own log as a source: the same records as from Kafka, without a broker. One lane,
`"topic/0"`.

May know: `reactor.model` and the contract in `reactor.sources.base`. It speaks no Kafka protocol and needs no client.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

from reactor.model.duration import SECOND
from reactor.model.events import RawEvent, Record
from reactor.model.ids import Instant, Lane, SourceName, topic_lane
from reactor.model.ports import Clock
from reactor.model.source import Kafka
from reactor.model.trace import trace_context
from reactor.sources.base import Batch, Condition, Health, LaneStart, LogRecord, TopicLog

MOST = 1_000
"""Records in one batch, at most."""
PAUSED_AFTER = 2 * SECOND
BACKOFF_FIRST, BACKOFF_MOST = SECOND // 20, 2 * SECOND
TRACE_HEADERS = ("traceparent", "ce_traceparent")


class EmbeddedTopic:
    """The events of one embedded topic."""

    def __init__(self, spec: Kafka, log: TopicLog, clock: Clock) -> None:
        self._spec = spec
        self._log = log
        self._clock = clock
        self._lane = topic_lane(spec.topic)
        self._next: int | None = None
        self._first_time = True
        self._stopped = asyncio.Event()
        self._failures = 0
        self._condition, self._since = Condition.CONNECTING, clock.now()
        self._error: str | None = None
        self._end = 0
        self._last_event: Instant | None = None
        self._handed_out: Instant | None = None

    @property
    def name(self) -> SourceName:
        return self._spec.name

    async def start(self, lanes: Mapping[Lane, LaneStart]) -> None:
        """See `Source.start`."""
        known = lanes.get(self._lane)
        if known is not None:
            self._next, self._first_time = known.position, False

    async def batches(self) -> AsyncIterator[Batch]:
        """See `Source.batches`. Where the log cannot be read, the reason is in `health` and it is tried again."""
        while not self._stopped.is_set():
            try:
                batch = await self._read()
            except Exception as error:  # noqa: BLE001 - the log is handed in, and trying again loses no record
                await self._back_off(error)
                continue
            self._failures = 0
            self._say(Condition.CONNECTED)
            if batch is None:
                continue
            self._next, self._first_time = batch.until, False
            self._handed_out = self._clock.now()
            self._last_event = self._handed_out if batch.events else self._last_event
            yield batch
            self._handed_out = None

    async def done(self, batch: Batch) -> None:
        """See `Source.done`. Nobody else is to be told: the log and the ledger are one."""

    async def stop(self) -> None:
        """See `Source.stop`."""
        self._stopped.set()
        self._say(Condition.STOPPED)

    def health(self) -> Health:
        """See `Source.health`."""
        condition = self._condition
        if condition is Condition.CONNECTED and self._waited_for() > PAUSED_AFTER:
            condition = Condition.PAUSED
        lag = None if self._next is None else max(0, self._end - self._next)
        return Health(condition, self._since, lag, self._last_event, self._error, "embedded topic")

    def _waited_for(self) -> int:
        return 0 if self._handed_out is None else self._clock.now() - self._handed_out

    def _say(self, condition: Condition, error: str | None = None) -> None:
        if self._condition is Condition.STOPPED:
            return
        if condition is not self._condition:
            self._condition, self._since = condition, self._clock.now()
        self._error = error

    async def _read(self) -> Batch | None:
        first, self._end = await self._log.ends(self._spec.topic)
        if self._next is None:
            return self._begin(first)
        if self._next < first:  # the log was shortened: the hole goes into the ledger, never past it
            return self._batch(first, [])
        if self._next >= self._end:
            self._say(Condition.CONNECTED)
            await self._until_stopped_or(self._next)
            return None
        records = await self._log.read(self._spec.topic, self._next, MOST)
        return self._batch(records[-1].offset + 1, records) if records else None

    def _begin(self, first: int) -> Batch | None:
        """The place where a topic is read for the first time. `latest` is written down at once, or a restart would
        move it.
        """
        if self._spec.start == "earliest":
            self._next = first
            return None
        self._next = self._end
        return self._batch(self._end, [])

    def _batch(self, until: int, records: list[LogRecord]) -> Batch:
        assert self._next is not None
        events = [_event(record) for record in records]
        return Batch(self.name, self._lane, self._next, until, events, first_time=self._first_time)

    async def _until_stopped_or(self, offset: int) -> None:
        ends = [
            asyncio.ensure_future(self._log.wait(self._spec.topic, offset)),
            asyncio.ensure_future(self._stopped.wait()),
        ]
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            for end in ends:
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([end])
        for end in done:
            end.result()

    async def _back_off(self, error: Exception) -> None:
        self._say(
            Condition.BROKEN,
            f"The embedded topic {self._spec.topic!r} cannot be read: {type(error).__name__}: {error}. It is tried "
            "again by itself.",
        )
        length = min(BACKOFF_MOST, BACKOFF_FIRST << min(self._failures, 10))
        self._failures += 1
        nap, stop = asyncio.ensure_future(self._clock.sleep(length)), asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait([nap, stop], return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel(), stop.cancel()


def _event(record: LogRecord) -> RawEvent:
    return RawEvent(
        Record(record.topic, 0, record.offset, record.at, record.key, record.body, record.headers),
        record.offset,
        traceparent=_traceparent(record),
    )


def _traceparent(record: LogRecord) -> str | None:
    for name, value in record.headers:
        if name in TRACE_HEADERS:
            found = trace_context(value.decode("ascii", "replace"))
            if found is not None:
                return found
    return None
