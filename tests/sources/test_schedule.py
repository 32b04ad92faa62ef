"""A clock as a source, on virtual time: each slot once, whatever the clock does."""

import asyncio
import logging
from typing import Self

import pytest

from reactor.model.duration import DAY, HOUR, MINUTE, SECOND
from reactor.model.errors import DefinitionError
from reactor.model.events import RawEvent, Tick
from reactor.model.ids import Instant
from reactor.model.partitions import moment
from reactor.model.source import Schedule
from reactor.sources.base import ONLY_LANE, Batch, Condition, LaneStart
from reactor.sources.schedule import ScheduleSource
from tests.clock import VirtualClock
from tests.sources.conformance import SourceConformance

SIX = Instant(1_795_240_800_000_000)
"""2026-11-21T06:00:00Z"""


class Watcher:
    """Runs a source on its clock and notes what came, as the engine would."""

    def __init__(self, spec: Schedule, clock: VirtualClock, at: LaneStart | None = None) -> None:
        self.spec, self.clock, self.at = spec, clock, at
        self.source = ScheduleSource(spec, clock)
        self.batches: list[Batch] = []

    async def __aenter__(self) -> Self:
        await self.source.start({} if self.at is None else {ONLY_LANE: self.at})
        self.task = asyncio.create_task(self._run())
        await self.clock.idle()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.source.stop()
        await self.task

    async def _run(self) -> None:
        async for batch in self.source.batches():
            assert self.at is None or batch.first == self.at.position
            self.batches.append(batch)
            self.at = LaneStart(batch.until, batch.cursor)

    @property
    def times(self) -> list[str]:
        ticks = [e.payload for b in self.batches for e in b.events]
        return [moment(t.at).strftime("%d %H:%M") for t in ticks if isinstance(t, Tick)]


async def test_a_tick_names_its_slot_and_not_the_moment_at_which_it_was_noticed() -> None:
    clock = VirtualClock(Instant(SIX - 90 * MINUTE))
    async with Watcher(Schedule("0 6 * * *"), clock) as seen:
        await clock.advance(89 * MINUTE)
        assert seen.times == []
        await clock.advance(MINUTE + 17)
    [event] = seen.batches[-1].events
    assert event == RawEvent(Tick("0 6 * * *", SIX), 1, "2026-11-21T06:00:00Z")


async def test_the_first_start_fires_nothing_of_the_past_and_says_where_it_began() -> None:
    clock = VirtualClock(SIX)
    async with Watcher(Schedule("0 * * * *"), clock) as seen:
        await clock.advance(SECOND)
    [batch] = seen.batches
    assert (batch.first, batch.until, batch.events, batch.cursor, batch.first_time) == (0, 1, [], str(int(SIX)), True)


@pytest.mark.parametrize(
    ("missed", "times"), [("last", ["21 09:00"]), ("all", ["21 07:00", "21 08:00", "21 09:00"]), ("none", [])]
)
async def test_slots_that_passed_while_it_was_down(missed: str, times: list[str]) -> None:
    spec = Schedule("0 * * * *", missed=missed)  # type: ignore[arg-type]
    clock = VirtualClock(SIX)
    async with Watcher(spec, clock) as first:
        pass
    await clock.advance(3 * HOUR + 5 * MINUTE)
    async with Watcher(spec, clock, first.at) as second:
        assert second.times == times
        await clock.advance(HOUR)
        assert second.times == [*times, "21 10:00"]
    async with Watcher(spec, clock, second.at) as third:
        assert third.times == []


async def test_a_jump_of_a_year_is_one_missed_stretch_and_not_thousands_of_starts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = VirtualClock(SIX)
    with caplog.at_level(logging.WARNING):
        async with Watcher(Schedule("0 * * * *"), clock) as seen:
            await clock.jump(365 * DAY)
            assert len(seen.times) == 1
            await clock.advance(2 * HOUR)
            assert len(seen.times) == 3
    [record] = caplog.records
    assert "more than 1000 slots" in record.getMessage()


async def test_all_of_a_year_comes_in_bounded_batches() -> None:
    clock = VirtualClock(SIX)
    async with Watcher(Schedule("0 * * * *", missed="all"), clock) as seen:
        await clock.jump(365 * DAY)
    assert len(seen.times) == len({e.id for b in seen.batches for e in b.events}) == 8_760
    assert max(len(b.events) for b in seen.batches) == 1_000


async def test_a_clock_that_goes_back_fires_nothing_twice() -> None:
    clock = VirtualClock(Instant(SIX - MINUTE))
    async with Watcher(Schedule("*/10 * * * *"), clock) as seen:
        await clock.advance(2 * MINUTE)
        await clock.jump(-HOUR)
        assert "went back" in (seen.source.health().error or "")
        await clock.advance(HOUR)
        assert seen.times == ["21 06:00"]
        await clock.advance(9 * MINUTE)
        assert seen.times == ["21 06:00", "21 06:10"]
        assert seen.source.health().error is None


async def test_a_consumer_that_was_busy_for_some_seconds_gets_every_slot() -> None:
    clock = VirtualClock(SIX)
    source = ScheduleSource(Schedule(every="1s", missed="none"), clock)
    await source.start({})
    batches = source.batches()
    await anext(batches)
    await clock.advance(30 * SECOND)
    assert len((await anext(batches)).events) == 30
    await source.stop()


def test_a_schedule_that_cannot_be_read_is_refused_when_it_is_made() -> None:
    with pytest.raises(DefinitionError, match="five fields"):
        ScheduleSource(Schedule("every day"), VirtualClock())


class ScheduleHarness:
    ordered = True

    def __init__(self) -> None:
        self.clock = VirtualClock(SIX)

    def make(self) -> ScheduleSource:
        return ScheduleSource(Schedule(every="1s", missed="all"), self.clock)

    async def produce(self, count: int) -> list[str]:
        begin = self.clock.now()
        await self.clock.advance(count * SECOND)
        return [str(begin + (n + 1) * SECOND) for n in range(count)]

    def label(self, event: RawEvent) -> str:
        assert isinstance(event.payload, Tick)
        return str(event.payload.at)

    async def break_it(self) -> None:
        raise AssertionError("a clock cannot be out of reach")

    heal_it = break_it


class TestScheduleConformance(SourceConformance):
    @pytest.fixture
    async def harness(self) -> ScheduleHarness:
        return ScheduleHarness()


def test_condition_before_it_runs() -> None:
    assert ScheduleSource(Schedule(every="1s"), VirtualClock()).health().condition is Condition.STOPPED
