"""Who hears of dead letters, and how often."""

from typing import Any

import pytest

from reactor import Asset, Kafka, Ready, Record, Workflow, sensor
from reactor.core.graph import Graph
from reactor.model.events import RawEvent
from reactor.model.ids import Instant
from reactor.model.sensor import AnySensor
from reactor.sources.base import Batch
from tests.service.place import LANE, OWNER, living, project

orders = Asset("orders", owner="orders@example.com")
refunds = Asset("refunds")


@sensor(Kafka("t"))
async def of_orders(record: Record) -> Ready:
    return orders.ready(n=record.value["n"])


@sensor(Kafka("t"))
async def of_refunds(record: Record) -> Ready:
    return refunds.ready(n=record.value)


class Proxy:
    """As some libraries put them into a module."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise RuntimeError("working outside of its context")


class Lazy(dict[str, int]):
    def values(self) -> Any:
        raise RuntimeError("not loaded yet")


proxy, lazy = Proxy(), Lazy()


@sensor(Kafka("t"))
async def with_a_proxy(record: Record) -> Ready:
    return orders.ready(n=record.value[str(proxy)])


@sensor(Kafka("t"))
async def with_a_lazy_dict(record: Record) -> Ready:
    return orders.ready(n=record.value[str(lazy)])


def graph(*sensors: AnySensor) -> Graph:
    flow = Workflow("flow", owner=OWNER)

    @flow.task(inputs=orders & refunds)
    async def work() -> None: ...

    return project(flow, *sensors, assets=[orders, refunds])


async def test_the_owner_of_what_a_sensor_announces_hears_once_for_a_burst() -> None:
    async with living(graph(of_orders)) as place:
        place.fed.put(*[b"no json"] * 50)
        place.fed.put(*[b"no json"] * 50)
        await place.idle()
        (alert,) = place.alerts
        assert (alert.owner, alert.subject) == ("orders@example.com", "of_orders")
        assert len(place.ledger.dead) == 100
        assert list(place.ledger.alerts.values()) == [alert]


async def test_an_asset_without_an_owner_has_that_of_the_tasks_that_wait_for_it() -> None:
    async with living(graph(of_refunds)) as place:
        place.fed.put(b"no json")
        await place.idle()
        assert [a.owner for a in place.alerts] == [OWNER]


async def test_an_event_that_dies_in_one_sensor_and_is_ready_for_another_is_told_too() -> None:
    async with living(graph(of_orders, of_refunds)) as place:
        place.fed.put(7)
        await place.idle()
        assert [(a.subject, a.owner) for a in place.alerts] == [("of_orders", "orders@example.com")]
        assert len(place.ledger.readiness) == 1


async def test_what_a_source_cannot_make_an_event_of_is_told_by_the_name_of_the_source() -> None:
    async with living(graph(of_orders)) as place:
        broken = RawEvent(Record("t", 0, 0, Instant(0), None, None), 0, error="10 MB are too much")
        place.fed.put_batch(Batch(place.fed.name, LANE, 0, 1, [broken]))
        await place.idle()
        assert [(a.subject, a.owner) for a in place.alerts] == [("kafka:t", "orders@example.com")]


@pytest.mark.parametrize(("odd", "owner"), [(with_a_proxy, "orders@example.com"), (with_a_lazy_dict, "")])
async def test_code_that_cannot_be_looked_at_costs_the_owner_and_not_the_engine(odd: AnySensor, owner: str) -> None:
    async with living(graph(odd)) as place:
        place.fed.put(b"no json")
        await place.idle()
        assert [a.owner for a in place.alerts] == [owner]
