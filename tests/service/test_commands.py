"""What people ask for: one transaction each, with its line in the audit log."""

import asyncio

import pytest

from reactor import Asset, Dynamic, Kafka, Ready, Record, State, Workflow, sensor
from reactor.core.graph import Graph
from reactor.model.errors import NotFound
from reactor.model.ids import Instant, RunId
from reactor.model.outcome import Ending
from reactor.model.run import RunState
from reactor.service.commands import Refused
from reactor.service.topics import EmbeddedLog
from reactor.store.base import TopicRecord
from tests.service.place import OWNER, Place, living, project

thing = Asset("thing", Dynamic("n"))


class Mood:
    """What the sensor makes of a bad event: users mend their sensors, and then retry."""

    good = False


def graph(mood: Mood | None = None) -> Graph:
    @sensor(Kafka("t"))
    async def s(record: Record, memory: State) -> Ready:
        memory["seen"] = [*memory.get("seen", []), record.value]
        if record.value == "bad" and not (mood and mood.good):
            raise ValueError("it is bad")
        return thing.ready(record.value)

    flow = Workflow("flow", owner=OWNER)

    @flow.task(inputs=thing)
    async def work() -> None: ...

    return project(flow, s)


def audits(place: Place) -> list[tuple[str, str, str, str]]:
    return [(a.actor, a.action, a.object, a.detail) for a in place.ledger.audits]


async def started(place: Place) -> RunId:
    place.fed.put("x")
    await place.idle()
    return place.runs[0].id


async def test_cancel_stops_the_attempt_and_again_offers_the_same_inputs_anew() -> None:
    async with living(graph()) as place:
        run = await started(place)
        assert await place.commands.cancel(run[:-1] + run[-1], "eve", "not today") == run
        await place.idle()
        assert place.bench.cancelled == [(run, 1)]
        assert [(r.state, r.error) for r in place.runs] == [(RunState.CANCELLED, "cancelled by eve: not today")]
        await place.commands.again(run, "bob")
        await place.idle()
        assert [(j.run, j.token, j.attempt) for j in place.bench.jobs] == [(run, 1, 1), (run, 2, 2)]
        await place.end()
        assert [r.state for r in place.runs] == [RunState.SUCCEEDED]
        assert audits(place) == [("eve", "cancel", run, "not today"), ("bob", "again", run, "")]


async def test_what_cannot_be_done_is_refused_with_the_reason() -> None:
    async with living(graph()) as place:
        run = await started(place)
        with pytest.raises(NotFound, match="There is no run 'nobody'"):
            await place.commands.cancel("nobody", "eve", "")
        with pytest.raises(Refused, match="is running: only a failed, cancelled or expired run"):
            await place.commands.again(run, "eve")
        await place.end()
        with pytest.raises(Refused, match="is over already"):
            await place.commands.cancel(run, "eve", "")
        with pytest.raises(Refused, match="is succeeded"):
            await place.commands.again(run, "eve")
        assert audits(place) == [], "what was refused was not done"


async def test_a_dead_letter_that_is_retried_has_its_effect_once_and_is_remembered() -> None:
    mood = Mood()
    async with living(graph(mood)) as place:
        place.fed.put("a", "bad", "b")
        await place.idle()
        with pytest.raises(Refused, match=r"It failed again: ValueError: it is bad\. The letter stays"):
            await place.commands.retry_dead(1, "eve")
        assert place.ledger.states == {"s": b'{"seen":["a","b"]}'}
        mood.good = True
        both = await asyncio.gather(
            place.commands.retry_dead(1, "eve"), place.commands.retry_dead(1, "bob"), return_exceptions=True
        )
        assert both[0] == 1
        assert str(both[1]) == "Dead letter 1 was retried already."
        assert [r.partition for r in place.ledger.readiness.values()] == ["a", "b", "bad"]
        assert place.ledger.states == {"s": b'{"seen":["a","b","bad"]}'}
        assert audits(place)[-1] == ("eve", "retry dead letter", "1", "")
        assert place.balance == []


async def test_what_a_retry_makes_a_sensor_remember_is_written_after_what_is_under_way() -> None:
    mood = Mood()
    async with living(graph(mood)) as place:
        place.fed.put("bad")
        await place.idle()
        mood.good = True
        place.disk.gate.clear()
        place.fed.put("a")
        await place.idle()
        retry = asyncio.create_task(place.commands.retry_dead(1, "eve"))
        place.fed.put("b")
        await place.idle()
        place.disk.gate.set()
        await retry
        await place.idle()
        remembered = [s.state for tx in place.disk.commits for s in tx.states]
        assert remembered[-3:] in (
            [b'{"seen":["a"]}', b'{"seen":["a","bad"]}', b'{"seen":["a","bad","b"]}'],
            [b'{"seen":["a"]}', b'{"seen":["a","b"]}', b'{"seen":["a","b","bad"]}'],
        )


async def test_a_dead_letter_may_be_dropped_once() -> None:
    async with living(graph()) as place:
        place.fed.put("bad")
        await place.idle()
        await place.commands.drop_dead(1, "eve", "known")
        assert [d.state for d in place.ledger.dead.values()] == ["dropped"]
        with pytest.raises(Refused, match="was dropped already"):
            await place.commands.retry_dead(1, "eve")
        with pytest.raises(NotFound, match="There is no dead letter 7"):
            await place.commands.drop_dead(7, "eve", "")
        assert audits(place) == [("eve", "drop dead letter", "1", "known")]


async def test_records_of_an_embedded_topic_wake_its_reader_once_they_are_durable() -> None:
    async with living(graph()) as place:
        log = EmbeddedLog(place._reader)
        place.service.engine.on_append = log.rang
        waiting = asyncio.create_task(log.wait("topic", 0))
        place.disk.gate.clear()
        publishing = asyncio.create_task(
            place.commands.publish(
                [TopicRecord("topic", None, b"1", (), Instant(1)), TopicRecord("topic", None, b"2", (), Instant(1))]
            )
        )
        await place.idle()
        assert not waiting.done() and not publishing.done()
        place.disk.gate.set()
        await asyncio.gather(waiting, publishing)
        assert [(r.offset, r.body) for r in await log.read("topic", 0, 10)] == [(0, b"1"), (1, b"2")]
        assert await log.ends("topic") == (0, 2)


async def test_a_run_that_fails_is_told_to_the_owner_of_its_task() -> None:
    async with living(graph()) as place:
        await started(place)
        await place.end(ending=Ending.FAILED)
        assert [(x.owner, x.text) for x in place.alerts] == [(OWNER, "work x failed after 1 attempt: Boom: it failed")]
