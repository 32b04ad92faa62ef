"""Deadlines, ticks and housekeeping: what happens because time passes."""

from collections.abc import Sized
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from reactor import Asset, Daily, Kafka, Ready, Record, Workflow, schedule, sensor
from reactor.core.graph import Graph
from reactor.model.errors import StoreFull
from reactor.model.events import RawEvent, Tick
from reactor.model.ids import Instant
from reactor.model.partitions import instant
from reactor.service.service import RETENTION_PAUSE
from reactor.service.timers import CATCH_UP
from reactor.sources.base import Batch
from reactor.store.memory import Ledger
from tests.clock import START, VirtualClock
from tests.service.place import LANE, OWNER, Place, living, project
from tests.services.wait import eventually

days = Daily(start="2026-11-01")
SECOND, HOUR = 1_000_000, 3_600_000_000


def at(text: str) -> Instant:
    return instant(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("UTC")))


def orders(due: str | None = "02:00") -> Asset:
    return Asset("orders", days, owner="orders@example.com", due=due)


def graph(asset: Asset) -> Graph:
    @sensor(Kafka("t"))
    async def landed(record: Record) -> Ready:
        return asset.ready(record.value)

    flow = Workflow("flow", owner=OWNER)

    @flow.task(inputs=asset)
    async def build() -> None: ...

    return project(flow, landed)


def late(place: Place) -> list[tuple[str, str]]:
    return [(x.subject, x.owner) for x in place.alerts if x.kind == "late"]


async def test_a_partition_that_is_not_there_when_it_is_due_is_told_to_its_owner_once() -> None:
    ledger, clock = Ledger(), VirtualClock(at("2026-11-20 12:00"))
    async with living(graph(orders()), ledger, clock) as place:
        place.fed.put("2026-11-20")
        await clock.advance(14 * HOUR)
        assert late(place) == []
        await clock.advance(24 * HOUR)
        assert late(place) == [("orders 2026-11-21", "orders@example.com")]
        assert "Waiting for it: build." in place.alerts[0].text
    async with living(graph(orders()), ledger, clock) as place:
        await clock.advance(HOUR)
        assert late(place) == []


async def test_deadlines_of_the_time_that_it_was_down_are_caught_up_after_the_sources_were_read() -> None:
    ledger, clock = Ledger(), VirtualClock(at("2026-11-18 12:00"))
    async with living(graph(orders()), ledger, clock) as place:
        await clock.advance(CATCH_UP)
    await clock.advance(3 * 24 * HOUR)
    async with living(graph(orders()), ledger, clock) as place:
        place.fed.put("2026-11-19")
        await clock.advance(CATCH_UP - 1)
        assert late(place) == []
        await clock.advance(1)
        assert [what for what, _ in late(place)] == ["orders 2026-11-18", "orders 2026-11-20"]


async def test_what_was_overdue_before_the_first_start_ever_surprises_nobody() -> None:
    clock = VirtualClock(at("2026-11-20 12:00"))
    async with living(graph(orders()), clock=clock) as place:
        await clock.advance(HOUR)
        assert late(place) == []


async def test_a_clock_that_goes_back_judges_no_deadline_twice() -> None:
    clock = VirtualClock(at("2026-11-20 12:00"))
    async with living(graph(orders()), clock=clock) as place:
        await clock.advance(15 * HOUR)
        told = late(place)
        assert len(told) == 1
        await clock.jump(-20 * HOUR)
        await clock.advance(21 * HOUR)
        assert late(place) == told


async def test_a_deadline_that_is_defined_while_it_runs_holds_from_then_on() -> None:
    clock = VirtualClock(at("2026-11-20 12:00"))
    async with living(graph(orders(due="23:00")), clock=clock) as place:
        await clock.advance(HOUR)
        await place.service.reload(graph(orders(due="14h")))
        await clock.advance(HOUR + SECOND)
        assert [what for what, _ in late(place)] == ["orders 2026-11-19"]


async def test_a_schedule_in_a_rule_starts_the_newest_day_that_is_over() -> None:
    asset = Asset("orders", days)
    flow = Workflow("flow", owner=OWNER)

    @sensor(Kafka("t"))
    async def landed(record: Record) -> Ready:
        return asset.ready(record.value)

    @flow.task(inputs=asset & schedule("0 6 * * *"))
    async def build() -> None: ...

    async with living(project(flow, landed), clock=VirtualClock(at("2026-11-20 05:00"))) as place:
        (tick,) = [s for name, s in place.sources.items() if name.startswith("schedule:")]
        place.fed.put("2026-11-19", "2026-11-20")
        await place.idle()
        assert place.bench.jobs == []
        slot = at("2026-11-20 06:00")
        event = RawEvent(Tick("0 6 * * *", slot), 0, "2026-11-20T06:00:00Z")
        tick.put_batch(Batch(tick.name, LANE, 0, 1, [event], str(slot), keep=True))
        await place.idle()
        assert (place.bench.names, place.balance) == (["build 2026-11-19"], [])


async def test_history_that_is_older_than_its_retention_goes_and_the_ledger_still_balances() -> None:
    async with living(graph(orders(due=None)), retention=24 * HOUR) as place:
        for n in range(3):
            place.fed.put("2026-11-17", ids=[f"e{n}"])
            await place.idle()
            await place.end()

        async def gone(what: Sized) -> bool:
            await place.clock.advance(HOUR)  # the logs go in a thread, which knows nothing of our time
            return not what

        await eventually(lambda: gone(place.ledger.runs))
        assert place.clock.now() - START > 24 * HOUR
        assert (len(place.ledger.readiness), place.balance) == (1, [])
        assert len(place.ledger.seen) == 3, "an event that comes again is recognised for a week"
        await eventually(lambda: gone(place.ledger.seen))
        assert place.clock.now() - START > 7 * 24 * HOUR


async def test_a_full_disk_does_not_end_the_housekeeping(monkeypatch: pytest.MonkeyPatch) -> None:
    async with living(graph(orders(due=None)), retention=24 * HOUR) as place:
        tries = []

        async def full() -> None:
            tries.append(1)
            raise StoreFull("The disk is full. Make room.")

        monkeypatch.setattr(place.disk, "checkpoint", full)
        await place.clock.advance(3 * RETENTION_PAUSE)
        assert len(tries) == 3


async def test_a_background_task_that_dies_ends_the_service_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    async with living(graph(orders(due=None))) as place:

        async def broken() -> None:
            raise RuntimeError("the housekeeping broke")

        monkeypatch.setattr(place.disk, "checkpoint", broken)
        await place.clock.advance(RETENTION_PAUSE)
        with pytest.raises(RuntimeError, match="the housekeeping broke"):
            await place.service.wait()
