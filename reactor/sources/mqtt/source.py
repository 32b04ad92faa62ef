"""The publications under one topic filter as a source: what the broker delivers waits in a queue, is handed out in
batches, and is acknowledged when it is durable. How a second delivery is told from a second publication: `window`.

The queue is bounded twice: by the window, for what is acknowledged; and by `WAITING` and `WAITING_BYTES` for QoS 0, which
knows no acknowledgement. What comes of it beyond that has no place, and is counted: it is a gap in the ledger.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from aiomqtt import MqttError

from reactor.model.duration import SECOND
from reactor.model.errors import ReactorError
from reactor.model.events import RawEvent
from reactor.model.ids import Instant, Lane, SourceName
from reactor.model.ports import Clock, Ids
from reactor.model.source import Mqtt
from reactor.sources.base import ONLY_LANE, Batch, Condition, Health, LaneStart
from reactor.sources.mqtt import trouble
from reactor.sources.mqtt.client import Link
from reactor.sources.mqtt.messages import Packet, Taken, taken
from reactor.sources.mqtt.settings import MqttSettings
from reactor.sources.mqtt.window import Delivery, Held, Window

log = logging.getLogger(__name__)

MOST = 1_000
"""Publications in one batch, at most."""
WAITING, WAITING_BYTES = 10_000, 32 * 1024 * 1024
BACKOFF_FIRST, BACKOFF_MOST = SECOND // 10, 5 * SECOND
PAUSED_AFTER = 2 * SECOND
LAST_ACKNOWLEDGEMENTS = 1.0
"""Seconds for which the end waits for them."""
STEADY = 10 * SECOND
"""A connection that lasts no longer than this did not mend what was wrong."""


class _Waiting(NamedTuple):
    taken: Taken
    held: Held | None
    """None: QoS 0, of which nobody waits to hear."""


class MqttSource:
    """The publications of one `Mqtt` spec."""

    def __init__(self, spec: Mqtt, settings: MqttSettings, clock: Clock, ids: Ids) -> None:
        self._spec, self._settings, self._clock, self._ids = spec, settings, clock, ids
        self._window = Window()
        self._position, self._first_time = 0, True
        self._link: Link | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiting: deque[_Waiting] = deque()
        self._handed: dict[int, list[Held | None]] = {}
        self._more = asyncio.Event()
        self._settled = asyncio.Event()
        """Nothing that was handed out is under way."""
        self._settled.set()
        self._acknowledged, self._overflowed = asyncio.Event(), asyncio.Event()
        self._held = self._bytes = self._dropped = self._dropped_ever = self._failures = self._flaps = 0
        self._condition, self._since = Condition.CONNECTING, clock.now()
        self._error: str | None = None
        self._lost_session = ""
        self._last_event: Instant | None = None
        self._handed_at: Instant | None = None

    @property
    def name(self) -> SourceName:
        return self._spec.name

    async def start(self, lanes: Mapping[Lane, LaneStart]) -> None:
        """See `Source.start`."""
        at = lanes.get(ONLY_LANE)
        if at is not None:
            self._position, self._first_time, self._window = at.position, False, Window(at.cursor)
        self._task = asyncio.create_task(self._stay_connected(), name=f"source {self.name}")
        self._task.add_done_callback(lambda _: self._more.set())

    async def batches(self) -> AsyncIterator[Batch]:
        """See `Source.batches`."""
        while (task := self._task) is not None:
            await self._more.wait()
            if task.done() and task is self._task:
                task.result()  # raises what ended it
                return
            if not self._waiting and not self._dropped:
                self._more.clear()
            elif task is self._task:
                batch = self._batch()
                self._handed_at = self._clock.now()
                yield batch
                self._handed_at = None

    async def done(self, batch: Batch) -> None:
        """See `Source.done`. What cannot be acknowledged now is when the broker delivers it again."""
        handed = self._handed.pop(batch.first, [])
        self._held -= len(handed)
        for held in handed:
            if held is not None and self._window.durable(held):
                self._acknowledge(held)
        if not self._handed:
            self._settled.set()

    async def stop(self) -> None:
        """See `Source.stop`. The broker keeps what was not acknowledged; what is just becoming durable is waited for."""
        task, self._task = self._task, None
        self._more.set()
        if task is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_ACKNOWLEDGEMENTS):
                    await self._settled.wait()
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):  # what ended it was shown where it was awaited
                await task
        self._say(Condition.STOPPED)

    def health(self) -> Health:
        """See `Source.health`. How much waits at the broker, it does not say: `lag` is what it has delivered."""
        condition = self._condition
        if condition is Condition.CONNECTED and self._handed_at is not None:
            away = self._clock.now() - self._handed_at
            condition = Condition.PAUSED if away > PAUSED_AFTER else condition
        lag = len(self._waiting) + self._held
        return Health(condition, self._since, lag, self._last_event, self._error, self._detail())

    def _detail(self) -> str:
        parts = [self._lost_session]
        if self._dropped_ever:
            parts.append(
                f"{self._dropped_ever} publications of QoS 0 were dropped, because they came faster than they were read"
            )
        if self._window.repeated:
            parts.append(f"{self._window.repeated} deliveries were repetitions")
        return "; ".join(part for part in parts if part)

    def _say(self, condition: Condition, error: str | None = None) -> None:
        if condition is not self._condition:
            self._condition, self._since = condition, self._clock.now()
        self._error = error

    # The connection -------------------------------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        while True:
            try:
                await self._connect()
            except (MqttError, ReactorError, OSError, TimeoutError) as error:
                self._say(*trouble.said(self._settings, error, self._flaps))
            length = min(BACKOFF_MOST, BACKOFF_FIRST << min(self._failures, 10))
            self._failures += 1
            await self._clock.sleep(int(length * (0.5 + self._ids.chance() / 2)))

    async def _connect(self) -> None:
        """One connection, from its beginning to its end. Raises what ended it."""
        link = self._link = Link(self._settings, self.name, self._begun, self._deliver)
        try:
            await link.open(self._spec.filter)
            self._say(Condition.CONNECTED)
            await self._while_connected(link)
        finally:
            await link.close()
            self._link = None

    async def _while_connected(self, link: Link) -> None:
        ends = [asyncio.ensure_future(end) for end in (link.lost(), self._confirm(link), self._overflow())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                if end.done():
                    await end
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
            self._flaps += 1
            if self._clock.now() - self._since > STEADY:
                self._flaps = self._failures = 0

    async def _confirm(self, link: Link) -> None:
        """Asks, after acknowledgements, whether they arrived: those that did need not be remembered."""
        while True:
            await self._acknowledged.wait()
            self._acknowledged.clear()
            sent = self._window.sent
            await link.confirm()
            self._window.confirmed(sent)

    async def _overflow(self) -> None:
        """The broker sent more than was allowed to it, and what had no room was let fall. Once there is room again, a new
        connection brings it.
        """
        await self._overflowed.wait()
        while self._waiting or self._handed:
            await self._settled.wait()
            await self._clock.sleep(BACKOFF_FIRST)

    def _begun(self, session: bool) -> None:
        self._window.connected(session=session)
        self._overflowed.clear()
        if not session and not self._first_time:
            self._lost_session = trouble.session_lost(self._settings.server)
            log.warning("%s: %s", self.name, self._lost_session)

    def _acknowledge(self, held: Held) -> None:
        if self._link is not None and self._link.acknowledge(held.packet):
            self._window.acknowledged(held)
            self._acknowledged.set()

    # What is delivered ------------------------------------------------------------------------------------------------

    def _deliver(self, packet: Packet) -> None:
        found = taken(packet, self._spec, self._settings.max_message_bytes, self._clock.now())
        held: Held | None = None
        if packet.qos:
            delivery, held = self._window.receive(
                packet.mid, found.mark, again=packet.dup, anonymous=not found.identity
            )
            if delivery is Delivery.DURABLE:
                self._acknowledge(held)
            elif delivery is Delivery.NO_ROOM:
                self._overflowed.set()
            if delivery is not Delivery.NEW:
                return
        if self._is_known_state(found):
            if held is not None and self._window.durable(held):
                self._acknowledge(held)
            return
        self._keep(found, held)

    def _is_known_state(self, found: Taken) -> bool:
        """The broker made our subscription anew and gives what is retained. With an identity, the engine knows."""
        known = found.message.retained and not found.identity and self._window.stale(found.mark)
        self._window.repeated += known
        return known

    def _keep(self, found: Taken, held: Held | None) -> None:
        self._more.set()
        if held is None and (len(self._waiting) >= WAITING or self._bytes >= WAITING_BYTES):
            if not self._dropped:
                log.warning("%s: publications of QoS 0 come faster than they are read, and are dropped.", self.name)
            self._dropped += 1
            self._dropped_ever += 1
            return
        self._waiting.append(_Waiting(found, held))
        self._bytes += len(found.message.body)

    def _batch(self) -> Batch:
        out = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
        first, self._position = self._position, self._position + len(out) + self._dropped
        self._dropped = 0
        self._held += len(out)
        self._bytes -= sum(len(w.taken.message.body) for w in out)
        for each in out:
            self._window.remember(each.taken.message.topic, each.taken.mark)
        self._handed[first] = [w.held for w in out]
        self._settled.clear()
        self._last_event = self._clock.now() if out else self._last_event
        events = [
            RawEvent(w.taken.message, position, w.taken.identity, w.taken.traceparent, w.taken.error)
            for position, w in enumerate(out, start=first)
        ]
        first_time, self._first_time = self._first_time, False
        cursor = self._window.cursor([w.held for w in out if w.held is not None])
        return Batch(self.name, ONLY_LANE, first, self._position, events, cursor, keep=True, first_time=first_time)
