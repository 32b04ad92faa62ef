"""A topic on the real broker: what producers write to it, and what somebody else does to a group's offsets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError

from tests.services.kafka import Kafka
from tests.services.wait import eventually


class Topic:
    """One topic with the consumer group that a project reads it with."""

    def __init__(self, kafka: Kafka, name: str) -> None:
        self.kafka, self.name, self.group = kafka, name, f"group-{uuid4().hex[:12]}"

    @staticmethod
    async def new(kafka: Kafka, partitions: int = 1, **configs: str) -> Topic:
        return Topic(kafka, await kafka.new_topic(partitions, **configs))

    @property
    def settings(self) -> str:
        """For a project's reactor.toml."""
        return f'[kafka]\nservers = "{self.kafka.bootstrap}"\ngroup = "{self.group}"\n'

    @property
    def source(self) -> str:
        return f"kafka:{self.name}"

    async def paid(self, orders: Iterable[str]) -> None:
        """One record for each order."""
        await self.send([json.dumps({"order": order}).encode() for order in orders])

    async def send(self, bodies: Sequence[bytes]) -> None:
        """Returns when all of them are on the broker."""
        async with self._producer() as producer:
            written = [await producer.send(self.name, body) for body in bodies]
            for each in written:
                await each

    async def stands_at(self) -> dict[int, int]:
        """The group's offsets, as lag tools see them."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.bootstrap)
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(self.group)
            return {tp.partition: at.offset for tp, at in found.items() if tp.topic == self.name}
        finally:
            await admin.close()

    async def reset_offsets(self, to: int) -> None:
        """As `kafka-consumer-groups --reset-offsets` does, once the group has no member: a member that went is missed for ten seconds."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.kafka.bootstrap, group_id=self.group, enable_auto_commit=False
        )
        await consumer.start()
        try:
            consumer.assign([TopicPartition(self.name, 0)])
            await eventually(lambda: self._moved(consumer, to), timeout=30, every=0.25)
        finally:
            await consumer.stop()

    async def _moved(self, consumer: AIOKafkaConsumer, to: int) -> bool:
        try:
            await consumer.commit({TopicPartition(self.name, 0): to})
        except CommitFailedError:
            return False
        return True

    @asynccontextmanager
    async def _producer(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.kafka.bootstrap, max_request_size=64 << 20, enable_idempotence=True
        )
        await producer.start()
        try:
            yield producer
        finally:
            await producer.stop()
