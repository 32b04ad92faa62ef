"""The service in this process, with a topic that is read from memory: what is measured is the service, and neither a broker nor a client.

All else is as `reactor run` has it: the same loop, the same settings, SQLite at FULL, the user's file of definitions.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from reactor.model.commands import Announced, Noted
from reactor.model.events import RawEvent, Record
from reactor.model.ids import Instant, Lane, SourceName
from reactor.model.source import SourceSpec
from reactor.project.config import load_settings
from reactor.project.load import load
from reactor.service.service import MakeSources
from reactor.sources.base import Batch, Condition, Health, LaneStart, Source
from reactor.web.runner import Runner, make_service
from tests.bench.definitions import project
from tests.bench.measure import Spent

BATCH = 1_000


class Topic:
    """Records of one lane, handed over a thousand at a time, as a broker's client would; the first when `go` is set."""

    name = SourceName("kafka:bench")
    lane = Lane("bench/0")

    def __init__(self, bodies: Sequence[bytes]) -> None:
        self._bodies, self.go, self._stopped = bodies, asyncio.Event(), asyncio.Event()

    async def start(self, lanes: Mapping[Lane, LaneStart]) -> None: ...

    async def batches(self) -> AsyncIterator[Batch]:
        await self.go.wait()
        for first in range(0, len(self._bodies), BATCH):
            part = self._bodies[first : first + BATCH]
            events = [
                RawEvent(Record("bench", 0, first + n, Instant(0), None, b), first + n) for n, b in enumerate(part)
            ]
            yield Batch(self.name, self.lane, first, first + len(part), events)
        await self._stopped.wait()

    async def done(self, batch: Batch) -> None: ...

    async def stop(self) -> None:
        self.go.set()
        self._stopped.set()

    def health(self) -> Health:
        return Health(Condition.CONNECTED, Instant(0))


class Ends:
    """Counts the attempts whose end is durable."""

    def __init__(self, runner: Runner) -> None:
        self.runs = 0
        self._news = asyncio.Event()
        runner.service.listeners.append(self._heard)

    def _heard(self, announced: Sequence[Announced], noted: Sequence[Noted]) -> None:
        self.runs += len(noted)
        self._news.set()

    async def until(self, runs: int, seconds: float = 300) -> None:
        async with asyncio.timeout(seconds):
            while self.runs < runs:
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def service(root: Path, definitions: str, topic: Topic) -> AsyncIterator[Runner]:
    """The service over a project of these definitions, its topic exchanged for one in memory."""
    project(root, definitions)
    settings = load_settings(root, mode="run", flags={"port": 0}).settings
    runner = await make_service(settings, load(root, ("sensors",)))
    parts = runner.service._parts  # the one place where a bench reaches inside
    parts.make_sources = _instead(parts.make_sources, topic)
    await runner.open()
    try:
        yield runner
    finally:
        await runner.close()


def _instead(make: MakeSources, topic: Topic) -> MakeSources:
    def sources(specs: Sequence[SourceSpec]) -> dict[SourceName, Source]:
        return {**make([s for s in specs if s.name != topic.name]), topic.name: topic}

    return sources


async def spent_on(root: Path, definitions: str, bodies: Sequence[bytes], runs: int) -> Spent:
    """From the moment at which the records may be read until the last of `runs` runs has ended durably."""
    topic = Topic(bodies)
    async with service(root, definitions, topic) as runner:
        return await drained(topic, Ends(runner), runs)


async def drained(topic: Topic, ends: Ends, runs: int) -> Spent:
    spent = Spent(os.getpid())
    topic.go.set()
    await ends.until(runs)
    return spent.end()
