"""Buckets that tell what happens in them: by a queue, a topic or posts. Told or listed, an object is read once."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote_plus, urlsplit

import pytest
from aiokafka import AIOKafkaProducer

from reactor.model.errors import NotFound
from reactor.model.ids import Lane
from reactor.model.source import Bucket, Kafka, Sqs
from reactor.sources.base import Condition, LaneStart, Source
from reactor.sources.bucket import NotANotification, TopicChannel, Webhook, open_queue
from reactor.sources.bucket.hints import Channel
from reactor.sources.kafka.settings import KafkaSettings
from reactor.sources.kafka.setup import Ports
from reactor.sources.kafka.source import KafkaSource
from tests.clock import MachineClock
from tests.services.kafka import Kafka as Broker
from tests.services.process import free_ports
from tests.services.proxy import Proxy
from tests.services.s3 import S3, S3Server
from tests.services.wait import eventually
from tests.sources.bucket_place import EVERY, Landing, Reading, Recorded, Seen
from tests.sources.kafka_place import PlainIds

PATTERN = "in/{n}.csv"


def amazons(bucket: str, key: str, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    return {"Records": [{"eventName": name, "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key)}}}]}


def minios(bucket: str, key: str, name: str = "s3:ObjectCreated:Put") -> dict[str, Any]:
    return {"EventName": name, "Key": f"{bucket}/{key}", **amazons(bucket, key, name)}


@asynccontextmanager
async def reading(landing: Landing, channel: Channel, every: str = "1h") -> AsyncIterator[Reading]:
    """A source that is listed once at its start, and then (for an hour) only told."""
    made = Reading(Recorded(Bucket(landing.url(PATTERN), every=every), landing.access, Seen(), channel))
    await made.start()
    try:
        await made.until(lambda: made.source.health().condition is Condition.CONNECTED)
        yield made
    finally:
        await made.stop()


# --- a queue, told by moto's own server


class Queue:
    """A queue that the bucket tells everything."""

    def __init__(self, moto: S3Server, landing: Landing, url: str) -> None:
        self.moto, self.landing, self.url = moto, landing, url

    def channel(self) -> Channel:
        return open_queue(Sqs(self.url), self.landing.access, MachineClock())

    async def send(self, *bodies: str) -> None:
        async with self.moto.client("sqs") as sqs:
            for body in bodies:
                await sqs.send_message(QueueUrl=self.url, MessageBody=body)

    async def left(self) -> int:
        """Messages that are there, whether or not somebody is at work on them."""
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        async with self.moto.client("sqs") as sqs:
            answer = await sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=wanted)
        return sum(int(answer["Attributes"][name]) for name in wanted)

    async def empty(self) -> bool:
        return await self.left() == 0


@pytest.fixture
async def queue(moto: S3Server) -> Queue:
    landing = Landing(moto, await moto.new_bucket())
    async with moto.client("sqs") as sqs, moto.client() as s3:
        url = (await sqs.create_queue(QueueName=f"q-{landing.bucket}"))["QueueUrl"]
        arn = (await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"]))["Attributes"]["QueueArn"]
        told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}]}
        await s3.put_bucket_notification_configuration(Bucket=landing.bucket, NotificationConfiguration=told)
    return Queue(moto, landing, url)


async def test_what_a_queue_tells_is_read_at_once_and_deleted_from_it(queue: Queue) -> None:
    async with reading(queue.landing, queue.channel()) as made:
        await eventually(queue.empty, 20)  # the test event
        await queue.landing.put("in/a b+é.csv", "in/b.csv", "elsewhere/c.csv")
        await made.named("a b+é.csv", "b.csv")
        await eventually(queue.empty, 20)
        await queue.landing.delete("in/b.csv")
        await made.until(lambda: set(made.source.store.rows) == {"a b+é.csv"})
        assert made.source.listings == 1


async def test_a_message_stays_in_the_queue_until_its_object_is_durable(queue: Queue) -> None:
    source = Recorded(Bucket(queue.landing.url(PATTERN), every="1h"), queue.landing.access, Seen(), queue.channel())
    await source.start({})
    batches = source.batches()
    await eventually(queue.empty, 20)
    await queue.landing.put("in/a.csv")
    batch = await asyncio.wait_for(anext(batches), 20)
    assert len(batch.events) == 1
    assert await queue.left() == 1
    waiting = asyncio.ensure_future(anext(batches))
    await source.done(batch)
    await eventually(queue.empty, 20)
    await source.stop()
    await asyncio.wait([waiting])
    assert isinstance(waiting.exception(), StopAsyncIteration)


async def test_told_and_listed_at_the_same_time_each_content_is_read_once(queue: Queue) -> None:
    async with reading(queue.landing, queue.channel(), EVERY) as made:
        names = [f"{n}.csv" for n in range(60)]
        await queue.landing.put(*(f"in/{name}" for name in names))
        await made.named(*names)
        for name in names[:10]:
            await queue.landing.put(f"in/{name}", body=b"anew")
        await made.until(lambda: len(made.events) >= 70)
        await eventually(queue.empty, 30)
        await made.listings(2)
    told = sorted((f.name, f.version) for f in made.files)
    assert told == sorted([(name, 1) for name in names] + [(name, 2) for name in names[:10]])


async def test_a_message_that_nobody_understands_holds_nobody_up(queue: Queue) -> None:
    await queue.send("hello", '{"Records": 7}')
    async with reading(queue.landing, queue.channel()) as made:
        await queue.landing.put("in/a.csv")
        await made.named("a.csv")
        assert "2 notifications not understood" in made.source.health().detail
        assert await queue.left() >= 2


async def test_a_queue_that_is_not_there_is_told_and_the_bucket_is_listed_all_the_same(s3: S3) -> None:
    landing = Landing(s3, await s3.new_bucket())
    (port,) = free_ports(1)
    nobody = open_queue(Sqs(f"http://127.0.0.1:{port}/1/q"), landing.access, MachineClock())
    async with reading(landing, nobody, EVERY) as made:
        await landing.put("in/a.csv")
        await made.named("a.csv")
        await made.until(lambda: "No notification comes" in (made.source.health().error or ""))
        assert made.source.health().condition is Condition.CONNECTED


# --- a topic


def topic_channel(broker: str, topic: str) -> TopicChannel:
    settings = KafkaSettings(servers=broker, group=f"g-{topic}", out_of_range="skip")

    def make(position_of: Callable[[Lane], LaneStart | None]) -> Source:
        async def stands(lane: Lane) -> LaneStart | None:
            return position_of(lane)

        return KafkaSource(Kafka(topic, "latest"), settings, Ports(MachineClock(), PlainIds(), stands))

    return TopicChannel(make)


async def test_a_topic_tells_in_any_shape_twice_and_out_of_order(kafka: Broker, s3: S3) -> None:
    landing, topic = Landing(s3, await s3.new_bucket()), await kafka.new_topic()
    await landing.put("in/before.csv")
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:

        async def tell(*messages: object) -> None:
            for message in messages:
                await producer.send_and_wait(topic, json.dumps(message).encode())

        async with reading(landing, topic_channel(kafka.bootstrap, topic)) as made:
            await made.named("before.csv")
            await made.until(lambda: made.source.listings == 2)  # the second when the topic was reached
            await landing.put("in/a.csv", "in/b c.csv", "in/d.csv")
            first, second = amazons(landing.bucket, "in/a.csv"), minios(landing.bucket, "in/b c.csv")
            await tell("nonsense", {"Event": "s3:TestEvent"}, second, first, second, first)
            await tell(amazons(landing.bucket, "in/never.csv"), amazons("another", "in/d.csv"))
            await made.named("before.csv", "a.csv", "b c.csv")
            await landing.put("in/a.csv", body=b"longer")
            await tell(
                minios(landing.bucket, "in/a.csv"), minios(landing.bucket, "in/a.csv", "s3:ObjectRemoved:Delete")
            )
            await made.named("before.csv", "a.csv", "b c.csv", "a.csv")
            await landing.delete("in/before.csv")
            await tell(amazons(landing.bucket, "in/before.csv", "ObjectRemoved:Delete"))
            await made.until(lambda: "before.csv" not in made.source.store.rows)
            assert made.source.listings == 2
            assert "1 notifications not understood" in made.source.health().detail


# --- posts


async def test_a_post_is_answered_when_its_object_is_durable(s3: S3) -> None:
    landing, door = Landing(s3, await s3.new_bucket()), Webhook()
    async with reading(landing, door) as made:
        await landing.put("in/a.csv", "in/b.csv")
        body = json.dumps(
            {"Records": [r for k in ("in/a.csv", "in/b.csv") for r in amazons(landing.bucket, k)["Records"]]}
        )
        assert await door.post(body.encode()) == 2
        assert set(made.source.store.rows) == {"a.csv", "b.csv"}
        assert await door.post(body.encode()) == 2
        assert len(made.events) == 2
        assert await door.post(b'{"Event": "s3:TestEvent"}') == 0
        with pytest.raises(NotANotification):
            await door.post(b"hello")
        with pytest.raises(NotFound, match="No sensor reads s3://another"):
            await door.post(json.dumps(amazons("another", "in/a.csv")).encode())


async def test_a_look_that_fails_is_answered_by_the_next_listing(s3: S3) -> None:
    landing, door, at = Landing(s3, await s3.new_bucket()), Webhook(), urlsplit(s3.endpoint)
    async with Proxy(str(at.hostname), int(at.port or 80)) as proxy:
        landing.endpoint = f"http://{proxy.bootstrap}"
        async with reading(landing, door) as made:
            await landing.put("in/a.csv")
            await proxy.refuse()
            posting = asyncio.ensure_future(door.post(json.dumps(amazons(landing.bucket, "in/a.csv")).encode()))
            await made.until(lambda: made.source.health().condition is Condition.BROKEN)
            await proxy.accept()
            await made.named("a.csv")
            assert await posting == 1
            assert made.source.health().condition is Condition.CONNECTED


def test_what_tells_of_a_bucket_is_declared_with_it() -> None:
    spec = Bucket("s3://landing/in/{n}.csv", notify=Kafka("s3-events"))
    assert replace(spec, notify="webhook").name == spec.name
