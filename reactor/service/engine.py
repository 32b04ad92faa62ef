"""The engine: drain what is there, load what it touches, step, write one transaction, act.

One loop owns the state; everything else hands it work and waits. Nothing is acknowledged, started or told before the transaction that holds
the reason is durable (G1, G4). What comes in during a commit is stepped through meanwhile, and is the next transaction: idle, it is one small
commit; under load, the cost of an event falls with the batch, and the processor decides while the disk writes. A commit that fails for good
takes the draft behind it along: nothing of either was acknowledged, and the next engine begins from what is durable.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping

from reactor.core.admit import Judged
from reactor.core.graph import Graph
from reactor.core.state import State
from reactor.model.commands import Alert, Announced, CancelAttempt, Command, Noted, SetTimer, StartAttempt
from reactor.model.errors import ReactorError, StoreBusy, StoreFull, Unreachable
from reactor.model.outcome import Lost, Resumed, RunAgain, StepEvent
from reactor.model.ports import Clock, Ids
from reactor.model.run import RunState
from reactor.service.draft import Clerk, Draft
from reactor.service.work import STOPPED, Acts, Arrival, Ask, Labels, let_go, nothing
from reactor.store.base import Found, LaneAt, Restored, Transaction, Writer
from reactor.telemetry.base import Counted

log = logging.getLogger(__name__)

CHANGES_AT_MOST = 2_000
"""Events of one transaction: a backlog in one piece would turn into tails of a tenth of a second."""
BITE = 500
"""Events that are stepped through before the loop turns once."""
CACHE_AT_MOST = 200_000
"""Slots, or waits, that are kept in memory between commits."""
RUNNING_AT_MOST = 10_000
"""Attempts under way, above which no more data is taken in: what waits then waits in its source."""
OPEN_AT_MOST = 200_000
"""Open runs, above which no more data is taken in."""
FULL_DISK_WAIT = 2_000_000
"""Microseconds between two tries to write to a full disk."""
DRAINED = "drained"
"""The ledger's note of the engine, by its epoch, that ended in peace."""


class Engine:
    """See the file's head. `start` once, `run` until `stop`."""

    def __init__(self, graph: Graph, writer: Writer, clock: Clock, ids: Ids, labels: Labels = nothing) -> None:
        self._clerk = Clerk(graph, ids)
        self.meta: dict[str, str] = {}
        self.trouble: str | None = None
        """Why it cannot write at present; None where it can."""
        self._writer, self._clock = writer, clock
        self.label = labels
        """Told of each of the `POINTS` that is passed."""
        self.on_append: Callable[[Mapping[str, int]], None] = lambda appended: None
        """Told of embedded topics that grew."""
        self._epoch = 0
        self._arrivals: deque[Arrival] = deque()
        self._asks: deque[Ask] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._over = False
        self._next_graph: Graph | None = None
        self._running = 0
        self._acts: Acts | None = None
        self._draft = Draft(0)
        self._sent: deque[Draft] = deque()
        """Those that are written, or are durable and not acted on yet."""
        self._writing = False
        self._flight: asyncio.Task[None] | None = None
        """Its commit, until it was acted on."""

    @property
    def graph(self) -> Graph:
        return self._clerk.graph

    @property
    def state(self) -> State:
        return self._clerk.state

    @property
    def lanes(self) -> dict[tuple[str, str], LaneAt]:
        """Where each lane will stand once all that was decided is durable."""
        return self._clerk.lanes

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
        self._draft = Draft(self._epoch)
        self._clerk.restore(restored)
        self.meta = restored.meta

    async def run(self) -> None:
        """Works until `stop` was called and nothing is left. Raises where going on could break a promise; nobody waits for it then."""
        try:
            while not (self._stopping and self._at_rest and not self._wake.is_set()):
                await self._wake.wait()
                self._wake.clear()
                await self._work()
        finally:
            self._over = True
            if self._flight is not None:
                self._flight.cancel()
            for draft in (*self._sent, self._draft):
                draft.let_go()
            let_go(self._arrivals, self._asks)

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
        self._clerk.turn_to(graph)
        self._next_graph = None
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
        self.label("before-outcome")
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
        """What is stepped through next. None: nothing is there, the draft is full, or what comes next has to wait until all is durable."""
        if self._next_graph is not None:
            if not self._at_rest:
                return None
            self._turn_to(self._next_graph)
        count, most = self._draft.size, min(self._draft.size + BITE, CHANGES_AT_MOST)
        asks: list[Ask] = []
        while self._asks and count < most and (self._at_rest or not _looks_back(self._asks[0])):
            asks.append(self._asks.popleft())
            count += len(asks[-1].events) + 1
        arrivals: list[Arrival] = []
        while self._arrivals and count < most and self.paused is None:
            arrivals.append(self._arrivals.popleft())
            count += len(arrivals[-1].judged) + 1
        return (arrivals, asks) if arrivals or asks else None

    # --- one transaction after the other

    async def _work(self) -> None:
        """Steps through what is there, one bite after the other, while the transaction before is written."""
        while True:
            self._check()
            self._launch()
            bite = self._take()
            if bite is None:
                return
            if self._flight is not None:
                await asyncio.sleep(0)  # it begins, or what it made durable is acted on
            try:
                await self._step(*bite)
            except BaseException:
                let_go(*bite)
                raise

    async def _step(self, arrivals: list[Arrival], asks: list[Ask]) -> None:
        """Into the draft. What is being written is not in the store yet: its slots and waits are in the cache, and its ids are looked at here."""
        clerk, recent = self._clerk, [draft.seen for draft in (*self._sent, self._draft)]
        clerk.state.forget_cache(CACHE_AT_MOST, [draft.changes for draft in self._sent])
        now = self._clock.now()
        touched, wanted = clerk.wanted(arrivals, asks)
        found = await self._writer.load(wanted) if wanted else Found()
        draft = self._draft  # only now: the one before may have been sent meanwhile
        clerk.fill(touched, found)
        for ask in asks:
            clerk.ask(ask, draft, now)
        for seen in recent:
            found.seen.update(pair for pair in wanted.seen if pair in seen)
        for arrival in arrivals:
            clerk.arrival(arrival, found.seen, draft, now)
        clerk.state.closed.clear()

    def _check(self) -> None:
        """Raises what a commit failed of: that ends the engine, and the draft behind it."""
        if self._flight is not None and self._flight.done():
            self._flight.result()
            self._flight = None

    def _launch(self) -> None:
        """Sends the draft on its way, where the disk is free."""
        if self._writing or not self._draft.size:
            return
        draft, self._draft = self._draft, Draft(self._epoch)
        draft.seal(self.state.take_changes())
        self._sent.append(draft)
        self._writing = True
        self._flight = asyncio.create_task(self._commit(draft, self._flight), name="commit")
        self._flight.add_done_callback(lambda _: self._wake.set())

    @property
    def _at_rest(self) -> bool:
        """Everything that was decided is durable, and was acted on."""
        return self._flight is None and not self._draft.size

    async def _commit(self, draft: Draft, before: asyncio.Task[None] | None) -> None:
        self.label("before-commit")
        await self._write(draft.tx)
        self.label("after-commit")
        self._writing = False
        self._launch()  # the disk goes on, while this one is acted on
        if self._writing:
            await asyncio.sleep(0)
        if before is not None:
            await before  # in their order
        draft.answer()
        self._sent.popleft()
        self._act(draft.changes.commands, draft.counted)

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
                    self.label("before-start")
                    self._running += 1
                    acts.start(command)
                    self.label("after-start")
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


def _looks_back(ask: Ask) -> bool:
    """It asks for a run that is closed, and that the store has to know as closed."""
    return any(isinstance(event, RunAgain) for event in ask.events)
