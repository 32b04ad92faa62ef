"""Rows: how long from sending to a task's first line. The service, the broker and whoever sends are processes of their own, on one machine and
its one monotonic clock; the first line is the task's own, and notes the time itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import httpx

from tests.bench.broker import TOPIC, broker, produce
from tests.bench.definitions import CHAIN, FAN, POSTED, SINGLE, STAMPED_JOIN
from tests.bench.measure import Figures, Measure, Size, Spent, spread
from tests.bench.place import Mark, Place, running
from tests.bench.throughput import NOTHING_ELSE
from tests.services.kafka import Kafka

WARM_UP = 2
"""Seconds at the same rate that are sent first and not counted: the group is joined, and caches are filled."""


def from_kafka(rate: int) -> Measure:
    """One run for each record, at this rate."""
    return partial(paced, rate)


async def paced(rate: int, root: Path, size: Size, environ: Mapping[str, str] = NOTHING_ELSE) -> Figures:
    """What is sent after the warm-up is counted. `behind ms`: from the last record to the last first line; much of it says that the rate is too
    high for the machine, and then the spread says how long the run was and nothing else."""
    seconds = size.of(10, 1)
    async with broker(root) as kafka, running(root, SINGLE, kafka=kafka.bootstrap, environ=environ) as place:
        await _warm(kafka, place, rate)
        before = time.monotonic_ns()
        spent = Spent(place.pid)
        await produce(kafka, rate, seconds)
        marks = await place.marked(rate * (seconds + WARM_UP), 30)
        beside = spent.end().each(rate * seconds, "run")
        del beside["us, each run"]  # the producer's pace, not ours
        return {**_kafka_figures(marks, before, rate * seconds), **beside}


async def _warm(kafka: Kafka, place: Place, rate: int) -> None:
    await produce(kafka, rate, WARM_UP)
    if len(await place.marked(rate * WARM_UP, 60)) < rate * WARM_UP:
        raise RuntimeError(f"the warm-up did not come through {TOPIC!r}:\n" + (place.root / "log").read_text()[-2000:])


def _kafka_figures(marks: list[Mark], before: int, sent: int) -> Figures:
    counted = [(int(at), began) for at, began in marks if int(at) >= before]
    behind = max(began for _, began in counted) - max(at for at, _ in counted)
    return {
        **spread([(began - at) / 1e6 for at, began in counted]),
        "behind ms": behind / 1e6,
        "lost": sent - len(counted),
    }


async def join(root: Path, size: Size) -> Figures:
    """Two inputs with one key, the second a second after the first, 100 pairs a second over Kafka: from the second event to the first line."""
    rate, seconds = 100, size.of(10, 3)
    async with broker(root) as kafka, running(root, STAMPED_JOIN, kafka=kafka.bootstrap) as place:
        await produce(kafka, rate, seconds, "join")
        wanted = rate * (seconds - 1)
        marks = await place.marked(wanted, 30)
        counted = [(began - int(at)) / 1e6 for at, began in marks][len(marks) // 5 :]
        return {**spread(counted), "lost": wanted - len(marks)}


async def http(root: Path, size: Size) -> Figures:
    """One POST after the other, five a second, each to the first line of the task that it starts."""
    return spread(await _posted(root, POSTED, size.of(100, 5), 0.2))


async def chain(root: Path, size: Size) -> Figures:
    """A POST starts ten tasks, each by the output of the one before; to the first line of the eleventh."""
    return spread(await _posted(root, CHAIN, size.of(40, 3), 0.1))


async def fan(root: Path, size: Size) -> Figures:
    """A POST starts a hundred tasks at once, and one that waits for the outputs of all of them; to the first line of that one."""
    return spread(await _posted(root, FAN, size.of(20, 2), 0.5))


async def _posted(root: Path, definitions: str, count: int, pause: float) -> list[float]:
    """Milliseconds from each POST to the mark of its order. The first two are the warm-up."""
    sent: dict[str, int] = {}
    async with running(root, definitions) as place, httpx.AsyncClient(base_url=place.url) as client:
        for n in range(count + 2):
            sent[f"o{n}"] = time.monotonic_ns()
            answer = await client.post("/events", json={"order": f"o{n}"}, headers=place.headers(n, "posted"))
            answer.raise_for_status()
            await asyncio.sleep(pause)
        marks = await place.marked(count + 2)
    assert len(marks) == count + 2, f"{count + 2 - len(marks)} were lost"
    return [(at - sent[what]) / 1e6 for what, at in marks[2:]]
