"""A topic as a source. Law: the ledger says where to read; Kafka's own offsets are only told, never asked.

The loop is run by whoever asks for batches, so a consumer that does not ask holds no more than what the client
fetched. Trouble is shown in `health` and tried again, for ever, with a growing and jittered pause.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

from aiokafka.errors import KafkaError

from reactor.model.duration import SECOND
from reactor.model.errors import ReactorError
from reactor.model.ids import Instant, Lane, SourceName
from reactor.model.source import Kafka
from reactor.sources.base import Batch, Condition, Health, LaneStart
from reactor.sources.kafka import client, trouble
from reactor.sources.kafka.lanes import Partitions
from reactor.sources.kafka.session import Session
from reactor.sources.kafka.settings import KafkaSettings
from reactor.sources.kafka.setup import Ports, Setup

COMMIT_EVERY = SECOND // 2
COMMIT_SECONDS, LAST_COMMIT_SECONDS = 3.0, 1.0
PAUSED_AFTER = 2 * SECOND
BACKOFF_FIRST, BACKOFF_MOST = SECOND // 10, 5 * SECOND


class KafkaSource:
    """The events of one topic, a lane for each partition: `"topic/0"`."""

    def __init__(self, spec: Kafka, settings: KafkaSettings, ports: Ports) -> None:
        self._clock, self._ids = ports.clock, ports.ids
        self._partitions = Partitions(spec.topic)
        self._settled = asyncio.Event()
        self._setup = Setup(spec, settings, ports, self._partitions, self._settled)
        self._session: Session | None = None
        self._reading = asyncio.Lock()
        self._patience: asyncio.Timeout | None = None
        self._dirty = asyncio.Event()
        self._committer: asyncio.Task[None] | None = None
        self._stopped = False
        self._failures = 0
        self._condition, self._since, self._error = Condition.CONNECTING, ports.clock.now(), ""
        self._commit_error = ""
        self._last_event: Instant | None = None
        self._handed_out: Instant | None = None

    @property
    def name(self) -> SourceName:
        return self._setup.spec.name

    async def start(self, lanes: Mapping[Lane, LaneStart]) -> None:
        """See `Source.start`. Lanes of other topics are not looked at."""
        self._partitions.know(lanes)
        self._committer = asyncio.create_task(self._commit_forever(), name=f"commit {self.name}")

    async def batches(self) -> AsyncIterator[Batch]:
        """See `Source.batches`."""
        while not self._stopped:
            batch = await self._next()
            if batch is None:
                continue
            self._partitions.handed_out(int(batch.lane.rpartition("/")[2]), batch.until)
            self._handed_out = self._clock.now()
            if batch.events:
                self._last_event = self._handed_out
            yield batch
            self._handed_out = None

    async def done(self, batch: Batch) -> None:
        """See `Source.done`. The group is told later, together with what else became durable until then."""
        self._partitions.done(batch.lane, batch.until)
        self._dirty.set()
        if self._partitions.settled():
            self._settled.set()

    async def stop(self) -> None:
        """See `Source.stop`. The group is told what is durable, if it listens."""
        if self._stopped:
            return
        self._stopped = True
        if self._patience is not None:
            self._patience.reschedule(asyncio.get_running_loop().time())
        async with self._reading:
            if self._committer is not None:
                self._committer.cancel()
                with suppress(asyncio.CancelledError):
                    await self._committer
            await self._commit(LAST_COMMIT_SECONDS)
            await self._disconnect()
        self._say(Condition.STOPPED)

    def health(self) -> Health:
        """See `Source.health`. A partition that stands still makes the source broken, with its reason; the others go
        on.
        """
        condition, error = self._condition, self._error
        broken = self._partitions.broken()
        if condition is Condition.CONNECTED and broken:
            condition, error = Condition.BROKEN, "\n".join(partition.broken for partition in broken)
        elif condition is Condition.CONNECTED and self._waited_for() > PAUSED_AFTER:
            condition = Condition.PAUSED
        lag = self._session.lag() if self._session is not None else None
        return Health(condition, self._since, lag, self._last_event, error or None, self._detail())

    def _waited_for(self) -> int:
        return 0 if self._handed_out is None else self._clock.now() - self._handed_out

    def _detail(self) -> str:
        ours = sorted(p.number for p in self._partitions.all.values() if p.placed)
        text = f"partitions {', '.join(map(str, ours))}" if ours else "no partition is assigned to this node"
        moved = self._session.moved if self._session is not None else ""
        return "; ".join(part for part in (text, self._commit_error, moved) if part)

    def _say(self, condition: Condition, error: str | None = None) -> None:
        if condition is not self._condition:
            self._condition, self._since = condition, self._clock.now()
        self._error = error or ""

    async def _next(self) -> Batch | None:
        async with self._reading:
            if self._stopped:
                return None
            try:
                async with asyncio.timeout(None) as self._patience:
                    return await self._step()
            except TimeoutError:
                return None  # `stop` asks us to let go
            finally:
                self._patience = None

    async def _step(self) -> Batch | None:
        try:
            session = self._session or await self._connect()
            batch = await session.read()
        except ReactorError as error:  # it names what a person has to do
            await self._disconnect()
            await self._back_off(Condition.BROKEN, str(error))
        except (KafkaError, OSError, TimeoutError) as error:
            await self._disconnect()
            reason = await client.why(self._setup.settings, error)
            await self._back_off(Condition.CONNECTING, trouble.connecting(self._setup.settings.servers, reason))
        else:
            self._say(*(session.trouble or (Condition.CONNECTED,)))
            self._failures = 0 if session.trouble is None else self._failures
            return batch
        return None

    async def _connect(self) -> Session:
        session = Session(self._setup)
        await session.open()
        self._session = session
        return session

    async def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _back_off(self, condition: Condition, error: str) -> None:
        self._say(condition, error)
        length = min(BACKOFF_MOST, BACKOFF_FIRST << min(self._failures, 10))
        self._failures += 1
        await self._clock.sleep(int(length * (0.5 + self._ids.chance() / 2)))

    async def _commit_forever(self) -> None:
        while True:
            await self._dirty.wait()
            await self._clock.sleep(COMMIT_EVERY)
            self._dirty.clear()
            await self._commit()

    async def _commit(self, patience: float = COMMIT_SECONDS) -> None:
        """Lag tools read it; nothing else does. So a failure is noted, and the next commit covers it."""
        if self._session is None:
            return
        try:
            async with asyncio.timeout(patience):
                await self._session.commit()
        except (KafkaError, OSError, TimeoutError) as error:
            self._commit_error = (
                f"the group was not told the newest offsets ({type(error).__name__}); it is tried again"
            )
            self._dirty.set()
        else:
            self._commit_error = ""
