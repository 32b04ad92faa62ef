"""Intake: one task per source hands its events to the user's sensors, and what they answer to the engine.

A source is asked for its next batch only while few of its batches are under way: that is the back-pressure. A sensor that raises, answers
wrongly or takes too long costs its event, never its topic: the event goes to the dead letters, whole, with the reason.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from reactor.model.errors import ReactorError
from reactor.model.ids import Lane, SourceName
from reactor.service.engine import Engine
from reactor.service.gates import Gatekeeper
from reactor.service.judge import SourceJudge
from reactor.service.work import Arrival
from reactor.sources.base import Batch, LaneStart, Source

log = logging.getLogger(__name__)

UNDER_WAY = 4
"""Batches of one source that may be on their way through the engine at once."""
DRAIN_AT_MOST = 10
"""Seconds that a source which stops waits for what is under way."""


class _LetGoError(Exception):
    """The engine ended, or turned to new definitions, before a batch was durable: nothing behind it is handed over."""


Unseen = Callable[[SourceName, Sequence[str]], Awaitable[set[str]]]


class Intake:
    """One source with the sensors that read it."""

    def __init__(self, engine: Engine, source: Source, judge: SourceJudge, gates: Gatekeeper, seen: Unseen) -> None:
        self.source = source
        self.judge = judge
        self.error: str | None = None
        """Why it stopped for good; None while it works."""
        self._engine = engine
        self._gates, self._seen = gates, seen
        self._under_way: deque[tuple[Batch, asyncio.Future[None]]] = deque()
        self._acknowledger: asyncio.Task[None] | None = None
        self._judging = asyncio.Lock()
        self._freed = asyncio.Event()
        self._durable = asyncio.Event()

    async def run(self) -> None:
        """Works until the source stops. What a source raises stops this source alone, and is shown."""
        lanes = {
            Lane(lane): LaneStart(at.position, at.cursor)
            for (source, lane), at in self._engine.lanes.items()
            if source == self.source.name
        }
        self._acknowledger = asyncio.create_task(self._acknowledge(), name=f"ack {self.source.name}")
        try:
            await self.source.start(lanes)
            async for batch in self.source.batches():
                await self._take(batch)
        except _LetGoError:
            log.debug("Source %s: the engine takes no more.", self.source.name)
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}" if not isinstance(error, ReactorError) else str(error)
            log.exception("Source %s stopped; its position stays where it is. %s", self.source.name, self.error)
        finally:
            await self._drain()

    async def _take(self, batch: Batch) -> None:
        batch = self._unread(batch)
        self._refuse_hole(batch)
        if batch.until <= batch.first and (batch.source, batch.lane) in self._engine.lanes:
            self._already_durable(batch)
            return
        while len(self._under_way) >= UNDER_WAY:
            self._freed.clear()
            await self._freed.wait()
            if self._under_way and self._under_way[0][1].cancelled():
                raise _LetGoError
        async with self._judging:
            known = await self._known(batch)
            judged, states = await self.judge.judge(batch, known)
            judged = await self._gates.stand(judged)
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._under_way.append((batch, done))
            done.add_done_callback(lambda _: self._durable.set())
            self._engine.arrive(Arrival(batch, judged, states, done))

    @contextlib.asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """Meanwhile no batch is judged or under way: what the sensors remember now is what the ledger holds."""
        async with self._judging:
            waiting = [done for _, done in self._under_way]
            if waiting:
                await asyncio.wait(waiting)
            yield

    def _already_durable(self, batch: Batch) -> None:
        """Nothing new in it, but the source hears of every batch that it handed over, in order. (An empty batch of a lane that is not known yet goes
        on to the engine: it pins where reading began.)"""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        self._under_way.append((batch, done))
        self._durable.set()

    def _unread(self, batch: Batch) -> Batch:
        """A source may hand over again what was durable already (a group that was rewound, a broker that came back): that is cut off."""
        position = self._position(batch)
        if position is None or batch.first >= position:
            return batch
        batch.events = [e for e in batch.events if e.position >= position]
        batch.first = position
        batch.until = max(batch.until, position)
        return batch

    def _position(self, batch: Batch) -> int | None:
        """Where its lane will stand once all that is under way is durable. None: it was never read."""
        at = self._engine.lanes.get((batch.source, batch.lane))
        pending = next((b.until for b, _ in reversed(self._under_way) if b.lane == batch.lane), None)
        return pending if pending is not None else at.position if at is not None else None

    def _refuse_hole(self, batch: Batch) -> None:
        """Positions that a source leaves out unsaid would be lost in silence; the ledger would refuse them, and stop every other source too."""
        position = self._position(batch)
        if position is not None and batch.first > position:
            raise ReactorError(
                f"Lane {batch.lane} of {batch.source} went on at {batch.first}, but the ledger stands at {position}, and nothing says what "
                f"became of the {batch.first - position} positions between. Restart the service: the lane is read again from {position}."
            )

    async def _known(self, batch: Batch) -> set[str]:
        """The ids of this batch that had their effect before: a sensor with a memory must not count them twice."""
        ids = [e.id for e in batch.events if e.id]
        if not ids or not self.judge.has_memory:
            return set()
        waiting = {e.id for b, _ in self._under_way for e in b.events}
        return {i for i in ids if i in waiting} | await self._seen(batch.source, ids)

    async def _acknowledge(self) -> None:
        """Tells the source, in order, which batches are durable."""
        while True:
            await self._durable.wait()
            self._durable.clear()
            await self._tell_durable()

    async def _tell_durable(self) -> None:
        """Up to the first that is not durable: none behind it is told before it. What the engine let go of never will be."""
        while self._under_way and self._under_way[0][1].done():
            batch, done = self._under_way[0]
            if done.cancelled():
                self._freed.set()
                return
            self._under_way.popleft()
            self._freed.set()
            self._engine.label("before-ack")
            try:
                await self.source.done(batch)
            except Exception:
                log.exception(
                    "Source %s could not be told that a batch is durable; it may send it again.", batch.source
                )
            self._engine.label("after-ack")

    async def _drain(self) -> None:
        """What is under way becomes durable and is acknowledged, before the source is let go."""
        waiting = [done for _, done in self._under_way]
        if waiting:
            await asyncio.wait(waiting, timeout=DRAIN_AT_MOST)
        if self._acknowledger is not None:
            self._acknowledger.cancel()
            await asyncio.gather(self._acknowledger, return_exceptions=True)
        await self._tell_durable()
        self._under_way.clear()
