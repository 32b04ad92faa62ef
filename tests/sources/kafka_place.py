"""A topic on the real broker, as the tests of the Kafka source use it."""

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any  # aiokafka is not typed
from uuid import uuid4

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete

from reactor.model.events import RawEvent, Record
from reactor.model.ids import Lane, RunId
from reactor.model.source import Kafka
from reactor.sources.base import LaneStart, Source
from reactor.sources.kafka.settings import KafkaSettings
from reactor.sources.kafka.setup import Ports
from reactor.sources.kafka.source import KafkaSource
from tests.clock import MachineClock
from tests.services.wait import eventually
from tests.sources.doors import Doors
from tests.sources.proxy import Proxy


class PlainIds:
    """Ids for tests that look at none. Chance is always the same."""

    traces = False

    def __init__(self) -> None:
        self._next = itertools.count(1)

    def run(self, now: int) -> RunId:
        return RunId(f"r{next(self._next)}")

    def trace(self) -> str:
        return f"{next(self._next):032x}"

    def span(self) -> str:
        return f"{next(self._next):016x}"

    def chance(self) -> float:
        return 0.5


class Place:
    """One topic with its producer and its admin. `known` is what the ledger answers when it is asked for a lane."""

    ordered = True

    def __init__(self, bootstrap: str, topic: str, producer: Any) -> None:
        self.bootstrap = bootstrap
        self.topic = topic
        self.producer = producer
        self.servers = bootstrap
        self.proxy: Proxy | None = None
        self.settings: dict[str, Any] = {}
        self.known: dict[Lane, LaneStart] = {}
        self.asked: list[Lane] = []
        self._count = itertools.count()

    def make(self, **settings: Any) -> Source:
        return self.source(Kafka(self.topic), **settings)

    def source(self, spec: Kafka, **settings: Any) -> KafkaSource:
        # A group of its own, so that no other test's rebalance is ours.
        chosen = {"servers": self.servers, "group": f"g-{self.topic}", "discover_ms": 500} | self.settings | settings
        return KafkaSource(
            spec, KafkaSettings.model_validate(chosen), Ports(MachineClock(), PlainIds(), self.position_of)
        )

    async def position_of(self, lane: Lane) -> LaneStart | None:
        self.asked.append(lane)
        return self.known.get(lane)

    async def produce(self, count: int) -> list[str]:
        labels = [f"n{next(self._count)}" for _ in range(count)]
        for label in labels:
            await self.send(label.encode())
        return labels

    async def send(
        self,
        body: bytes | None,
        partition: int = 0,
        headers: Mapping[str, bytes] | None = None,
        key: bytes | None = None,
    ) -> int:
        sent = await self.producer.send_and_wait(
            self.topic, body, key=key, partition=partition, headers=list((headers or {}).items())
        )
        return int(sent.offset)

    def label(self, event: RawEvent) -> str:
        assert isinstance(event.payload, Record)
        return (event.payload.body or b"").decode()

    async def break_it(self) -> None:
        assert self.proxy is not None
        await self.proxy.cut()

    async def heal_it(self) -> None:
        assert self.proxy is not None
        await self.proxy.heal()

    async def committed(self) -> dict[int, int]:
        """What the group was told, by partition."""
        async with admin(self.bootstrap) as client:
            offsets = await client.list_consumer_group_offsets(f"g-{self.topic}")
        return {tp.partition: found.offset for tp, found in offsets.items() if found.offset >= 0}

    async def grow(self, partitions: int) -> None:
        async with admin(self.bootstrap) as client:
            await client.create_partitions({self.topic: NewPartitions(partitions)})
        await eventually(lambda: self._producer_sees(partitions))

    async def _producer_sees(self, partitions: int) -> bool:
        await self.producer.client.force_metadata_update()
        return len(await self.producer.partitions_for(self.topic)) == partitions

    async def delete(self) -> None:
        async with admin(self.bootstrap) as client:
            await client.delete_topics([self.topic])

    async def drop_before(self, offset: int) -> None:
        """What retention does, at once."""
        async with admin(self.bootstrap) as client:
            await client.delete_records({TopicPartition(self.topic, 0): RecordsToDelete(before_offset=offset)})


@asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[Any]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def place(bootstrap: str, partitions: int = 1, **config: str) -> AsyncIterator[Place]:
    """A new topic with a name of its own."""
    topic = f"t-{uuid4().hex[:8]}"
    async with admin(bootstrap) as client:
        await client.create_topics(
            [NewTopic(topic, partitions, 1, topic_configs={k.replace("_", "."): v for k, v in config.items()})]
        )
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=32_000_000, metadata_max_age_ms=500)
    await producer.start()
    try:
        yield Place(bootstrap, topic, producer)
    finally:
        await producer.stop()


@asynccontextmanager
async def proxied(kafka: Doors, partitions: int = 1, **config: str) -> AsyncIterator[Place]:
    """A topic whose source speaks to the broker through a proxy; its producer does not."""
    async with place(kafka.bootstrap, partitions, **config) as made:
        made.proxy = Proxy(kafka.proxy_port, kafka.behind_proxy_port)
        await made.proxy.heal()
        made.servers = f"127.0.0.1:{kafka.proxy_port}"
        try:
            yield made
        finally:
            await made.proxy.cut()
