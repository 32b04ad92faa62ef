"""The story: what happens on the simulated day, and when. Times are local, of the partition's zone."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from reactor.cli.demo.world import ORDERS_AN_HOUR, World
from reactor.core.graph import Graph
from reactor.model.ids import AssetName, Instant, PartitionKey
from reactor.model.partitions import Daily, Hourly

TODAY, YESTERDAY = PartitionKey("2026-11-20"), PartitionKey("2026-11-19")
HOUR = 3_600_000_000
Until = Callable[[str, Callable[[], bool]], Awaitable[None]]


@dataclass(frozen=True)
class Scene:
    """Something that happens `at` an instant. `say` is what a bystander would say of it."""

    at: Instant
    say: str
    act: Callable[[World], Awaitable[None] | None]
    until: str = ""
    """What the story waits for before it goes on: a key of `reactor.cli.demo.watch.Watch.reached`."""


def zones(graph: Graph) -> tuple[Daily, Hourly]:
    """How the example's assets are cut."""
    days, hours = graph.assets[AssetName("revenue")].partitions, graph.assets[AssetName("orders")].partitions
    assert isinstance(days, Daily)
    assert isinstance(hours, Hourly)
    return days, hours


def scenes(graph: Graph) -> Iterator[Scene]:
    """The whole day, in order."""
    days, hours = zones(graph)
    start, end = days.begin(TODAY), days.end(TODAY)
    yesterday = [str(h) for h in hours.between(days.begin(YESTERDAY), start)]
    today = list(hours.between(start, end))
    paid = ["12.50"] * (len(yesterday) * ORDERS_AN_HOUR)
    yield Scene(start, "yesterday is complete", lambda w: _whole_day(w, yesterday, paid), f"dashboard {YESTERDAY}")
    for number, hour in enumerate(today):
        yield Scene(hours.end(hour), f"shop.hour-closed {hour}", _hour(str(hour)), f"orders {hour}")
        if number == 6:
            yield Scene(
                Instant(hours.end(hour) + HOUR // 2),
                "a broken record on shop.hour-closed",
                lambda w: w.nonsense(),
                "dead letter",
            )
    yield Scene(
        Instant(end + HOUR), "the billing system closes its day", lambda w: w.bill(TODAY), f"subscriptions {TODAY}"
    )
    yield Scene(
        Instant(end + 2 * HOUR),
        f"refunds-{TODAY}.csv lands",
        lambda w: w.land("refunds", TODAY, ["4.00", "6.50"]),
        f"refunds {TODAY}",
    )
    yield Scene(
        Instant(end + 4 * HOUR + 60_000_000),
        "04:00 has passed, and no payments have come",
        lambda _: None,
        f"late payments {TODAY}",
    )
    yield Scene(Instant(end + 5 * HOUR), "somebody locks the subscriptions table", lambda w: w.lock_table())
    yield Scene(
        Instant(end + 5 * HOUR + HOUR // 6),
        f"payments-{TODAY}.csv lands, 70 minutes late",
        lambda w: w.land("payments", TODAY, ["12.50"] * (len(today) * ORDERS_AN_HOUR)),
        f"failed attempt {TODAY}",
    )
    yield Scene(Instant(end + 5 * HOUR + HOUR // 6), "the table is free again", lambda w: w.unlock_table())
    yield Scene(Instant(end + 5 * HOUR + HOUR // 3), "the retry is due", lambda _: None, f"dashboard {TODAY}")
    yield Scene(
        Instant(end + 7 * HOUR),
        f"a late refund: refunds-{YESTERDAY}.csv comes again",
        lambda w: w.land("refunds", YESTERDAY, ["4.00", "6.50", "99.00"]),
        f"dashboard {YESTERDAY} again",
    )
    yield Scene(Instant(end + 9 * HOUR), "the day is done", lambda _: None)


async def _whole_day(world: World, hours: list[str], paid: list[str]) -> None:
    await world.hours(hours)
    world.bill(YESTERDAY)
    world.land("refunds", YESTERDAY, ["4.00", "6.50"])
    world.land("payments", YESTERDAY, paid)


def _hour(hour: str) -> Callable[[World], Awaitable[None]]:
    return lambda world: world.hours([hour])
