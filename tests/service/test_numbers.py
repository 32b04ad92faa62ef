"""Completeness as numbers: what is counted, and that asking often costs little."""

from collections import Counter

from reactor import Asset, Daily, Kafka, Ready, Record, Workflow, sensor
from reactor.core.graph import Graph
from reactor.model.ids import AssetName
from reactor.model.outcome import Ending
from reactor.model.slot import Slot
from reactor.service.views.numbers import KEPT, Counting, Numbers
from reactor.store.memory import MemoryReader
from tests.service.place import OWNER, Place, living, project

day = Daily(start="2026-11-01")
orders, revenue, never = Asset("orders", day), Asset("revenue", day), Asset("never", day)


@sensor(Kafka("t"))
async def of_orders(record: Record) -> Ready:
    return orders.ready(record.value)


def graph() -> Graph:
    flow = Workflow("flow", owner=OWNER)

    @flow.task(inputs=orders, outputs=revenue)
    async def build() -> None: ...

    return project(flow, of_orders, assets=[never])


class Counted(MemoryReader):
    """How often somebody asked for the slots of an asset."""

    asked: int = 0

    async def slots(self, asset: AssetName, limit: int) -> list[Slot]:
        self.asked += 1
        return await super().slots(asset, limit)


def counting(place: Place) -> tuple[Counting, Counted]:
    reader = Counted(place.ledger)

    async def read() -> Counted:
        return reader

    return Counting(read, lambda: place.service.graph, place.clock), reader


def some(found: Numbers, asset: str) -> dict[str, int]:
    return {state: n for (name, state), n in found.partitions.items() if name == asset and n}


async def test_partitions_are_counted_by_their_state_and_no_more_than_the_newest() -> None:
    async with living(graph()) as place:
        for n in range(5, 18):
            place.fed.put(f"2026-11-{n:02d}")
            await place.idle()
            if n < 17:
                await place.end(ending=Ending.FAILED if n == 16 else Ending.SUCCEEDED)
        found = await counting(place)[0].numbers()
        assert some(found, "orders") == {"ready": 7}
        assert some(found, "revenue") == {"ready": 5, "failed": 1, "running": 1}
        assert some(found, "never") == {"waiting": 1}
        assert set(found.newest) == {"orders", "revenue"}
        assert Counter(asset for asset, _ in found.partitions) == {"orders": 7, "revenue": 7, "never": 7}, "a bound"


async def test_who_asks_often_gets_the_last_answer() -> None:
    async with living(graph()) as place:
        count, reader = counting(place)
        first = await count.numbers()
        assert await count.numbers() is first
        assert reader.asked == 3
        place.fed.put("2026-11-17")
        await place.idle()
        await place.clock.advance(KEPT)
        assert some(await count.numbers(), "orders") == {"ready": 1}
        assert reader.asked == 6


async def test_new_definitions_are_counted_at_once() -> None:
    async with living(graph()) as place:
        count, _ = counting(place)
        await count.numbers()
        await place.service.reload(project(Workflow("other", owner=OWNER), assets=[never]))
        assert {asset for asset, _ in (await count.numbers()).partitions} == {"never"}
