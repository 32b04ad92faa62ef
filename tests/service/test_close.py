"""The end of a service: it drains, leaves what is long to the next engine, and never hangs."""

import asyncio
from collections.abc import Callable

import pytest

from reactor import Asset, Dynamic, Kafka, Ready, Record, Workflow, sensor
from reactor.core.build import build
from reactor.core.graph import Graph
from reactor.model.errors import StoreBusy
from reactor.model.run import RunState
from reactor.service import service as service_module
from reactor.store.memory import Ledger
from tests.clock import VirtualClock
from tests.service.place import OWNER, Place, living, project

thing, made = Asset("thing", Dynamic("n")), Asset("made", Dynamic("n"))


def graph() -> Graph:
    @sensor(Kafka("t"))
    async def s(record: Record) -> Ready:
        return thing.ready(record.value)

    flow = Workflow("flow", owner=OWNER)

    @flow.task(inputs=thing, outputs=made)
    async def first() -> None: ...

    @flow.task(inputs=made)
    async def second() -> None: ...

    return project(flow, s)


def ends_while_it_stops(place: Place) -> Callable[[float], object]:
    async def stop(grace: float) -> None:
        place.bench.end(place.bench.jobs[0])
        await place.clock.idle()

    return stop


async def test_an_attempt_that_ends_while_it_drains_is_written_and_what_it_starts_is_left_to_the_next_engine() -> None:
    ledger = Ledger()
    async with living(graph(), ledger) as place:
        place.fed.put("x")
        await place.idle()
        place.bench.stop = ends_while_it_stops(place)  # type: ignore[method-assign,assignment]
    assert place.bench.names == ["first x"]
    assert place.states == [("first", "x", RunState.SUCCEEDED), ("second", "x", RunState.RUNNING)]
    async with living(graph(), ledger) as place:
        assert [(j.task, j.attempt) for j in place.bench.jobs] == [("second", 2)]
        assert [r.lost for r in place.runs] == [0, 0]


async def test_a_long_attempt_is_offered_again_by_the_next_engine() -> None:
    ledger = Ledger()
    async with living(graph(), ledger) as place:
        place.fed.put("x")
        await place.idle()
    assert place.states == [("first", "x", RunState.RUNNING)]
    async with living(graph(), ledger) as place:
        assert [(j.task, j.token) for j in place.bench.jobs] == [("first", 2)]


async def test_a_source_that_does_not_stop_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "STOP_AT_MOST", 0.05)
    async with living(graph()) as place:
        place.fed.hangs = True
        await asyncio.wait_for(place.service.close(0), 5)
        assert place.service.ready is False


async def test_a_service_that_cannot_open_leaves_nothing_behind() -> None:
    place = Place(graph(), Ledger(), VirtualClock())
    before = asyncio.all_tasks()

    async def busy(holder: str) -> None:
        raise StoreBusy("Another engine holds this database.")

    place.disk.restore = busy  # type: ignore[method-assign,assignment]
    with pytest.raises(StoreBusy):
        await place.service.open()
    assert asyncio.all_tasks() == before
    assert not place.service.ready


async def test_an_empty_project_opens_and_closes() -> None:
    async with living(build([], [], [])) as place:
        assert place.service.ready
        assert place.service.health() == {}
