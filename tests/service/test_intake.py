"""Intake: back-pressure, what was read before, and the order of acknowledgements."""

import pytest

from reactor import Asset, Dynamic, Kafka, Ready, Record, Workflow, sensor
from reactor.core.graph import Graph
from reactor.service.intake import UNDER_WAY
from reactor.sources.base import Batch
from reactor.store.memory import Ledger
from tests.service.place import LANE, OWNER, Fed, living, project

thing = Asset("thing", Dynamic("n"))


@sensor(Kafka("t"))
async def of_thing(record: Record) -> Ready:
    return thing.ready(str(record.value))


@sensor(Kafka("other"))
async def of_other(record: Record) -> Ready:
    return thing.ready(str(record.value))


def graph() -> Graph:
    flow = Workflow("flow", owner=OWNER)

    @flow.task(inputs=thing)
    async def work() -> None: ...

    return project(flow, of_thing, of_other)


async def test_a_source_is_asked_for_more_only_while_few_of_its_batches_are_under_way() -> None:
    async with living(graph()) as place:
        place.disk.gate.clear()
        for n in range(20):
            place.fed.put(n)
        await place.idle()
        assert place.fed.asked == UNDER_WAY + 1, "those under way, and the one that waits for its place"
        place.disk.gate.set()
        await place.idle()
        assert place.fed.acked == [(n, n + 1) for n in range(20)]


async def test_what_was_durable_before_is_cut_off_and_acknowledged_in_its_turn() -> None:
    async with living(graph()) as place:
        place.fed.put(0, 1, 2)
        await place.idle()
        place.fed.put(1, 2, 3, at=1)  # the group was rewound: one of these three is new
        place.fed.put(0, at=0)  # nothing of this one is
        await place.idle()
        assert [r.partition for r in place.ledger.readiness.values()] == ["0", "1", "2", "3"]
        assert place.fed.acked == [(0, 3), (3, 4), (4, 4)]
        assert place.balance == []


async def test_what_is_under_way_already_is_cut_off_too_and_not_acknowledged_before_it() -> None:
    async with living(graph()) as place:
        place.disk.gate.clear()
        place.fed.put(0, 1)
        place.fed.put(0, 1, at=0)
        place.fed.put(2)
        await place.idle()
        assert place.fed.acked == []
        place.disk.gate.set()
        await place.idle()
        assert place.fed.acked == [(0, 2), (2, 2), (2, 3)]
        assert len(place.ledger.readiness) == 3


async def test_gaps_inside_a_batch_are_accounted_for() -> None:
    async with living(graph()) as place:
        place.fed.put(0)
        await place.idle()
        batch = Batch(place.fed.name, LANE, 1, 9, [])
        place.fed.put_batch(batch)
        place.fed.put(9)
        await place.idle()
        assert place.fed.acked == [(0, 1), (1, 9), (9, 10)]
        assert (sum(s.gap for row in place.ledger.spans.values() for s in row), place.balance) == (8, [])


async def test_a_source_that_leaves_positions_out_unsaid_is_stopped_alone() -> None:
    async with living(graph()) as place:
        place.fed.put(0)
        await place.idle()
        place.fed.put(7, at=7)
        await place.idle()
        assert "ledger stands at 1" in (place.service.intakes[place.fed.name].error or "")
        other = place.sources[Kafka("other").name]
        other.put(5)
        await place.idle()
        assert (other.acked, place.fed.acked) == ([(0, 1)], [(0, 1)])


async def test_a_source_that_raises_is_shown_and_stops_alone() -> None:
    async with living(graph()) as place:
        place.fed.put(0)
        await place.idle()
        place.fed.raises = RuntimeError("the broker is gone for good")
        place.fed.put(1)
        await place.idle()
        health = place.service.health()[place.fed.name]
        assert (health.condition, health.error) == ("broken", "RuntimeError: the broker is gone for good")
        assert (place.fed.acked, place.ledger.lanes[place.fed.name, "0"].at.position) == ([(0, 1)], 1)
        other = place.sources[Kafka("other").name]
        other.put(5)
        await place.idle()
        assert other.acked == [(0, 1)]


async def test_a_source_goes_on_where_the_ledger_stands() -> None:
    ledger = Ledger()
    async with living(graph(), ledger) as place:
        place.fed.put(0, 1)
        await place.idle()
    async with living(graph(), ledger) as place:
        assert [at[LANE].position for at in place.fed.starts] == [2]


@pytest.mark.parametrize("gate", ["before the commit", "after it"])
async def test_an_event_that_comes_twice_has_its_effect_once(gate: str) -> None:
    async with living(graph()) as place:
        if gate == "before the commit":
            place.disk.gate.clear()
        place.fed.put("x", ids=["1"])
        await place.idle()
        place.fed.put("x", "x", "y", ids=["1", "1", "2"])
        await place.idle()
        place.disk.gate.set()
        await place.idle()
        assert [r.partition for r in place.ledger.readiness.values()] == ["x", "y"]
        assert (sum(s.duplicate for row in place.ledger.spans.values() for s in row), place.balance) == (2, [])


async def test_a_source_that_cannot_be_told_is_no_reason_to_stop() -> None:
    async with living(graph()) as place:

        async def refuse(batch: Batch) -> None:
            raise OSError("no route to the broker")

        done, place.fed.done = Fed.done, refuse  # type: ignore[method-assign]
        place.fed.put(0)
        await place.idle()
        place.fed.done = lambda batch: done(place.fed, batch)  # type: ignore[method-assign]
        place.fed.put(1)
        await place.idle()
        assert place.fed.acked == [(1, 2)]
