"""A clock as a source. The next slot is computed from the last one, never from now: so no slot comes twice and none
is skipped unseen, whatever the wall clock does. The last slot is the lane's cursor and becomes durable with the
effects of its tick.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping

import msgspec

from reactor.model.duration import MINUTE, micros, spell
from reactor.model.events import RawEvent, Tick
from reactor.model.ids import Instant, Lane, SourceName
from reactor.model.partitions import moment
from reactor.model.ports import Clock
from reactor.model.source import Schedule
from reactor.sources.base import ONLY_LANE, Batch, Condition, Health, LaneStart
from reactor.sources.slots import check, newest_slot, next_slot, slots_between

log = logging.getLogger(__name__)

BATCH = 1_000
LATE = MINUTE
"""A slot that is noticed later than this was missed: the service was down, was stopped, or the clock jumped."""


class ScheduleSource:
    """The slots of one schedule.

    Raises:
        DefinitionError: the schedule cannot be read, or never fires.
    """

    def __init__(self, spec: Schedule, clock: Clock) -> None:
        check(spec)
        self._spec = spec
        self._clock = clock
        self._text = spec.cron or f"every {spell(micros(spec.every or 0))}"
        self._position = 0
        self._last = Instant(0)
        self._fresh = False
        self._down = False
        self._stopped = asyncio.Event()
        self._stopped.set()
        self._since = clock.now()
        self._last_event: Instant | None = None

    @property
    def name(self) -> SourceName:
        return self._spec.name

    async def start(self, lanes: Mapping[Lane, LaneStart]) -> None:
        at = lanes.get(ONLY_LANE)
        self._stopped.set()
        self._stopped = asyncio.Event()
        self._position = 0 if at is None else at.position
        self._fresh = at is None
        self._last = self._clock.now() if at is None else Instant(msgspec.json.decode(at.cursor, type=int))
        self._down = at is not None
        self._since = self._clock.now()

    async def stop(self) -> None:
        self._stopped.set()
        self._since = self._clock.now()

    async def done(self, batch: Batch) -> None:
        """Nobody waits for an answer: the last slot is durable with the batch's position."""

    async def batches(self) -> AsyncIterator[Batch]:
        stopped = self._stopped
        if self._fresh and not stopped.is_set():
            self._fresh = False
            # The first start ever: nothing before it was missed. A position that holds no event makes that durable.
            yield self._batch([], self._last, first_time=True)
        while not stopped.is_set():
            batch = self._due()
            if batch is None:
                await self._sleep(stopped)
            else:
                yield batch

    def health(self) -> Health:
        if self._stopped.is_set():
            return Health(Condition.STOPPED, self._since, None, self._last_event)
        now, error = self._clock.now(), None
        if self._last > now + LATE:
            error = (
                f"The clock went back: it says {_text(now)}, but the slot {_text(self._last)} has fired already. "
                "No slot fires twice, so the "
                "next one comes when the clock is past it. If the clock is right now, set the schedule back with "
                "`reactor seek`."
            )
        return Health(Condition.CONNECTED, self._since, 0, self._last_event, error, self._next_text())

    def _due(self) -> Batch | None:
        """The slots that are due now, as far as the policy wants them; None where there is none."""
        now = self._clock.now()
        first = next_slot(self._spec, self._last)
        if first is None or first > now:
            self._down = False
            return None
        if self._spec.missed == "all" or (not self._down and now - first <= LATE):
            slots = slots_between(self._spec, self._last, now, BATCH)
            return self._batch(slots, slots[-1])
        self._down = False
        newest = newest_slot(self._spec, self._last, now) or first
        self._tell_missed(first, newest)
        return self._batch([newest] if self._spec.missed == "last" else [], newest)

    def _batch(self, slots: list[Instant], cursor: Instant, *, first_time: bool = False) -> Batch:
        first = self._position
        self._position += max(len(slots), 1)
        self._last = cursor
        if slots:
            self._last_event = self._clock.now()
        events = [RawEvent(Tick(self._text, at), first + i, _text(at)) for i, at in enumerate(slots)]
        text = msgspec.json.encode(int(cursor)).decode()
        return Batch(self.name, ONLY_LANE, first, self._position, events, text, keep=True, first_time=first_time)

    def _tell_missed(self, first: Instant, newest: Instant) -> None:
        some = slots_between(self._spec, Instant(first - 1), newest, BATCH + 1)
        count = f"more than {BATCH}" if len(some) > BATCH else str(len(some))
        what = f"the newest, {_text(newest)}, fires" if self._spec.missed == "last" else "none fires"
        log.warning("%s: %s slots from %s to %s were missed; %s.", self.name, count, _text(first), _text(newest), what)

    async def _sleep(self, stopped: asyncio.Event) -> None:
        """Until the next slot, or until the source is stopped."""
        slot = next_slot(self._spec, self._last)
        waits: list[asyncio.Task[object]] = [asyncio.create_task(stopped.wait())]
        if slot is not None:
            waits.append(asyncio.create_task(self._clock.sleep_until(slot)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    def _next_text(self) -> str:
        slot = next_slot(self._spec, self._last)
        return "" if slot is None else f"next at {_text(slot)}"


def _text(at: Instant) -> str:
    """The slot's UTC instant, the same for ever: it is the identity of its tick."""
    return moment(at).isoformat().replace("+00:00", "Z")
