"""A real Kafka for the rows that need one, a topic filled beforehand, and the producer as a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka import AIOKafkaProducer

from tests.services import kafka as kafkas
from tests.services.kafka import Kafka, KafkaBroker

TOPIC = "bench"


@asynccontextmanager
async def broker(root: Path) -> AsyncIterator[Kafka]:
    """With the topic, empty, of one partition; the broker that REACTOR_TEST_KAFKA names, or one of our own.

    Raises Unavailable where it cannot be had.
    """
    there = kafkas.external()
    if there is not None:
        await _fresh(there)
        yield there
        return
    (root / "broker").mkdir(parents=True)
    own = KafkaBroker(root / "broker")
    await own.start()
    try:
        await own.create_topic(TOPIC)
        yield own
    finally:
        await own.kill()


async def _fresh(kafka: Kafka) -> None:
    await kafka.delete_topic(TOPIC)
    await kafka.create_topic(TOPIC)


async def fill(kafka: Kafka, bodies: Sequence[bytes]) -> None:
    """All of them, on the broker when it returns."""
    out = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=5, max_batch_size=256 * 1024)
    await out.start()
    for body in bodies:
        await out.send(TOPIC, body)
    await out.stop()


async def produce(kafka: Kafka, rate: int, seconds: int, kind: str = "single") -> None:
    """See `tests.bench.producer`."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.producer", kafka.bootstrap, TOPIC, str(rate), str(seconds), kind
    )
    if await child.wait():
        raise RuntimeError("the producer failed; see above")
