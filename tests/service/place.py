"""A service whose time, sources and attempts are in the test's hands; its ledger is one in memory, and outlives it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

import msgspec

from reactor import Asset, Kafka, Record, Workflow
from reactor.alerts.base import Channel
from reactor.core.build import build
from reactor.core.graph import Graph
from reactor.executors.base import Report
from reactor.model.commands import Alert
from reactor.model.errors import StoreFull
from reactor.model.events import Payload, RawEvent
from reactor.model.gate import Gate
from reactor.model.ids import AssetName, Instant, Lane, RunId, SourceName
from reactor.model.job import Job
from reactor.model.outcome import Ending, Outcome
from reactor.model.run import Run, RunState
from reactor.model.sensor import AnySensor
from reactor.model.source import SourceSpec
from reactor.model.workflow import Task
from reactor.service.commands import Commands
from reactor.service.service import Parts, Service
from reactor.sources.base import Batch, Condition, Health, LaneStart, Source
from reactor.store.base import Found, Transaction, Wanted
from reactor.store.memory import Ledger, MemoryReader, MemoryStore, audit
from reactor.telemetry.nothing import Nothing
from reactor.testing.ids import CountedIds
from tests.clock import VirtualClock

LANE = Lane("0")
OWNER = "shop@example.com"
IDS = CountedIds()
"""One for all lives: an id is never given twice."""


class Fed:
    """A source that hands over what the test puts in, and remembers what it was told of."""

    def __init__(self, spec: SourceSpec) -> None:
        self.name: SourceName = spec.name
        self.acked: list[tuple[int, int]] = []
        self.asked = 0
        """Batches that the service took."""
        self.starts: list[Mapping[Lane, LaneStart]] = []
        self.raises: Exception | None = None
        self.hangs = False
        self._waiting: asyncio.Queue[Batch | None] = asyncio.Queue()
        self._next = 0

    def put(self, *values: object, ids: Sequence[str] = (), at: int | None = None) -> None:
        """One batch of records with these JSON values."""
        first = self._next if at is None else at
        events = [
            RawEvent(
                Record("t", 0, first + n, Instant(0), None, v if isinstance(v, bytes) else msgspec.json.encode(v)),
                first + n,
                ids[n] if ids else "",
            )
            for n, v in enumerate(values)
        ]
        self.put_batch(Batch(self.name, LANE, first, first + len(values), events))

    def put_payload(self, payload: Payload) -> None:
        self.put_batch(Batch(self.name, LANE, self._next, self._next + 1, [RawEvent(payload, self._next)]))

    def put_batch(self, batch: Batch) -> None:
        self._next = max(self._next, batch.until)
        self._waiting.put_nowait(batch)

    async def start(self, lanes: Mapping[Lane, LaneStart]) -> None:
        self.starts.append(lanes)
        self._next = max(self._next, lanes[LANE].position if LANE in lanes else 0)

    async def batches(self) -> AsyncIterator[Batch]:
        while (batch := await self._waiting.get()) is not None:
            if self.raises is not None:
                raise self.raises
            self.asked += 1
            yield batch

    async def done(self, batch: Batch) -> None:
        self.acked.append((batch.first, batch.until))

    async def stop(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        self._waiting.put_nowait(None)

    def health(self) -> Health:
        return Health(Condition.CONNECTED, Instant(0))


class Bench:
    """An executor whose attempts end when the test says so."""

    name = "inline"

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.jobs: list[Job] = []
        self.cancelled: list[tuple[RunId, int]] = []
        self._reports: dict[tuple[RunId, int], Report] = {}

    async def start(self) -> None: ...

    def submit(self, job: Job, task: Task, report: Report) -> None:
        self.jobs.append(job)
        self._reports[job.run, job.token] = report

    def cancel(self, run: RunId, token: int) -> None:
        if (run, token) in self._reports:
            self.cancelled.append((run, token))
            self.end(self._job(run, token), Ending.CANCELLED)

    async def stop(self, grace: float) -> None:
        self._reports.clear()

    @property
    def names(self) -> list[str]:
        return [f"{j.task} {j.key}".strip() for j in self.jobs]

    def _job(self, run: RunId, token: int) -> Job:
        return next(j for j in self.jobs if (j.run, j.token) == (run, token))

    def end(self, job: Job, ending: Ending = Ending.SUCCEEDED) -> None:
        """The attempt ends so; a success announces all its outputs."""
        outputs = {AssetName(a): b"{}" for a in job.outputs} if ending is Ending.SUCCEEDED else {}
        error = None if ending is Ending.SUCCEEDED else "Boom: it failed"
        report = self._reports.pop((job.run, job.token))
        report(Outcome(job.run, job.token, ending, self._clock.now(), self.name, error, outputs=outputs))


class Disk(MemoryStore):
    """A ledger in memory whose disk can be full, slow or broken."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self.full = False
        self.broken: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.load_gate = asyncio.Event()
        self.load_gate.set()
        self.commits: list[Transaction] = []

    async def load(self, wanted: Wanted) -> Found:
        await self.load_gate.wait()
        return await super().load(wanted)

    async def commit(self, transaction: Transaction) -> Mapping[str, int]:
        await self.gate.wait()
        if self.broken is not None:
            raise self.broken
        if self.full:
            raise StoreFull("The disk is full. Make room.")
        self.commits.append(transaction)
        return await super().commit(transaction)


class Place:
    """One life of a service over a ledger."""

    def __init__(
        self,
        graph: Graph,
        ledger: Ledger,
        clock: VirtualClock,
        retention: int | None = None,
        channels: Sequence[Channel] = (),
    ) -> None:
        self.ledger, self.clock = ledger, clock
        self.disk = Disk(ledger)
        self.bench = Bench(clock)
        self.alerts: list[Alert] = []
        self.points: list[str] = []
        self.sources: dict[SourceName, Fed] = {}
        parts = Parts(
            graph=graph,
            writer=self.disk,
            clock=clock,
            ids=IDS,
            executors={"inline": self.bench},
            make_sources=self._make,
            telemetry=Nothing(),
            tell=self.alerts.append,
            reader=self._reader,
            channels=channels,
            labels=self.points.append,
        )
        self.service = Service(parts, retention=retention)
        self.reader = MemoryReader(ledger)
        self.commands = Commands(self.service, self._reader, clock)

    async def _reader(self) -> MemoryReader:
        return self.reader

    def _make(self, specs: Sequence[SourceSpec]) -> Mapping[SourceName, Source]:
        self.sources = {s.name: Fed(s) for s in specs}
        return self.sources

    @property
    def fed(self) -> Fed:
        """The source that the tests' sensors read."""
        return self.sources[Kafka("t").name]

    @property
    def runs(self) -> list[Run]:
        return sorted(self.ledger.runs.values(), key=lambda r: r.order)

    @property
    def states(self) -> list[tuple[str, str, RunState]]:
        return [(r.task, r.key, r.state) for r in self.runs]

    @property
    def balance(self) -> list[str]:
        return list(audit.balance(self.ledger))

    async def idle(self) -> None:
        for _ in range(3):
            await self.clock.idle()

    async def end(self, number: int = -1, ending: Ending = Ending.SUCCEEDED) -> None:
        self.bench.end(self.bench.jobs[number], ending)
        await self.idle()

    def kill(self) -> None:
        """As `kill -9`: nothing is drained, and what it still does reaches nobody."""
        self.ledger.epoch += 1


@contextlib.asynccontextmanager
async def living(
    graph: Graph,
    ledger: Ledger | None = None,
    clock: VirtualClock | None = None,
    retention: int | None = None,
    channels: Sequence[Channel] = (),
) -> AsyncIterator[Place]:
    place = Place(graph, ledger if ledger is not None else Ledger(), clock or VirtualClock(), retention, channels)
    await place.service.open()
    await place.idle()
    try:
        yield place
    finally:
        place.disk.gate.set()
        place.disk.load_gate.set()
        await place.service.close(0)


def project(flow: Workflow, *sensors: AnySensor, assets: Iterable[Asset] = (), gates: Iterable[Gate] = ()) -> Graph:
    return build(assets, sensors, [flow], gates=gates)
