"""The world around a simulated service: producers, a broker, a client, tasks, and a history of what could be seen from outside.

A world lives several lives. Each but the last is ended by a kill at some step of the loop; the disk, the broker, the client and the
attempts that were under way (zombies) live on. The last life goes on until all is quiet. Then `tests.simulation.checker` reads the history.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import random
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from reactor import Asset, CloudEvent, Dynamic, Http, Kafka, Ready, Record, Retry, Run, Workflow, sensor
from reactor.core.build import build
from reactor.core.graph import Graph
from reactor.model.commands import Alert
from reactor.model.events import RawEvent
from reactor.model.ids import AssetName, Instant, Lane, PartitionKey, RunId, SourceName
from reactor.model.job import Job
from reactor.model.outcome import Ending, Outcome
from reactor.model.source import SourceSpec
from reactor.model.workflow import Limit, Task
from reactor.service.engine import Engine
from reactor.service.service import Parts, Service
from reactor.sources.base import Batch, Condition, Health, LaneStart, Source
from reactor.store.base import Reader, Transaction
from tests.simulation.disk import DiskWriter, Platter
from tests.simulation.loop import Crash, SimLoop

START = 1_770_000_000_000_000
"""Microseconds since 1970: when the world begins."""
POISON = "poison"
BOUND = 4 * 20 + 40
"""Records of one source that may be in the service's hands at once: four batches of at most twenty, and one that is being read."""


def definitions() -> Graph:
    """Two inputs from two sources, joined by order; a chain behind the join; and a task under a limit beside it."""
    order = Dynamic("order")
    paid, packed, shipped = (Asset(n, order, owner="shop@example.com") for n in ("paid", "packed", "shipped"))

    @sensor(Kafka("paid"))
    def on_paid(record: Record) -> Ready:
        if record.value == POISON:
            raise RuntimeError("this record is poison")
        return paid.ready(record.value["order"], n=record.value["n"])

    @sensor(Http("packed"))
    async def on_packed(event: CloudEvent) -> Ready:
        return packed.ready(event.data["order"], n=event.data["n"])

    flow = Workflow("shop", owner="shop@example.com", retry=Retry(attempts=50, first="20ms", most="200ms"))

    @flow.task(inputs=paid & packed, outputs=shipped)
    async def ship(run: Run) -> None: ...

    @flow.task(inputs=shipped)
    async def tell(run: Run) -> None: ...

    @flow.task(inputs=paid, limit=Limit(2))
    async def book(run: Run) -> None: ...

    return build([paid, packed, shipped], [on_paid, on_packed], [flow])


@dataclass
class Emit:
    """Something that a producer wrote: `order` is None for poison."""

    source: str
    position: int
    id: str
    order: str | None


@dataclass
class Began:
    """A task's code began: what could be read on the disk at that moment goes with it."""

    run: str
    task: str
    key: str
    generation: int
    token: int
    inputs: Mapping[str, int]
    durable: bool
    ready: bool
    alone: bool
    """No other run of this task had begun for the same partition."""
    at: float


@dataclass
class History:
    """What could be seen from outside, in order."""

    emits: list[Emit] = field(default_factory=list)
    began: list[Began] = field(default_factory=list)
    accepted: list[tuple[str, int]] = field(default_factory=list)
    """(run, token) of the outcomes that the ledger took."""
    acked: dict[str, int] = field(default_factory=dict)
    acked_ids: set[str] = field(default_factory=set)
    ahead: list[str] = field(default_factory=list)
    """Acknowledgements that came before their effect was on the disk."""
    most_held: int = 0
    stuck: str = ""
    stopped: list[str] = field(default_factory=list)
    """Lives that ended by an error of their own."""
    crashes: int = 0
    steps: int = 0


class World:
    """See the file's head. `mutate` plants a defect, to show that the checker finds it."""

    def __init__(
        self, seed: int, mutate: Callable[[Service, World], None] | None = None, writer: type[DiskWriter] = DiskWriter
    ) -> None:
        self.rng = random.Random(seed)
        self.seed = seed
        self.platter = Platter()
        self.history = History()
        self.graph = definitions()
        self.topic: list[bytes] = []
        self.posts: dict[str, bytes] = {}
        self.zombies: list[tuple[float, Outcome]] = []
        self._mutate, self._writer = mutate, writer
        self._now = 0.0
        self._ids = itertools.count(1)
        self._graveyard: list[object] = []
        """Dead lives are kept: if they were collected, their `finally` blocks would run, which no kill lets them do."""

    def live(self) -> History:
        lives = self.rng.randint(3, 7)
        for _ in range(lives - 1):
            self._life(self.rng.randint(5, 900))
        self._life(None)
        return self.history

    def _life(self, budget: int | None) -> None:
        loop = SimLoop(self.rng, self._now, budget)
        asyncio.set_event_loop(loop)
        life = Life(self, loop, last=budget is None)
        logging.disable(logging.CRITICAL)
        try:
            loop.run_until_complete(life.main())
        except Crash:
            self.history.crashes += 1
        except Exception as error:  # noqa: BLE001 - whatever ends an engine is a finding
            self.history.stopped.append(f"the engine stopped by itself: {type(error).__name__}: {error}")
        finally:
            logging.disable(logging.NOTSET)
            asyncio.set_event_loop(None)
        self.history.steps += loop.steps
        self._now = loop.time() + self.rng.random()
        self.zombies = [(at, o) for at, o in self.zombies if at > self._now]
        self._graveyard.append((life, loop))

    def bury(self) -> None:
        """After the check. The `finally` blocks of the dead run now, into the void."""
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        logging.disable(logging.CRITICAL)
        try:
            self._graveyard.clear()
            gc.collect()
        finally:
            sys.unraisablehook = hook
            logging.disable(logging.NOTSET)


class Life:
    """One process."""

    traces = True

    def __init__(self, world: World, loop: SimLoop, last: bool) -> None:
        self.world, self.loop, self.last = world, loop, last
        self.writer = world._writer(world.platter, world.rng)

    # the ports

    def now(self) -> Instant:
        return Instant(START + round(self.loop.time() * 1e6))

    async def sleep(self, length: int) -> None:
        await asyncio.sleep(length / 1e6)

    async def sleep_until(self, at: Instant) -> None:
        while (left := at - self.now()) > 0:
            await asyncio.sleep((left + 1) / 1e6)

    def run(self, now: Instant) -> RunId:
        return RunId(f"r{next(self.world._ids):06d}")

    def trace(self) -> str:
        return f"{next(self.world._ids):032x}"

    def span(self) -> str:
        return f"{next(self.world._ids):016x}"

    def chance(self) -> float:
        return self.world.rng.random()

    # the life

    async def main(self) -> None:
        def make(specs: Sequence[SourceSpec]) -> dict[SourceName, Source]:
            return {s.name: Topic(self) if s.name == Topic.name else Posts(self) for s in specs}

        parts = Parts(
            graph=self.world.graph,
            writer=self.writer,
            clock=self,
            ids=self,
            executors={"inline": Tasks(self)},
            make_sources=make,
            telemetry=Silent(),
            tell=lambda alert: None,
            reader=_no_reader,
        )
        self.service = Service(parts)
        if self.world._mutate is not None:
            self.world._mutate(self.service, self.world)
        await self.service.open()
        self._return_zombies()
        producers = [asyncio.create_task(self._produce())]
        failed = asyncio.create_task(self.service.wait())
        await asyncio.gather(*producers)
        if not self.last:
            await failed
        deadline = self.loop.time() + 30
        while (left := self.unfinished()) and not failed.done():
            if self.loop.time() > deadline:
                self.world.history.stuck = left
                return
            await asyncio.sleep(0.05)
        if failed.done():
            self.world.history.stuck = f"the engine stopped: {failed.exception()}"
            return
        failed.cancel()
        await self.service.close(0.1)

    def _return_zombies(self) -> None:
        """Attempts of earlier lives that go on, and answer late."""
        for at, outcome in self.world.zombies:
            self.loop.call_at(at, self._zombie, outcome)

    def _zombie(self, outcome: Outcome) -> None:
        self.service.engine.ask([outcome])

    async def _produce(self) -> None:
        rng = self.world.rng
        for _ in range(rng.randint(4, 14)):
            await asyncio.sleep(rng.random() * 0.05)
            for _ in range(rng.choice([1, 1, 2, 8])):
                self._emit(rng.random() < 0.5, rng.random() < 0.04, f"o{rng.randint(1, 12)}")
        if rng.random() < 0.1:
            for _ in range(300):
                self._emit(True, False, f"o{rng.randint(1, 12)}")
        if self.last:
            for n in range(1, 13):  # at the end every order has both
                self._emit(True, False, f"o{n}")
                self._emit(False, False, f"o{n}")

    def _emit(self, to_topic: bool, poison: bool, order: str) -> None:
        world = self.world
        number = next(world._ids)
        if to_topic:
            body = msgspec.json.encode(POISON if poison else {"order": order, "n": number})
            world.history.emits.append(Emit("kafka:paid", len(world.topic), "", None if poison else order))
            world.topic.append(body)
        else:
            id = f"e{number}"
            world.posts[id] = msgspec.json.encode({"order": order, "n": number})
            world.history.emits.append(Emit("http:packed", -1, id, order))

    def unfinished(self) -> str:
        world = self.world
        if world.history.acked.get("kafka:paid", 0) < len(world.topic):
            return f"the topic stands at {world.history.acked.get('kafka:paid', 0)} of {len(world.topic)}"
        waiting = [i for i in world.posts if i not in world.history.acked_ids]
        if waiting:
            return f"posts were not answered: {waiting[:3]}"
        still = [r for r in world.platter.runs.values() if r.state in ("queued", "running", "retrying")]
        return f"{len(still)} runs are open, such as {still[0].task} {still[0].key} {still[0].state}" if still else ""


class Topic:
    """A broker's topic with one partition; now and then it hands over again what it handed over before."""

    name = SourceName("kafka:paid")

    def __init__(self, life: Life) -> None:
        self._life, self._stopped, self._held = life, False, 0

    async def start(self, lanes: Mapping[Lane, LaneStart]) -> None:
        at = lanes.get(Lane("paid/0"))
        self._next = at.position if at is not None else 0
        self._new = at is None

    async def batches(self) -> AsyncIterator[Batch]:
        world, rng = self._life.world, self._life.world.rng
        while not self._stopped:
            if self._next and rng.random() < 0.05:
                self._next = max(0, self._next - rng.randint(1, 5))
            until = min(len(world.topic), self._next + rng.randint(1, 20))
            if until <= self._next:
                await asyncio.sleep(0.01)
                continue
            events = [
                RawEvent(Record("paid", 0, n, Instant(0), None, world.topic[n]), n) for n in range(self._next, until)
            ]
            self._held += len(events)
            world.history.most_held = max(world.history.most_held, self._held)
            yield Batch(self.name, Lane("paid/0"), self._next, until, events)
            self._next = until

    async def done(self, batch: Batch) -> None:
        history, platter = self._life.world.history, self._life.world.platter
        self._held = max(0, self._held - len(batch.events))
        at = platter.lanes.get((self.name, Lane("paid/0")))
        if at is None or at.position < batch.until:
            history.ahead.append(f"topic acknowledged up to {batch.until}, the disk stands at {at}")
        history.acked["kafka:paid"] = max(history.acked.get("kafka:paid", 0), batch.until)

    async def stop(self) -> None:
        self._stopped = True

    def health(self) -> Health:
        return Health(Condition.CONNECTED, Instant(0))


class Posts:
    """A client that posts each event until it is answered, so after a crash it posts again."""

    name = SourceName("http:packed")

    def __init__(self, life: Life) -> None:
        self._life, self._stopped = life, False
        self._sent: set[str] = set()

    async def start(self, lanes: Mapping[Lane, LaneStart]) -> None:
        at = lanes.get(Lane("packed"))
        self._position = at.position if at is not None else 0

    async def batches(self) -> AsyncIterator[Batch]:
        world, rng = self._life.world, self._life.world.rng
        while not self._stopped:
            await asyncio.sleep(0.005)
            waiting = [
                i
                for i in world.posts
                if i not in world.history.acked_ids and (i not in self._sent or rng.random() < 0.1)
            ]
            events = []
            for n, id in enumerate(waiting[: rng.randint(1, 10)]):
                self._sent.add(id)
                payload = CloudEvent(id, "/packer", "packed", data=msgspec.json.decode(world.posts[id]))
                events.append(RawEvent(payload, self._position + n, id))
            if events:
                first, self._position = self._position, self._position + len(events)
                yield Batch(self.name, Lane("packed"), first, self._position, events, keep=True)

    async def done(self, batch: Batch) -> None:
        history, platter = self._life.world.history, self._life.world.platter
        for event in batch.events:
            if (self.name, event.id) not in platter.seen:
                history.ahead.append(f"post {event.id} was answered before it was on the disk")
            history.acked_ids.add(event.id)

    async def stop(self) -> None:
        self._stopped = True

    def health(self) -> Health:
        return Health(Condition.CONNECTED, Instant(0))


class Tasks:
    """Runs attempts: each takes a while, some fail, some outlive the process that began them."""

    name = "inline"

    def __init__(self, life: Life) -> None:
        self._life = life

    async def start(self) -> None:
        return

    def submit(self, job: Job, task: Task, report: Callable[[Outcome], None]) -> None:
        world, loop = self._life.world, self._life.loop
        run = world.platter.runs.get(job.run)
        slots = world.platter.slots
        here = {v.asset: v.version for v in job.inputs}
        ready = all(
            (s := slots.get((AssetName(v.asset), PartitionKey(v.partition)))) is not None and s.version >= v.version
            for v in job.inputs
        )
        wanted = {t.asset for t in world.graph.nodes[task.name].plan.terms}
        world.history.began.append(
            Began(
                job.run,
                job.task,
                job.key,
                run.generation if run else -1,
                job.token,
                here,
                durable=run is not None and run.token == job.token and run.state == "running",
                ready=ready and wanted <= set(here),
                alone=not any(
                    r.id != job.run and (r.task, r.key) == (job.task, job.key) and r.state in ("running", "retrying")
                    for r in world.platter.runs.values()
                ),
                at=loop.time(),
            )
        )
        fails = world.rng.random() < 0.2
        outcome = Outcome(
            job.run,
            job.token,
            Ending.FAILED if fails else Ending.SUCCEEDED,
            self._life.now(),
            f"token {job.token}",
            error="RuntimeError: bad luck" if fails else None,
            outputs={} if fails else {AssetName(o): b"{}" for o in job.outputs},
        )
        length = world.rng.random() * world.rng.choice([0.001, 0.05, 0.05, 0.8])
        world.zombies.append((loop.time() + length, outcome))
        loop.call_later(length, report, outcome)

    def cancel(self, run: RunId, token: int) -> None:
        return

    async def stop(self, grace: float) -> None:
        return


async def _no_reader() -> Reader:
    raise AssertionError("no gate stands in this world, and nobody is told")


class Silent:
    """Nobody watches."""

    traces = False

    def flagged(self, context: str, incoming: str | None) -> str:
        return context

    def sensed(self, found: Sequence[object]) -> None: ...
    def counted(self, counts: Sequence[object]) -> None: ...
    def announced(self, made: Sequence[object]) -> None: ...
    def noted(self, ended: Sequence[object]) -> None: ...
    async def close(self, timeout: float) -> None: ...


__all__ = ["Alert", "Engine", "Transaction", "World"]
