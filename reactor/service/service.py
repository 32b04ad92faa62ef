"""The service: one process with everything in it, from its start to its end."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec.structs import replace

from reactor.alerts.base import Channel
from reactor.core.admit import REMEMBERED
from reactor.core.graph import Graph
from reactor.executors.base import Executor
from reactor.model.commands import Alert, Announced, CancelAttempt, Noted, SetTimer, StartAttempt
from reactor.model.errors import StoreBusy, StoreFull
from reactor.model.ids import Instant, SourceName
from reactor.model.outcome import Outcome, RuleChanged, StepEvent
from reactor.model.ports import Clock, Ids, Redact
from reactor.model.run import Run
from reactor.model.source import SourceSpec
from reactor.service.call import bind
from reactor.service.dispatch import Dispatch
from reactor.service.engine import Engine
from reactor.service.gates import Gatekeeper
from reactor.service.intake import Intake
from reactor.service.judge import SourceJudge
from reactor.service.outbox import Outbox
from reactor.service.redaction import clear_outcome
from reactor.service.ticks import hidden_sensors
from reactor.service.timers import JUDGED, Timers
from reactor.service.work import Labels, nothing
from reactor.sources.base import Condition, Health, Source
from reactor.store.base import Reader, Transaction, Wanted, Writer
from reactor.telemetry.base import Counted, Telemetry

log = logging.getLogger(__name__)

PLANS = "plan of "
"""The ledger's note of the rule that each task's waits were collected under begins with this."""
MIGRATED_AT_ONCE = 500
RETENTION_STEP = 2_000
RETENTION_PAUSE = 60_000_000
RETENTION_BREATH = 50_000
"""Microseconds between two steps, for those who have events to write."""
STOP_AT_MOST = 15
"""Seconds that sources have to stop, before they are left."""

MakeSources = Callable[[Sequence[SourceSpec]], Mapping[SourceName, Source]]
"""One source for each spec, new at each call."""
TellAlert = Callable[[Alert], None]
ForgetLogs = Callable[[Instant], int]


def _no_logs(_: Instant) -> int:
    """Where attempts keep no logs."""
    return 0


class Parts:
    """What a service is made of: concrete parts that `wiring` chose."""

    def __init__(
        self,
        *,
        graph: Graph,
        writer: Writer,
        clock: Clock,
        ids: Ids,
        executors: Mapping[str, Executor],
        make_sources: MakeSources,
        telemetry: Telemetry,
        tell: TellAlert,
        reader: Callable[[], Awaitable[Reader]],
        channels: Sequence[Channel] = (),
        forget_logs: ForgetLogs = _no_logs,
        labels: Labels = nothing,
        redact: Redact = str,
    ) -> None:
        self.forget_logs, self.reader, self.channels, self.redact = forget_logs, reader, channels, redact
        self.graph, self.writer, self.clock, self.ids = graph, writer, clock, ids
        self.executors, self.make_sources, self.telemetry, self.tell, self.labels = (
            executors,
            make_sources,
            telemetry,
            tell,
            labels,
        )


class Service:
    """Starts, works, drains, stops. The engine's failure is the service's: it ends with the reason and a restart goes on from the ledger."""

    def __init__(self, parts: Parts, *, retention: int | None = None) -> None:
        self._parts = parts
        self._retention = retention
        self.engine = Engine(parts.graph, parts.writer, parts.clock, parts.ids, parts.labels)
        self.gates = Gatekeeper(lambda: self.engine.graph, parts.reader, parts.redact)
        self.redact = parts.redact
        self.outbox = Outbox(
            parts.channels, parts.reader, lambda note: self.engine.answer([], note), parts.clock, parts.redact
        )
        self.dispatch = Dispatch(parts.executors, parts.clock, self._ended)
        self.timers = Timers(parts.clock, lambda: self.engine.graph, self.engine.ask)
        self.intakes: dict[SourceName, Intake] = {}
        self.listeners: list[Callable[[Sequence[Announced], Sequence[Noted]], None]] = []
        self.paused: set[SourceName] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._gating: set[asyncio.Task[None]] = set()
        self._readers: dict[SourceName, asyncio.Task[None]] = {}
        self._engine_task: asyncio.Task[None] | None = None
        self._reloading = asyncio.Lock()
        self.ready = False

    @property
    def graph(self) -> Graph:
        return self.engine.graph

    # --- what the engine asks to be done, after the commit

    def start(self, command: StartAttempt) -> None:
        self.dispatch.start(self.engine.graph, command)

    def _ended(self, outcome: Outcome) -> None:
        """What an attempt made stands before the gates of its outputs, where there are any, before the engine hears of it."""
        outcome = clear_outcome(outcome, self.redact)
        run = self.engine.state.runs.get(outcome.run)
        if run is None or not self.gates.concerns(outcome):
            self.engine.ended(outcome)
            return
        task = asyncio.create_task(self._gate(outcome, run), name=f"gates {run.task}")
        self._gating.add(task)
        task.add_done_callback(self._gating.discard)

    async def _gate(self, outcome: Outcome, run: Run) -> None:
        self.engine.ended(await self.gates.outcome(outcome, run))

    def cancel(self, command: CancelAttempt) -> None:
        self.dispatch.cancel(command)

    def set_timer(self, command: SetTimer) -> None:
        self.timers.add(command)

    def alert(self, command: Alert) -> None:
        self._parts.tell(command)
        self.outbox.ring()

    def told(self, announced: Sequence[Announced], noted: Sequence[Noted], counted: Sequence[Counted]) -> None:
        telemetry = self._parts.telemetry
        if announced:
            telemetry.announced(announced)
        if noted:
            telemetry.noted(noted)
        if counted:
            telemetry.counted(counted)
        for listener in self.listeners:
            listener(announced, noted)

    # --- its life

    async def open(self) -> None:
        """Everything up to the first event: the lease, the state, the executors, the sources. What was begun is ended where this raises."""
        try:
            await self._open()
        except BaseException:
            await self.close(0)
            raise

    async def _open(self) -> None:
        holder = f"engine {self._parts.ids.span()}"
        for executor in self._parts.executors.values():
            await executor.start()
        await self.engine.start(self, holder)
        await self._migrate(self.engine.graph)
        if self._parts.channels:
            self.engine.ask([], await self.outbox.open(self.engine.meta))
        self._engine_task = asyncio.create_task(self.engine.run(), name="engine")
        await self._read_all()
        judged = self.engine.meta.get(JUDGED)
        self._tasks = [
            asyncio.create_task(self.timers.run_retries(), name="retries"),
            asyncio.create_task(self.timers.run_deadlines(Instant(int(judged)) if judged else None), name="deadlines"),
            asyncio.create_task(self._keep_house(), name="housekeeping"),
        ]
        if self._parts.channels:
            self._tasks.append(asyncio.create_task(self.outbox.run(), name="outbox"))
        self.ready = True

    async def wait(self) -> None:
        """Returns when the engine was stopped; raises what it failed of."""
        if self._engine_task is None:
            raise RuntimeError("open() comes first")
        await asyncio.wait([self._engine_task, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in (self._engine_task, *self._tasks):
            if task.done() and not task.cancelled():
                task.result()

    async def close(self, grace: float = 30.0) -> None:
        """Drains: no new data, what runs may finish for `grace` seconds, what is left is offered again by the next engine."""
        self.ready = False
        await self._stop_reading(list(self.intakes))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.dispatch.close()
        await asyncio.gather(*(e.stop(grace) for e in self._parts.executors.values()), return_exceptions=True)
        if self._gating:  # what hangs is left to the next engine, as an attempt that was lost
            await asyncio.wait(self._gating, timeout=grace)
        await self._stop_engine()
        await self._parts.writer.close()
        await self._parts.telemetry.close(3.0)

    async def _stop_engine(self) -> None:
        """It writes what it was handed. What it fails of only now is said here; what it failed of before, `wait` has said."""
        task = self._engine_task
        if task is None:
            return
        failed_before = task.done()
        self.engine.stop(drained=True)
        await asyncio.gather(task, return_exceptions=True)
        if not failed_before and not task.cancelled() and task.exception() is not None:
            log.error("What came in last could not be written, and was not acknowledged: %s", task.exception())

    async def _keep_house(self) -> None:
        while True:
            await self._parts.clock.sleep(RETENTION_PAUSE)
            try:
                await self._parts.writer.checkpoint()
                if self._retention is not None:
                    await self._forget(self._retention)
            except (StoreBusy, StoreFull) as error:
                log.warning("Housekeeping waits: %s", error)

    async def _forget(self, retention: int) -> None:
        now = self._parts.clock.now()
        before, week_ago = Instant(now - retention), Instant(now - REMEMBERED)
        while await self._parts.writer.forget(before, week_ago, RETENTION_STEP):
            await self._parts.clock.sleep(RETENTION_BREATH)
        await asyncio.to_thread(self._parts.forget_logs, before)

    # --- sources

    async def _read_all(self) -> None:
        states = await self._parts.writer.load_states()
        parts, graph = self._parts, self.engine.graph
        sensors = [*graph.sensors, *hidden_sensors(graph)]
        specs = {s.source.name: s.source for s in sensors}
        for name, source in parts.make_sources(list(specs.values())).items():
            mine = [s for s in sensors if s.source.name == name]
            judge = SourceJudge(graph, mine, states, parts.clock, parts.ids, parts.telemetry, parts.redact)
            intake = Intake(self.engine, source, judge, self.gates, self._seen)
            self.intakes[name] = intake
            self._readers[name] = asyncio.create_task(intake.run(), name=f"intake {name}")

    async def _seen(self, source: SourceName, ids: Sequence[str]) -> set[str]:
        found = await self._parts.writer.load(Wanted(seen=[(source, i) for i in ids]))
        return {i for _, i in found.seen}

    async def _stop_reading(self, names: Sequence[SourceName]) -> None:
        stopping = [asyncio.ensure_future(self.intakes[n].source.stop()) for n in names]
        readers = [self._readers.pop(n) for n in names if n in self._readers]
        if stopping or readers:
            _, late = await asyncio.wait([*stopping, *readers], timeout=STOP_AT_MOST)
            for task in late:
                task.cancel()
            if late:
                log.warning("%s sources did not stop within %s s and were left.", len(late), STOP_AT_MOST)
            await asyncio.wait([*stopping, *readers], timeout=1)
        for name in names:
            self.intakes.pop(name).judge.close()

    def own_health(self) -> dict[SourceName, Health]:
        """Of the sources that are read. One that stopped for good has said so itself."""
        return {name: intake.source.health() for name, intake in self.intakes.items() if intake.error is None}

    def health(self) -> dict[SourceName, Health]:
        """What each source knows of itself; one that stopped for good says why."""
        found: dict[SourceName, Health] = {}
        for name, intake in self.intakes.items():
            health = intake.source.health()
            if intake.error is not None:
                health = replace(health, condition=Condition.BROKEN, error=intake.error)
            error = health.error and self.redact(health.error)
            found[name] = replace(health, error=error, detail=self.redact(health.detail))
        return found

    # --- definitions

    async def reload(self, graph: Graph) -> None:
        """New definitions: the sources are read anew, runs and waits go on under the new rules.

        Raises:
            DefinitionError: a sensor cannot be called as it is annotated; nothing was changed.
        """
        for sensor in graph.sensors:
            bind(sensor, None)
        async with self._reloading:
            await self._stop_reading(list(self.intakes))
            await self.engine.change_graph(graph)
            self.timers.graph_changed()
            await self._migrate(graph)
            await self._read_all()

    async def _migrate(self, graph: Graph) -> None:
        """Open waits of a rule that changed are moved to the new one, at once and not when the next event happens to come."""
        notes: dict[str, str] = {}
        for name, node in graph.nodes.items():
            before = self.engine.meta.get(PLANS + name)
            if before == node.plan.digest:
                continue
            notes[PLANS + name] = node.plan.digest
            if before is None:
                continue
            after = None
            while waits := await self._parts.writer.waits_of(name, after, MIGRATED_AT_ONCE):
                changed: list[StepEvent] = [RuleChanged(w.task, w.key) for w in waits]
                self.engine.ask(changed)
                after = waits[-1].key
        if notes:
            self.engine.meta.update(notes)
            self.engine.ask([], Transaction(meta=notes))
