"""Sensors: what they are given, what they may answer, and that whatever they do costs their event and nothing else."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from reactor import Asset, Daily, DefinitionError, Dynamic, Kafka, Ready, Record, State, Workflow, sensor
from reactor.core.graph import Graph
from reactor.model.events import DeadLetter, File
from reactor.model.ids import AssetName, Instant, PartitionKey
from reactor.model.sensor import AnySensor
from reactor.service.call import bind
from reactor.store.memory import Ledger
from tests.service.place import OWNER, Place, living, project
from tests.services.wait import eventually

T = Kafka("t")
counted = Asset("counted", Dynamic("n"))
orders = Asset("orders", Daily(start="2026-01-01"))


def graph(*sensors: AnySensor) -> Graph:
    flow = Workflow("flow", owner=OWNER)

    @flow.task(inputs=counted)
    async def work() -> None: ...

    return project(flow, *sensors, assets=[orders])


def answering(answer: object) -> Graph:
    @sensor(T)
    async def s(record: Record) -> Any:
        return answer() if callable(answer) else answer

    return graph(s)


async def dead(place: Place) -> DeadLetter:
    await eventually(lambda: place.ledger.dead)
    return list(place.ledger.dead.values())[-1]


def keys(place: Place) -> list[str]:
    return [r.partition for r in place.ledger.readiness.values()]


@pytest.mark.parametrize("kind", ["plain", "async", "batch", "async batch"])
async def test_a_sensor_may_be_plain_or_async_and_take_one_event_or_all(kind: str) -> None:
    def plain(record: Record) -> Ready:
        return counted.ready(record.value)

    async def one(record: Record) -> Ready:
        return counted.ready(record.value)

    def batch(records: list[Record]) -> list[Ready]:
        return [counted.ready(r.value) for r in records]

    async def async_batch(records: list[Record]) -> list[Ready]:
        return [counted.ready(r.value) for r in records]

    functions: dict[str, Callable[..., Any]] = {
        "plain": plain,
        "async": one,
        "batch": batch,
        "async batch": async_batch,
    }
    async with living(graph(sensor(T)(functions[kind]))) as place:
        place.fed.put("x", "y")
        await eventually(lambda: place.fed.acked == [(0, 2)])
        assert (keys(place), place.balance) == (["x", "y"], [])


class Closed(BaseModel):
    day: str
    rows: int


async def test_a_model_is_checked_before_the_sensor_sees_the_event() -> None:
    @sensor(T)
    async def s(closed: Closed) -> Ready:
        return orders.ready(closed.day, rows=closed.rows)

    async with living(graph(s)) as place:
        place.fed.put({"day": "2026-11-20", "rows": 3}, {"day": "2026-11-21", "rows": "many"})
        letter = await dead(place)
        assert keys(place) == ["2026-11-20"]
        assert (letter.position, letter.sensor) == (1, "s")
        assert letter.reason.startswith("the payload is no Closed: rows: Input should be a valid integer")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("yes", "the sensor answered str"),
        (["yes"], "the sensor answered a list with str in it"),
        (Ready(AssetName("ordres")), "no asset is called so. Did you mean 'orders'?"),
        (lambda: orders.ready("today"), "orders has no such partition"),
        (Ready(AssetName("orders"), PartitionKey("2026-02-30")), "orders has no such partition"),
        (Ready(AssetName("orders")), "no partition was given"),
        (Ready(AssetName("orders"), PartitionKey("2026-11-20"), {"x": object()}), "JSON"),
        (Ready(AssetName("orders"), PartitionKey("2026-11-20"), {"x": "y" * 20_000}), "16384 are allowed"),
        (Ready(AssetName("orders"), PartitionKey("2026-11-20"), at="noon"), "Expected `int"),  # type: ignore[arg-type]
        (Ready(AssetName("orders"), PartitionKey("2026-11-20"), status="good"), "Invalid enum value"),  # type: ignore[arg-type]
        (lambda: counted.ready("\udc80"), "surrogates not allowed"),
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
async def test_a_wrong_answer_costs_its_event_and_says_what_is_wrong(answer: object, reason: str) -> None:
    async with living(answering(answer)) as place:
        place.fed.put(1)
        assert reason in (await dead(place)).reason
        await place.idle()
        assert (place.fed.acked, place.balance) == ([(0, 1)], [])


async def test_an_answer_that_names_a_slot_twice_announces_it_once() -> None:
    async with living(answering(lambda: [counted.ready("x", n=1), counted.ready("x", n=2)])) as place:
        place.fed.put(1)
        await place.idle()
        assert [r.evidence for r in place.ledger.readiness.values()] == [b'{"n":2}']


def leave() -> None:
    raise SystemExit(3)


async def cancel_from_within() -> None:
    inner = asyncio.ensure_future(asyncio.Event().wait())
    inner.cancel()
    await inner


async def time_out_from_within() -> None:
    async with asyncio.timeout(0):
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        (leave, "SystemExit: 3"),
        (cancel_from_within, "CancelledError: "),
        (time_out_from_within, "TimeoutError: "),
    ],
)
async def test_nothing_that_a_sensor_raises_ends_the_service_or_its_source(
    does: Callable[[], Any], reason: str
) -> None:
    @sensor(T)
    async def s(record: Record) -> Ready:
        if record.value == "bad":
            found = does()
            if found is not None:
                await found
        return counted.ready(record.value)

    async with living(graph(s)) as place:
        place.fed.put("bad", "good")
        assert (await dead(place)).reason == reason
        await place.idle()
        assert (keys(place), place.fed.acked) == (["good"], [(0, 2)])


async def test_a_plain_sensor_that_hangs_loses_its_event_with_its_stack_and_the_rest_goes_on() -> None:
    let_go, tried = threading.Event(), []

    @sensor(T, timeout="50ms")
    def s(record: Record, memory: State) -> Ready:
        tried.append(record.value)
        memory["n"] = memory.get("n", 0) + 1
        if record.value == "hang":
            let_go.wait()
            memory["n"] = 1000
        return counted.ready(record.value)

    async with living(graph(s)) as place:
        place.fed.put("x", "hang", "y")
        letter = await dead(place)
        await eventually(lambda: place.fed.acked == [(0, 3)])
        assert letter.reason == "the sensor took longer than 0.05 s and was left behind"
        assert "let_go.wait()" in letter.detail
        assert (keys(place), tried) == (["x", "y"], ["x", "hang", "y"])
        let_go.set()  # the thread that was left behind comes back now, and can spoil nothing
        place.fed.put("z")
        await eventually(lambda: len(place.fed.acked) == 2)
        assert place.ledger.states == {"s": b'{"n":3}'}
        assert place.balance == []


async def test_a_sensor_that_hangs_again_and_again_stops_its_source_and_nothing_else() -> None:
    let_go = threading.Event()

    @sensor(T, timeout="20ms")
    def s(record: Record) -> None:
        let_go.wait()

    async with living(graph(s)) as place:
        place.fed.put(*range(6))
        intake = place.service.intakes[T.name]
        await eventually(lambda: intake.error is not None)
        assert "calls of sensor 's' hang" in str(place.service.health()[T.name].error)
        assert place.fed.acked == []
        assert await place.service.engine.answer([]) is None
        let_go.set()


async def test_an_async_sensor_that_takes_too_long_loses_its_event() -> None:
    @sensor(T, timeout="20ms")
    async def s(record: Record) -> Ready:
        if record.value == "hang":
            await asyncio.Event().wait()
        return counted.ready(record.value)

    async with living(graph(s)) as place:
        place.fed.put("hang", "x")
        assert (await dead(place)).reason == "the sensor took longer than 0.02 s"
        await place.idle()
        assert keys(place) == ["x"]


def remembering() -> Graph:
    @sensor(T)
    async def s(record: Record, memory: State) -> Ready:
        memory["n"] = memory.get("n", 0) + 1
        if record.value == "bad":
            raise ValueError("bad")
        return counted.ready(str(memory["n"]))

    return graph(s)


async def test_a_memory_is_saved_with_the_position_and_goes_on_after_a_restart() -> None:
    ledger = Ledger()
    async with living(remembering(), ledger) as place:
        place.fed.put("x", "y")
        await place.idle()
        tx = next(tx for tx in place.disk.commits if tx.states)
        assert ([s.state for s in tx.states], len(tx.moves), len(tx.readiness)) == ([b'{"n":2}'], 1, 2)
    async with living(remembering(), ledger) as place:
        place.fed.put("z")
        await place.idle()
        assert keys(place) == ["1", "2", "3"]


async def test_a_memory_is_rolled_back_where_the_call_failed() -> None:
    async with living(remembering()) as place:
        place.fed.put("x", "bad", "y")
        await place.idle()
        assert (keys(place), place.ledger.states) == (["1", "2"], {"s": b'{"n":2}'})


async def test_a_memory_counts_an_event_once_however_often_it_comes() -> None:
    async with living(remembering()) as place:
        place.fed.put("x", "x", "y", ids=["1", "1", "2"])
        place.fed.put("y", ids=["2"])
        await place.idle()
        place.fed.put("y", "z", ids=["2", "3"])
        await place.idle()
        assert (keys(place), place.ledger.states) == (["1", "2", "3"], {"s": b'{"n":3}'})
        assert place.balance == []


async def test_what_cannot_be_remembered_costs_the_event() -> None:
    @sensor(T)
    async def s(record: Record, memory: State) -> Ready:
        memory["x"] = object() if record.value == "bad" else "y" * record.value
        return counted.ready("k")

    async with living(graph(s)) as place:
        place.fed.put("bad", 300_000, 3)
        await place.idle()
        reasons = [d.reason for d in place.ledger.dead.values()]
        assert reasons[0].startswith("what the sensor wants to remember is no JSON")
        assert reasons[1] == "the sensor wants to remember 300008 bytes; 262144 are allowed"
        assert (keys(place), place.ledger.states) == (["k"], {"s": b'{"x":"yyy"}'})


async def test_a_file_whose_name_is_no_text_becomes_a_dead_letter() -> None:
    @sensor(T)
    async def s(record: Record) -> Ready:
        raise ValueError("no")

    async with living(graph(s)) as place:
        place.fed.put_payload(File("/in/\udcff.csv", "\udcff.csv", {"day": "\udcff"}, 1, Instant(1), 1))
        assert (await dead(place)).reason == "ValueError: no"


def test_annotations_that_ask_for_what_the_source_does_not_give_are_refused() -> None:
    def wrong(tick: File) -> None: ...
    def no_memory(record: Record, memory: dict) -> None: ...  # type: ignore[type-arg]

    with pytest.raises(DefinitionError, match=r"'wrong' asks for File, but kafka:t gives Record"):
        bind(sensor(T)(wrong), None)
    with pytest.raises(DefinitionError, match="annotate it State"):
        bind(sensor(T)(no_memory), None)
