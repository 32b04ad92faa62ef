"""The day, step by step: at which time what happens, and what has to come of it."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from reactor.cli.demo.shop import HOURS
from reactor.cli.demo.stage import Stage
from reactor.model.ids import Instant
from reactor.model.outcome import Ending
from reactor.model.partitions import instant

ZONE = ZoneInfo("Europe/Berlin")
TODAY = "2026-11-21"
BEFORE, LAST, DAY = "2026-11-18", "2026-11-19", "2026-11-20"
"""Two days that are whole already, and the one whose revenue is awaited."""


class Step(NamedTuple):
    at: str
    """The time of day on `TODAY`."""
    say: str
    act: Callable[[Stage], Awaitable[None]]
    expect: str
    holds: Callable[[Stage], bool]


def clock_at(time: str) -> Instant:
    return instant(datetime.fromisoformat(f"{TODAY}T{time}").replace(tzinfo=ZONE))


async def seed(stage: Stage) -> None:
    """The days before: everything of them is there at once."""
    for day in (BEFORE, LAST):
        stage.shop.close_subscriptions(day)
        stage.shop.land_refunds(day)
        stage.shop.land_payments(day)
        await stage.publish(stage.shop.closings(day))
    await stage.until(
        "the dashboards of the days before", lambda: all(stage.has("dashboard", d) for d in (BEFORE, LAST))
    )


def _hour(number: int) -> Step:
    async def act(stage: Stage) -> None:
        await stage.publish([stage.shop.closings(DAY)[number]])

    minutes = 5 + number * 5
    hour = f"{DAY}T{number:02}"
    say = f"the shop publishes its hours of {DAY}, one after the other" if number == 0 else ""
    return Step(f"{minutes // 60:02}:{minutes % 60:02}", say, act, f"orders {hour}", lambda s: s.has("orders", hour))


async def _nothing(stage: Stage) -> None:
    """Time alone does it."""


async def _subscriptions(stage: Stage) -> None:
    stage.shop.close_subscriptions(DAY)


async def _refunds(stage: Stage) -> None:
    stage.shop.land_refunds(DAY)


async def _lock(stage: Stage) -> None:
    stage.shop.lock()


async def _payments(stage: Stage) -> None:
    stage.shop.land_payments(DAY)


async def _unlock(stage: Stage) -> None:
    stage.shop.unlock()


async def _late_refund(stage: Stage) -> None:
    stage.shop.land_refunds(BEFORE, more=1)


def _failed_once(stage: Stage) -> bool:
    return any(n.run.key == DAY and n.attempt and n.attempt.result == Ending.FAILED for n in stage.noted)


def _late(stage: Stage) -> bool:
    return any(a.kind == "late" and a.subject.startswith("payments") for a in stage.alerts)


STORY: tuple[Step, ...] = (
    *(_hour(n) for n in HOURS),
    Step(
        "02:40",
        "billing closes the day in its table",
        _subscriptions,
        "subscriptions",
        lambda s: s.has("subscriptions", DAY),
    ),
    Step("03:30", f"landing/refunds-{DAY}.csv lands", _refunds, "refunds", lambda s: s.has("refunds", DAY)),
    Step("04:00", "payments are due, and not there: try `reactor why revenue`", _nothing, "payments are late", _late),
    Step("06:30", "billing's nightly job locks its database", _lock, "the lock", lambda s: True),
    Step("06:40", f"landing/payments-{DAY}.csv lands", _payments, "an attempt that fails on the lock", _failed_once),
    Step("06:50", "billing's job is done", _unlock, "revenue, by a second attempt", lambda s: s.has("revenue", DAY)),
    Step("07:00", "", _nothing, "the dashboard", lambda s: s.has("dashboard", DAY)),
    Step(
        "08:40",
        f"a late refund of {BEFORE} lands",
        _late_refund,
        "that day again",
        lambda s: s.has("dashboard", BEFORE, 2),
    ),
)
END = "09:00"
EXPECTED: dict[tuple[str, str], int] = {
    (task, day): 2 if day == BEFORE else 1
    for task in ("build_revenue", "refresh_dashboard")
    for day in (BEFORE, LAST, DAY)
}
"""The runs of the whole day: no more, no fewer."""
