"""The suite of all sources, against a real Kafka; and what only Kafka can do."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from reactor.model.events import Record
from reactor.model.ids import Lane
from reactor.model.source import Kafka
from reactor.sources.base import Batch, Condition, LaneStart
from reactor.sources.kafka.producer import Producer
from reactor.sources.kafka.settings import KafkaSettings
from tests.services.kafka import KafkaBroker
from tests.sources.conformance import Ledger, ReachConformance, Reading
from tests.sources.doors import Doors
from tests.sources.kafka_place import Place, admin, place, proxied

pytestmark = pytest.mark.kafka
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
async def topic(kafka: Doors) -> AsyncIterator[Place]:
    async with place(kafka.bootstrap) as made:
        yield made


@pytest.fixture
async def far(kafka: Doors) -> AsyncIterator[Place]:
    """A topic behind a proxy."""
    async with proxied(kafka) as made:
        yield made


@pytest.fixture
async def read(request: pytest.FixtureRequest) -> AsyncIterator[Callable[..., Any]]:
    """Starts readings of a place, and stops them in the end."""
    made: list[Reading] = []

    async def reading(of: Place, start: str = "earliest", ledger: Ledger | None = None, **settings: Any) -> Reading:
        spec = Kafka(of.topic, start)  # type: ignore[arg-type]
        made.append(Reading(of.source(spec, **settings), ledger or Ledger(of.label)))
        of.known = of.known or made[-1].ledger.lanes
        return await made[-1].start()

    yield reading
    for each in made:
        await each.stop()


Read = Callable[..., Any]


def bodies(batch: Batch) -> list[bytes | None]:
    return [event.payload.body for event in batch.events if isinstance(event.payload, Record)]


class TestKafka(ReachConformance):
    @pytest.fixture
    async def harness(self, kafka: Doors) -> AsyncIterator[Place]:
        async with proxied(kafka) as made:
            yield made

    @pytest.fixture
    async def ledger(self, harness: Place) -> Ledger:
        """Which answers when it is asked for a lane."""
        ledger = Ledger(harness.label)
        harness.known = ledger.lanes
        return ledger


class TestWhereReadingBegins:
    async def test_the_ledger_wins_over_the_group(self, topic: Place, read: Read) -> None:
        await topic.produce(6)
        first = await read(topic)
        await first.take(6)
        await first.stop()
        assert await topic.committed() == {0: 6}
        ledger = Ledger(topic.label)
        ledger.lanes[Lane(f"{topic.topic}/0")] = LaneStart(2)
        second = await read(topic, ledger=ledger)
        await second.take(4)
        assert ledger.labels == ["n2", "n3", "n4", "n5"]

    async def test_a_lane_that_was_not_told_is_asked_for(self, topic: Place, read: Read) -> None:
        await topic.produce(4)
        lane = Lane(f"{topic.topic}/0")
        topic.known[lane] = LaneStart(3)
        reading = await read(topic)
        batch = await reading.batch()
        assert (batch.first, batch.until, batch.first_time) == (3, 4, False)
        assert topic.asked == [lane]

    async def test_latest_is_written_down_at_once_so_that_a_restart_does_not_move_it(
        self, topic: Place, read: Read
    ) -> None:
        await topic.produce(3)
        first = await read(topic, "latest")
        begin = await first.batch()
        assert (begin.first, begin.until, begin.events, begin.first_time) == (3, 3, [], True)
        first.ledger.take(begin)
        await first.stop()
        missed = await topic.produce(2)
        second = await read(topic, "latest", ledger=first.ledger)
        await second.take(2)
        assert second.ledger.labels == missed

    async def test_a_partition_that_is_added_is_read_from_its_beginning(self, topic: Place, read: Read) -> None:
        reading = await read(topic, "latest")
        begin = await reading.batch()
        reading.ledger.take(begin)
        await reading.source.done(begin)
        await topic.grow(2)
        await topic.send(b"in the new one", partition=1)
        await reading.take(1)
        assert reading.ledger.labels == ["in the new one"]

    async def test_the_group_is_told_what_is_durable_and_no_more(self, topic: Place, read: Read) -> None:
        await topic.produce(2)
        reading = await read(topic)
        await reading.take(2)
        await topic.produce(3)
        await reading.take(5, durable=False)
        await reading.stop()
        assert await topic.committed() == {0: 2}


class TestHoles:
    async def test_retention_that_passed_stops_the_lane_and_says_the_range(self, topic: Place, read: Read) -> None:
        await topic.produce(5)
        await topic.drop_before(4)
        ledger = Ledger(topic.label)
        ledger.lanes[Lane(f"{topic.topic}/0")] = LaneStart(1)
        reading = await read(topic, ledger=ledger)
        await reading.until(lambda: reading.source.health().condition is Condition.BROKEN, "broken")
        assert f"{topic.topic}/0: the records [1, 4), 3 in all, were deleted" in reading.source.health().error
        assert ledger.labels == []

    async def test_retention_that_passed_is_a_hole_in_the_ledger_where_that_is_the_policy(
        self, topic: Place, read: Read
    ) -> None:
        await topic.produce(5)
        await topic.drop_before(4)
        ledger = Ledger(topic.label)
        ledger.lanes[Lane(f"{topic.topic}/0")] = LaneStart(1)
        reading = await read(topic, ledger=ledger, out_of_range="skip")
        hole, rest = await reading.batch(), await reading.batch()
        assert (hole.first, hole.until, hole.events) == (1, 4, [])
        assert (rest.first, rest.until, bodies(rest)) == (4, 5, [b"n4"])

    async def test_a_ledger_that_is_ahead_of_the_topic_stops_the_lane_whatever_the_policy(
        self, topic: Place, read: Read
    ) -> None:
        await topic.produce(2)
        ledger = Ledger(topic.label)
        ledger.lanes[Lane(f"{topic.topic}/0")] = LaneStart(50)
        reading = await read(topic, ledger=ledger, out_of_range="skip")
        await reading.until(lambda: reading.source.health().condition is Condition.BROKEN, "broken")
        assert "the ledger stands at 50, but the partition ends at 2" in reading.source.health().error

    async def test_transactions_leave_holes_and_no_aborted_event(self, topic: Place, read: Read) -> None:
        async with AIOKafkaProducer(bootstrap_servers=topic.bootstrap, transactional_id=f"x-{uuid4().hex}") as out:
            for body, commit in ((b"kept", True), (b"aborted", False), (b"kept too", True)):
                await out.begin_transaction()
                await out.send_and_wait(topic.topic, body)
                await (out.commit_transaction() if commit else out.abort_transaction())
        reading = await read(topic)
        await reading.until(
            lambda: reading.ledger.lanes.get(Lane(f"{topic.topic}/0")) == LaneStart(6), "all six positions"
        )
        assert reading.ledger.labels == ["kept", "kept too"]


class TestRecords:
    async def test_carries_key_headers_time_and_trace(self, topic: Place, read: Read) -> None:
        await topic.send(b"{}", key=b"k", headers={"a": b"1", "traceparent": TRACE.encode()})
        await topic.send(None, key=b"k", headers={"ce_traceparent": TRACE.encode()})
        reading = await read(topic)
        events = [event for batch in await reading.take(2) for event in batch.events]
        first, second = (event.payload for event in events)
        assert isinstance(first, Record)
        assert isinstance(second, Record)
        assert (first.key, first.body, first.header("a"), first.partition, first.offset) == (b"k", b"{}", "1", 0, 0)
        assert first.timestamp % 1000 == 0
        assert first.timestamp > 1_700_000_000_000_000
        assert second.body is None
        assert [event.traceparent for event in events] == [TRACE, TRACE]

    async def test_a_record_above_the_limit_comes_with_size_and_digest_and_without_its_body(
        self, kafka: Doors, read: Read
    ) -> None:
        async with place(kafka.bootstrap, max_message_bytes="20000000") as topic:
            big = b"x" * 10_000_000
            for body in (b"before", big, b"after"):
                await topic.send(body)
            reading = await read(topic)
            before, event, after = (e for batch in await reading.take(3) for e in batch.events)
            assert event.payload.body is None
            assert "10000000 bytes and 5000000 are allowed" in event.error
            assert hashlib.sha256(big).hexdigest() in event.error
            assert (before.payload.body, before.error, after.payload.body, after.error) == (
                b"before",
                None,
                b"after",
                None,
            )

    @pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
    async def test_reads_every_compression(self, topic: Place, read: Read, compression: str) -> None:
        async with AIOKafkaProducer(bootstrap_servers=topic.bootstrap, compression_type=compression) as out:
            await asyncio.gather(*[await out.send(topic.topic, b"c" * 200) for _ in range(50)])
        reading = await read(topic)
        await reading.take(50)
        assert reading.ledger.labels == ["c" * 200] * 50

    async def test_a_damaged_batch_stops_its_lane_alone_and_is_read_once_it_is_whole(
        self, kafka: Doors, read: Read
    ) -> None:
        async with proxied(kafka, partitions=2) as topic:
            for body in (b"good", b"DAMAGED", b"behind"):
                await topic.send(body, partition=0)
            assert topic.proxy is not None
            topic.proxy.damage = (b"DAMAGED", b"damaged")
            await topic.send(b"elsewhere", partition=1)
            reading = await read(topic)
            await reading.until(lambda: reading.source.health().condition is Condition.BROKEN, "broken")
            assert f"{topic.topic}/0: the records from offset 1 on cannot be read" in reading.source.health().error
            await reading.take(2)
            assert sorted(reading.ledger.labels) == ["elsewhere", "good"]
            topic.proxy.damage = None
            await reading.take(4)
            assert reading.ledger.labels[2:] == ["DAMAGED", "behind"]
            await reading.until(lambda: reading.source.health().condition is Condition.CONNECTED, "connected")


class TestTheGroup:
    async def test_two_nodes_share_the_partitions_and_each_event_has_one_reader(self, kafka: Doors, read: Read) -> None:
        async with place(kafka.bootstrap, partitions=4) as topic:
            ledger = Ledger(topic.label)
            topic.known = ledger.lanes
            one, two = (
                await read(topic, ledger=ledger, client_id="one"),
                await read(topic, ledger=ledger, client_id="two"),
            )
            shared = lambda: all(len(r.source.health().detail.split(",")) == 2 for r in (one, two))  # noqa: E731
            await asyncio.gather(*[r.until(shared, "two partitions each") for r in (one, two)])
            for number in range(40):
                await topic.send(str(number).encode(), partition=number % 4)
            everything = lambda: len(ledger.labels) >= 40  # noqa: E731
            await asyncio.gather(*[r.until(everything, "all of them") for r in (one, two)])
            assert sorted(ledger.labels) == sorted(str(n) for n in range(40))

    async def test_a_rebalance_waits_for_what_is_in_flight(self, kafka: Doors, read: Read) -> None:
        async with place(kafka.bootstrap, partitions=2) as topic:
            for number in range(2):
                await topic.send(b"first", partition=number)
            ledger = Ledger(topic.label)
            topic.known = ledger.lanes
            one = await read(topic, ledger=ledger, client_id="one")
            held = await one.take(2, durable=False)
            two = await read(topic, ledger=ledger, client_id="two")
            waiting = asyncio.ensure_future(two.batch())
            await asyncio.wait([waiting], timeout=1.2)  # longer than a heartbeat: the group knows of both
            assert "no partition" in two.source.health().detail
            for batch in held:
                await one.source.done(batch)
            await topic.send(b"second", partition=0)
            await topic.send(b"second", partition=1)
            await one.until(waiting.done, "the other node reads")
            assert waiting.result().first == 1

    async def test_a_node_that_was_killed_has_its_partitions_back_at_once(self, far: Place, read: Read) -> None:
        await far.produce(1)
        first = await read(far)
        await first.take(1)
        await far.break_it()  # as kill -9 does: the group is not told
        far.servers = far.bootstrap
        await far.produce(1)
        second = await read(far, ledger=first.ledger)
        async with asyncio.timeout(3):
            await second.take(2)


class TestTrouble:
    async def test_a_topic_that_is_not_there_is_named_and_read_once_it_is(self, topic: Place, read: Read) -> None:
        wanted = topic.topic + "x"
        reading = await read(Place(topic.bootstrap, wanted, topic.producer))
        await reading.until(lambda: reading.source.health().condition is Condition.BROKEN, "broken")
        assert f"The topic '{wanted}' does not exist" in reading.source.health().error
        assert f"Did you mean '{topic.topic}'?" in reading.source.health().error
        await topic.producer.send_and_wait(wanted, b"now")
        await reading.take(1)
        assert reading.ledger.labels == ["now"]

    async def test_a_topic_that_is_deleted_is_named(self, topic: Place, read: Read) -> None:
        await topic.produce(1)
        reading = await read(topic)
        await reading.take(1)
        await topic.delete()
        await reading.until(lambda: reading.source.health().condition is Condition.BROKEN, "broken")
        # Where brokers create topics by themselves, asking for it made it anew; its offsets are then not those of the
        # ledger.
        assert re.search("no longer exists|was deleted and made again", reading.source.health().error)

    async def test_nobody_answers(self, read: Read) -> None:
        reading = await read(Place("127.0.0.1:1", "nowhere", None))
        await reading.until(lambda: bool(reading.source.health().error), "the reason")
        assert reading.source.health().condition is Condition.CONNECTING
        assert "No broker answers there. Check that one runs" in reading.source.health().error

    async def test_a_consumer_that_does_not_ask_holds_a_bounded_amount(self, kafka: Doors, read: Read) -> None:
        async with proxied(kafka, partitions=2) as topic:
            for _ in range(30):
                await asyncio.gather(*[topic.send(b"x" * 500_000, partition=n) for n in (0, 1)])
            reading = await read(topic)
            reading.ledger.take(await reading.batch())
            assert topic.proxy is not None
            before = -1
            while before < topic.proxy.came_back:  # until nothing more comes
                before = topic.proxy.came_back
                await asyncio.wait([asyncio.ensure_future(asyncio.sleep(0.3))])
            assert before < 8_000_000, "of 30 MB"
            await reading.take(60)


@pytest.mark.slow
async def test_a_broker_that_is_killed_and_comes_back_loses_nothing(own_kafka: KafkaBroker, read: Read) -> None:
    await own_kafka.start()
    async with place(own_kafka.bootstrap) as topic:
        expected = await topic.produce(3)
        reading = await read(topic)
        await reading.take(3)
        await own_kafka.kill()
        await reading.until(lambda: reading.source.health().condition is Condition.CONNECTING, "trouble is shown")
        await own_kafka.start()
        expected += await topic.produce(3)
        await reading.take(6)
        assert reading.ledger.labels == expected


class TestProducer:
    async def test_a_publication_is_there_when_it_returns(self, topic: Place, read: Read) -> None:
        async with Producer(KafkaSettings(servers=topic.bootstrap)) as out:
            assert (await out.publish(topic.topic, b"1", key=b"k", traceparent=TRACE)).offset == 0
            assert (await out.publish(topic.topic, None, key=b"k", headers={"h": b"v"})).offset == 1
        reading = await read(topic)
        events = [event for batch in await reading.take(2) for event in batch.events]
        assert [event.traceparent for event in events] == [TRACE, None]


__all__ = ["admin"]
