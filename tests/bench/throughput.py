"""Rows: how much goes through in a second. From the service alone, its topic in memory, and from a real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tests.bench import memory
from tests.bench.broker import broker, fill
from tests.bench.definitions import JOIN, no_op
from tests.bench.measure import Figures, Size, Spent
from tests.bench.place import Place, running
from tests.services.kafka import Kafka

NOTHING_ELSE: Mapping[str, str] = MappingProxyType({})
TOOK = """
SELECT max(r.ended), min(s.at), (SELECT until - first FROM span ORDER BY at, first LIMIT 1) FROM (SELECT max(ended) AS ended FROM run) r,
    (SELECT min(at) AS at FROM span) s"""


def all_relevant(count: int) -> list[bytes]:
    """Pairs: the two events of an order come one after the other."""
    return [b'{"kind":"%s","order":"%d"}' % (b"packed" if n % 2 else b"paid", n // 2) for n in range(count)]


def one_in_a_hundred(count: int) -> list[bytes]:
    relevant = iter(all_relevant(count // 100 + 1))
    return [next(relevant) if n % 100 == 0 else b'{"kind":"other","order":"%d"}' % n for n in range(count)]


async def events(root: Path, size: Size) -> Figures:
    """All events relevant, one run for each two, out of memory: until the last run's end is durable."""
    count = size.of(60_000, 2_000)
    spent = await memory.spent_on(root, JOIN, all_relevant(count), count // 2)
    return {"events/s": count / spent.seconds, "runs/s": count / 2 / spent.seconds, **spent.each(count)}


async def rare(root: Path, size: Size) -> Figures:
    """One event in a hundred is relevant, out of memory."""
    count = size.of(400_000, 20_000)
    spent = await memory.spent_on(root, JOIN, one_in_a_hundred(count), count // 200)
    return {"events/s": count / spent.seconds, **spent.each(count)}


async def kafka_events(root: Path, size: Size) -> Figures:
    """The same as `events`, out of a real Kafka that was filled before `reactor run` started."""
    count = size.of(60_000, 8_000)
    return await _from_kafka(root, all_relevant(count), count // 2)


async def kafka_rare(root: Path, size: Size) -> Figures:
    """The same as `rare`, out of a real Kafka."""
    count = size.of(400_000, 20_000)
    return await _from_kafka(root, one_in_a_hundred(count), count // 200)


async def _from_kafka(root: Path, bodies: list[bytes], runs: int) -> Figures:
    async with broker(root) as kafka:
        await fill(kafka, bodies)
        return await drained(root, JOIN, kafka, len(bodies), runs)


async def drained(
    root: Path, definitions: str, kafka: Kafka, events: int, runs: int, environ: Mapping[str, str] = NOTHING_ELSE
) -> Figures:
    """`reactor run` on a topic that is full; the broker is on the same cores. From the first commit to the last run's end, by the ledger's own
    clock; what the first commit brought is not counted."""
    async with running(root, definitions, kafka=kafka.bootstrap, environ=environ) as place:
        spent = Spent(place.pid)
        done = await place.succeeded(runs)
        return {**spent.end().each(events), **_rate(place, events, done), "lost": runs - done}


def _rate(place: Place, events: int, runs: int) -> Figures:
    last, first, in_first = place.ask(TOOK)
    seconds, share = (last - first) / 1e6, (events - in_first) / events
    return {"events/s": events * share / seconds, "runs/s": runs * share / seconds}


async def runs(root: Path, size: Size) -> Figures:
    """Durable runs of a task that does nothing, on the service's loop; one for each event, out of memory."""
    count = size.of(20_000, 500)
    spent = await memory.spent_on(root, no_op("inline"), [b"{}"] * count, count)
    return {"runs/s": count / spent.seconds, **spent.each(count)}


async def runs_in_processes(root: Path, size: Size) -> Figures:
    """The same in two warm worker processes, which are started before the clock is. The CPU is the engine's alone."""
    count = size.of(10_000, 200)
    topic = memory.Topic([b"{}"] * count)
    async with memory.service(root, no_op("process"), topic) as runner:
        ends = memory.Ends(runner)
        await asyncio.sleep(2)
        spent = await memory.drained(topic, ends, count)
        return {"runs/s": count / spent.seconds, **spent.each(count)}
