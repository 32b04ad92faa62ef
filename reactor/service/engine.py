"""The engine: drain what is there, load what it touches, step, write one transaction, act.

One loop owns the state; everything else hands it work and waits. Nothing is acknowledged, started or told before the transaction that holds
the reason is durable (G1, G4). What comes in during a commit is the next transaction: idle, it is one small commit; under load, the cost of an
event falls with the batch.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping

from reactor.core.admit import Admitted, Judged, admit
from reactor.core.graph import Graph
from reactor.core.state import State
from reactor.core.step import Needs, fill, needs, needs_of_ready, step
from reactor.model.commands import Alert, Announced, CancelAttempt, Command, Noted, SetTimer, StartAttempt
from reactor.model.errors import ReactorError, StoreBusy, StoreFull, Unreachable
from reactor.model.events import Readiness, encode_payload, evidence_json
from reactor.model.ids import EventId, Instant, Lane, SensorName, SourceName
from reactor.model.outcome import Lost, Resumed, StepEvent
from reactor.model.ports import Clock, Ids
from reactor.model.run import RunState
from reactor.service.letters import LetterAlerts
from reactor.service.work import STOPPED, Acts, Arrival, Ask, Labels, let_go, nothing, put_also, put_changes
from reactor.store.base import Kept, LaneAt, Move, Restored, Span, Transaction, Writer
from reactor.telemetry.base import Counted

log = logging.getLogger(__name__)

CHANGES_AT_MOST = 2_000
"""Events of one transaction: a backlog in one piece would turn into tails of a tenth of a second."""
CACHE_AT_MOST = 200_000
"""Slots, or waits, that are kept in memory between commits."""
RUNNING_AT_MOST = 10_000
"""Attempts under way, above which no more data is taken in: what waits then waits in its source."""
OPEN_AT_MOST = 200_000
"""Open runs, above which no more data is taken in."""
OURSELVES = SourceName("reactor")
DEAD_LETTERS = Lane("dead letters")
"""Readiness out of a retried dead letter stands in this lane: its first arrival was accounted for where it came from."""
FULL_DISK_WAIT = 2_000_000
"""Microseconds between two tries to write to a full disk."""
DRAINED = "drained"
"""The ledger's note of the engine, by its epoch, that ended in peace."""


class Engine:
    """See the file's head. `start` once, `run` until `stop`."""

    def __init__(self, graph: Graph, writer: Writer, clock: Clock, ids: Ids, labels: Labels = nothing) -> None:
        self.graph = graph
        self.state = State()
        self.lanes: dict[tuple[str, str], LaneAt] = {}
        self.meta: dict[str, str] = {}
        self.trouble: str | None = None
        """Why it cannot write at present; None where it can."""
        self._writer, self._clock, self._ids, self._label = writer, clock, ids, labels
        self.on_append: Callable[[Mapping[str, int]], None] = lambda appended: None
        """Told of embedded topics that grew."""
        self._epoch = 0
        self._arrivals: deque[Arrival] = deque()
        self._asks: deque[Ask] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._over = False
        self._next_graph: Graph | None = None
        self._letters = LetterAlerts()
        self._running = 0
        self._acts: Acts | None = None

    # --- its life

    async def start(self, acts: Acts, holder: str) -> None:
        """Takes the lease and goes on from what the ledger holds. Attempts that an engine before this one had handed out are lost."""
        restored = await self._writer.restore(holder)
        self._restore(restored)
        self._acts = acts
        drained = self.meta.get(DRAINED) == str(self._epoch - 1)
        lost = [Lost(r.id, r.token, drained) for r in restored.open_runs if r.state is RunState.RUNNING]
        self.ask([*lost, Resumed()])
        self._set_timers(acts)

    def _set_timers(self, acts: Acts) -> None:
        """Retries that are waited for. One that is set twice is harmless: the second finds its token spent."""
        for run in self.state.runs.values():
            if run.state is RunState.RETRYING and run.next_at is not None:
                acts.set_timer(SetTimer(run.id, run.token, run.next_at))

    def _restore(self, restored: Restored) -> None:
        self._epoch = restored.epoch
        self.state = State(restored.next_seq, restored.next_order)
        self.state.adopt(self.graph, restored.open_runs)
        self.state.shapes = {s.asset: s for s in restored.shapes}
        self.lanes = {(at.source, at.lane): at for at in restored.lanes}
        self.meta = restored.meta

    async def run(self) -> None:
        """Works until `stop` was called and nothing is left. Raises where going on could break a promise; nobody waits for it then."""
        arrivals: list[Arrival] = []
        asks: list[Ask] = []
        try:
            while not (self._stopping and not self._wake.is_set()):
                await self._wake.wait()
                self._wake.clear()
                while work := self._take():
                    arrivals, asks = work
                    await self._commit(arrivals, asks)
        finally:
            self._over = True
            let_go([*arrivals, *self._arrivals], [*asks, *self._asks])

    def stop(self, *, drained: bool = False) -> None:
        """`drained`: nobody was killed; the next engine may read that attempts were left to it on purpose."""
        if drained:
            self.ask([], Transaction(meta={DRAINED: str(self._epoch)}))
        self._stopping = True
        self._wake.set()

    async def change_graph(self, graph: Graph) -> None:
        """New definitions. Open runs and waits stay. They hold from one transaction to the next, so no event is judged by half of each."""
        self._next_graph = graph
        await self.answer([Resumed()])

    def _turn_to(self, graph: Graph) -> None:
        """Arrivals that wait were judged by sensors that are gone: nothing of them was acknowledged, so their source hands them over again."""
        runs = list(self.state.runs.values())
        self.graph, self._next_graph = graph, None
        shapes = self.state.shapes
        self.state = State(self.state.next_seq, self.state.next_order)
        self.state.adopt(graph, runs)
        self.state.shapes = shapes
        let_go(self._arrivals, ())
        self._arrivals.clear()
        if self._acts is not None:
            self._set_timers(self._acts)

    # --- what it is handed

    def arrive(self, arrival: Arrival) -> None:
        if self._over:
            arrival.done.cancel()
            return
        self._arrivals.append(arrival)
        self._wake.set()

    def ask(self, events: list[StepEvent], also: Transaction | None = None) -> None:
        """Work that nobody waits for."""
        if events or also is not None:
            self._asks.append(Ask(events, None, also))
            self._wake.set()

    def ended(self, outcome: StepEvent) -> None:
        """An attempt's outcome."""
        self._label("before-outcome")
        self._running -= 1
        self.ask([outcome])

    async def answer(
        self, events: list[StepEvent], also: Transaction | None = None, judged: Judged | None = None
    ) -> str | None:
        """A person's command: returns once it is durable, with why it was refused where it was. `judged`: a dead letter's second chance.

        Raises:
            Unreachable: the engine stopped before it was durable.
        """
        if self._over:
            raise Unreachable(STOPPED)
        future: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._asks.append(Ask(events, future, also, judged))
        self._wake.set()
        return await future

    @property
    def paused(self) -> str | None:
        """Why no data is taken in at present; None where it is."""
        if self._running >= RUNNING_AT_MOST:
            return f"{self._running} attempts are under way"
        if len(self.state.runs) >= OPEN_AT_MOST:
            return f"{len(self.state.runs)} runs are open"
        return self.trouble

    def _take(self) -> tuple[list[Arrival], list[Ask]] | None:
        if self._next_graph is not None:
            self._turn_to(self._next_graph)
        asks: list[Ask] = []
        count = 0
        while self._asks and count < CHANGES_AT_MOST:
            asks.append(self._asks.popleft())
            count += len(asks[-1].events) + 1
        arrivals: list[Arrival] = []
        while self._arrivals and count < CHANGES_AT_MOST and self.paused is None:
            arrivals.append(self._arrivals.popleft())
            count += len(arrivals[-1].judged) + 1
        return (arrivals, asks) if arrivals or asks else None

    # --- one transaction

    async def _commit(self, arrivals: list[Arrival], asks: list[Ask]) -> None:
        now = self._clock.now()
        seen = await self._load_seen(arrivals)
        admitted = [(a, _admit(a, seen)) for a in arrivals]
        await self._load([a for _, a in admitted], asks)
        tx = Transaction(epoch=self._epoch)
        refusals = [self._step_ask(ask, tx, now) for ask in asks]
        counted = [self._step_arrival(arrival, found, tx, now) for arrival, found in admitted]
        if tx.dead:
            self.state.tell(self._letters.of(self.graph, tx.dead, now))
        changes = self.state.take_changes()
        put_changes(changes, tx)
        self._label("before-commit")
        await self._write(tx)
        self._label("after-commit")
        for ask, refusal in zip(asks, refusals, strict=True):
            if ask.answer is not None and not ask.answer.done():
                ask.answer.set_result(refusal)
        for arrival in arrivals:
            if not arrival.done.done():
                arrival.done.set_result(None)
        self._label("after-ack")
        self._act(changes.commands, counted)
        self._forget_cache()

    async def _load_seen(self, arrivals: list[Arrival]) -> dict[str, set[str]]:
        """The ids of these events that had their effect before, by source."""
        wanted = [(a.batch.source, j.event.id) for a in arrivals for j in a.judged if j.event.id]
        seen: dict[str, set[str]] = {}
        for source, event in await self._writer.load_seen(wanted) if wanted else ():
            seen.setdefault(source, set()).add(event)
        return seen

    async def _load(self, admitted: list[Admitted], asks: list[Ask]) -> None:
        wanted = Needs()
        for found in admitted:
            for judged in found.judged:
                for _, ready, _ in judged.ready:
                    needs_of_ready(self.graph, ready, wanted)
        for ask in asks:
            for event in ask.events:
                needs(self.graph, self.state, event, wanted)
            for _, ready, _ in ask.judged.ready if ask.judged is not None else ():
                needs_of_ready(self.graph, ready, wanted)
        slots = [key for key in wanted.slots if key not in self.state.slots]
        waits = [key for key in wanted.waits if key not in self.state.waits]
        fill(
            self.state,
            wanted,
            await self._writer.load_slots(slots) if slots else [],
            await self._writer.load_waits(waits) if waits else [],
        )
        if wanted.closed:
            for run in await self._writer.load_runs(list(wanted.closed)):
                self.state.closed[run.id] = run

    def _step_ask(self, ask: Ask, tx: Transaction, now: Instant) -> str | None:
        refusal = None
        for event in ask.events:
            refusal = step(self.graph, self.state, event, now, self._ids)
        if ask.judged is not None:
            self._step_ready(OURSELVES, DEAD_LETTERS, ask.judged, now)
        if ask.also is not None and refusal is None:  # what was refused was not done, and no log says so
            put_also(ask.also, tx)
        return refusal

    def _step_arrival(self, arrival: Arrival, found: Admitted, tx: Transaction, now: Instant) -> Counted:
        batch = arrival.batch
        for judged in found.judged:
            self._step_ready(batch.source, batch.lane, judged, now)
            tx.dead.extend(judged.dead)
        self._account(arrival, found, tx, now)
        return Counted(batch.source, batch.lane, found.ready, found.ignored, found.duplicate, found.dead, now)

    def _step_ready(self, source: SourceName, lane: Lane, judged: Judged, now: Instant) -> None:
        for sensor, ready, traceparent in judged.ready:
            event = Readiness(
                seq=self.state.take_seq(),
                id=EventId(judged.event.id or f"{lane}@{judged.event.position}"),
                asset=ready.asset,
                partition=ready.partition,
                status=ready.status,
                evidence=ready.body or evidence_json(ready.evidence),
                arrived=now,
                at=ready.at if ready.at is not None else now,
                source=source,
                lane=lane,
                position=judged.event.position,
                by=SensorName(sensor),
                traceparent=traceparent,
                held=ready.held,
                schema=ready.schema,
            )
            step(self.graph, self.state, event, now, self._ids)

    def _account(self, arrival: Arrival, found: Admitted, tx: Transaction, now: Instant) -> None:
        """The lane moves, and its span of the ledger says what became of every position in it."""
        batch = arrival.batch
        gap = batch.until - batch.first - len(arrival.judged)
        span = Span(
            batch.source,
            batch.lane,
            batch.first,
            batch.until,
            found.ready,
            found.ignored,
            found.duplicate,
            found.dead,
            gap,
            now,
        )
        known = (batch.source, batch.lane) in self.lanes
        tx.moves.append(Move(span, batch.cursor, first_time=not known))
        self.lanes[batch.source, batch.lane] = LaneAt(batch.source, batch.lane, batch.until, batch.cursor)
        tx.seen.extend((batch.source, j.event.id, now) for j in found.judged if j.event.id)
        tx.states.extend(arrival.states)
        tx.files.extend(batch.files)
        if batch.keep:
            tx.kept.extend(
                Kept(batch.source, batch.lane, j.event.position, j.event.id, now, encode_payload(j.event.payload))
                for j in found.judged
            )

    async def _write(self, tx: Transaction) -> None:
        """Commits. A full disk is waited for: nothing was acknowledged, so nothing is lost, and the sources stand still meanwhile.
        An engine that was told to stop does not wait: what it could not write is handed over again."""
        while True:
            try:
                appended = await self._writer.commit(tx)
            except (StoreBusy, StoreFull) as error:  # another program holds it, or there is no room: both pass
                if self._stopping:
                    raise
                if self.trouble is None:
                    log.error("%s", error)
                self.trouble = str(error)
                await self._clock.sleep(FULL_DISK_WAIT)
            else:
                if self.trouble is not None:
                    log.warning("The database can be written again.")
                self.trouble = None
                if appended:
                    self.on_append(appended)
                return

    def _act(self, commands: list[Command], counted: list[Counted]) -> None:
        acts = self._acts
        if acts is None:
            raise ReactorError("The engine was not started.")
        announced: list[Announced] = []
        noted: list[Noted] = []
        for command in commands:
            match command:
                case StartAttempt():
                    self._label("before-start")
                    self._running += 1
                    acts.start(command)
                    self._label("after-start")
                case Noted():
                    noted.append(command)
                case Announced():
                    announced.append(command)
                case SetTimer():
                    acts.set_timer(command)
                case CancelAttempt():
                    acts.cancel(command)
                case Alert():
                    acts.alert(command)
        acts.told(announced, noted, counted)
        if self._arrivals:
            self._wake.set()

    def _forget_cache(self) -> None:
        """Everything in the caches is durable between two commits, so they may be dropped whole."""
        if len(self.state.slots) > CACHE_AT_MOST:
            self.state.slots.clear()
        if len(self.state.waits) > CACHE_AT_MOST:
            self.state.waits.clear()
        self.state.closed.clear()


def _admit(arrival: Arrival, seen: dict[str, set[str]]) -> Admitted:
    """Two arrivals of one transaction may hold the same event too, so what the first admitted counts as seen for the second."""
    before = seen.setdefault(arrival.batch.source, set())
    found = admit(arrival.judged, before)
    before.update(j.event.id for j in found.judged if j.event.id)
    return found
