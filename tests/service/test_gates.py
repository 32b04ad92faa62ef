"""Gates in the running service: bounded in time, fail closed, and a decision is one transaction with its line in the audit log."""

import asyncio
import threading

import pytest

from reactor import Arrived, Asset, Dynamic, Gate, Kafka, Ready, Record, Workflow, gate, sensor
from reactor.core.graph import Graph
from reactor.model.errors import NotFound
from reactor.model.ids import AssetName
from reactor.service.commands import Refused
from reactor.service.gates import HUNG_AT_MOST
from reactor.store.base import Audit
from tests.service.place import OWNER, Place, living, project
from tests.services.wait import eventually

thing = Asset("thing", Dynamic("n"))
made = Asset("made", Dynamic("n"))


def graph(*gates: Gate) -> Graph:
    @sensor(Kafka("t"))
    async def s(record: Record) -> Ready:
        return thing.ready(record.value, size=len(record.value))

    flow = Workflow("flow", owner=OWNER)

    @flow.task(inputs=thing, outputs=made)
    async def work() -> None: ...

    return project(flow, s, gates=gates)


@gate(thing)
async def short(arrived: Arrived) -> bool | str:
    return arrived.evidence["size"] < 4 or "too long"


async def put(place: Place, *values: str) -> None:
    place.fed.put(*values)
    await place.idle()


def held(place: Place, asset: str = "thing") -> dict[str, str]:
    return {s.partition: s.held.reason for (a, _), s in place.ledger.slots.items() if a == asset and s.held}


async def test_a_held_partition_waits_and_an_approval_is_in_the_audit_log_with_its_start() -> None:
    async with living(graph(short)) as place:
        await put(place, "abc", "abcdef")
        assert [r.key for r in place.runs] == ["abc"]
        assert held(place) == {"abcdef": "gate short: too long"}
        assert [s.partition for s in await place.reader.held(10)] == ["abcdef"]
        await place.commands.approve("thing", "abcdef", "ana", "it may be long")
        await place.idle()
        assert [r.key for r in place.runs] == ["abc", "abcdef"]
        assert [(a.actor, a.action, a.object, a.detail) for a in place.ledger.audits] == [
            ("ana", "approve", "thing abcdef", "it may be long")
        ]
        assert place.balance == []
        assert await place.reader.held(10) == []


async def test_what_cannot_be_decided_is_refused_and_leaves_no_line() -> None:
    async with living(graph(short)) as place:
        await put(place, "abcdef")
        with pytest.raises(NotFound, match=r"There is no asset 'thin'\. Did you mean 'thing'"):
            await place.commands.approve("thin", "abcdef", "ana", "x")
        with pytest.raises(Refused, match="Nothing of thing abc is held"):
            await place.commands.reject("thing", "abc", "ana", "x")
        await place.commands.reject("thing", "abcdef", "ana", "no")
        with pytest.raises(Refused, match="was rejected by ana: no"):
            await place.commands.approve("thing", "abcdef", "bob", "yes")
        audits: list[Audit] = place.ledger.audits
        assert [(a.actor, a.action) for a in audits] == [("ana", "reject")]
        assert place.balance == []


async def test_what_is_held_outlives_the_process() -> None:
    async with living(graph(short)) as place:
        await put(place, "abcdef")
        ledger = place.ledger
        place.kill()
    async with living(graph(short), ledger) as place:
        await place.commands.approve("thing", "abcdef", "ana", "fine")
        await place.idle()
        assert [r.key for r in place.runs] == ["abcdef"]


async def test_an_async_gate_that_hangs_holds_and_its_source_goes_on() -> None:
    @gate(thing, timeout="20ms")
    async def slow(arrived: Arrived) -> bool:
        if arrived.partition == "a":
            await asyncio.Event().wait()
        return True

    async with living(graph(slow)) as place:
        place.fed.put("a", "b")
        await eventually(lambda: len(place.runs) == 1)
        assert held(place) == {"a": "gate slow did not answer within 0.02 s"}
        assert [r.key for r in place.runs] == ["b"]


async def test_a_plain_gate_that_hangs_too_often_is_not_called_any_more() -> None:
    go = threading.Event()
    calls: list[str] = []

    @gate(thing, timeout="10ms")
    def stuck(arrived: Arrived) -> bool:
        calls.append(arrived.partition)
        go.wait(10)
        return True

    async with living(graph(stuck)) as place:
        place.fed.put(*"abcdef")
        await eventually(lambda: len(held(place)) == 6)
        assert calls == list("abcdef")[:HUNG_AT_MOST]
        assert held(place)["a"] == "gate stuck did not answer within 0.01 s"
        assert held(place)["f"].startswith("gate stuck was not asked: 4 calls of it hang.")
        go.set()


async def test_what_a_run_made_stands_before_its_gate_and_the_run_has_succeeded() -> None:
    @gate(made)
    async def never(arrived: Arrived) -> bool:
        return False

    async with living(graph(never)) as place:
        await put(place, "a")
        await place.end()
        assert [str(r.state) for r in place.runs] == ["succeeded"]
        assert held(place, "made") == {"a": "gate never said no"}
        assert place.ledger.slots[AssetName("made"), place.runs[0].key].version == 0  # type: ignore[index]
        assert place.balance == []
