"""Why, over the ledger of a service: what stands behind a partition is found however old it is."""

from reactor import Asset, Daily, Hourly, Kafka, Ready, Record, Retry, Workflow, sensor
from reactor.core.graph import Graph
from reactor.model.outcome import Ending
from reactor.service.views.why import why
from reactor.service.views.words import SlotState
from tests.service.place import OWNER, Place, living, project

hours, days = Hourly(start="2026-01-01T00", timezone="UTC"), Daily(start="2026-01-01", timezone="UTC")
raw, clean, daily = Asset("raw", hours), Asset("clean", hours), Asset("daily", days)


@sensor(Kafka("t"))
async def of_raw(record: Record) -> Ready:
    return raw.ready(record.value)


def graph() -> Graph:
    flow = Workflow("flow", owner=OWNER, retry=Retry(attempts=1))

    @flow.task(inputs=raw, outputs=clean)
    async def wash() -> None: ...

    @flow.task(inputs=clean.all_of(days), outputs=daily)
    async def add_up() -> None: ...

    return project(flow, of_raw)


async def wash(place: Place, hour: str, ending: Ending = Ending.SUCCEEDED) -> None:
    place.fed.put(hour)
    await place.idle()
    await place.end(ending=ending)


async def test_a_roll_up_that_is_blocked_by_an_old_hour_says_which() -> None:
    async with living(graph()) as place:
        await wash(place, "2026-01-02T03")
        await wash(place, "2026-01-02T04", Ending.FAILED)
        for n in range(60):
            await wash(place, f"2026-02-{1 + n // 24:02}T{n % 24:02}")
        found = await why(place.reader, place.service.graph, "daily", "2026-01-02", place.clock.now())
        assert (found.state, found.reason) == (SlotState.BLOCKED, "clean 2026-01-02T04 failed")
        assert found.tree is not None
        assert (found.tree.have, found.tree.needed) == (1, 24)
