"""One connection on one topic, from joining the group to closing. Law: it hands out batches in order from where the
ledger stands, or raises.

What the client raises for the connection as a whole is passed on: the source closes this session and opens another.
What concerns one partition stops that partition: it is paused, its reason stands in `Partition.broken`, the others go
on.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    OffsetOutOfRangeError,
    UnsupportedCodecError,
)

from reactor.model.duration import SECOND
from reactor.sources.base import Batch, Condition
from reactor.sources.kafka import client, trouble
from reactor.sources.kafka.lanes import Partition
from reactor.sources.kafka.records import raw_events
from reactor.sources.kafka.setup import Setup
from reactor.sources.kafka.watch import Watch

log = logging.getLogger(__name__)

MOST = 2_000
"""Records in one batch, at most."""
IDLE_SECONDS = 0.5
"""How long one poll waits, at most."""
WATCH_SECONDS = 0.5
REVOKE_SECONDS = 8.0
"""How long a rebalance waits for batches that were handed out. Within the time that the group gives its members
(`REBALANCE_MS`).
"""
CATCH_UP = SECOND // 5
GROUP_SECONDS = 2.0
"""How long the group is asked where it stands, which is for people alone."""


class Session(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka's classes are not typed
    """One consumer. `read` is called by one task at a time."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._partitions = setup.partitions
        self._topic = setup.spec.topic
        self._pending: deque[Batch] = deque()
        self._changed = asyncio.Event()
        self._generation = 0
        self._joined = False
        self._polled_at = self._watched_at = self._now()
        self.trouble: tuple[Condition, str | None] | None = (Condition.CONNECTING, None)
        """What is wrong with the connection, where something is."""
        self.moved = ""
        """That the group stands elsewhere than the ledger, until the group is told."""
        self._consumer: AIOKafkaConsumer
        self._watch: Watch

    async def open(self) -> None:
        """Raises what `client.connect` raises."""
        self._consumer = await client.connect(self._setup.settings, self._topic, self)
        self._watch = Watch(self._consumer, self._partitions, self._setup.settings.servers, self)

    async def close(self) -> None:
        self._partitions.revoke()
        await client.close(self._consumer)

    async def read(self) -> Batch | None:
        """The next batch, or None where none came within a short while."""
        if not self._pending:
            await self._place()
            await self._poll()
        return self._pending.popleft() if self._pending else None

    async def commit(self) -> None:
        """Tells the group what is durable. Raises KafkaError or OSError; nothing is lost by it."""
        offsets = self._partitions.uncommitted()
        if not offsets:
            return
        assigned = self._consumer.assignment()
        known = {TopicPartition(self._topic, n): at for n, at in offsets.items()}
        await self._consumer.commit({tp: at for tp, at in known.items() if tp in assigned})
        self.moved = ""
        for number, at in offsets.items():
            if number in self._partitions.all:
                self._partitions.all[number].committed = at

    def lag(self) -> int | None:
        """Records that are there and were not handed out, over the partitions that are ours."""
        assigned = self._consumer.assignment()
        ours = [p for p in self._partitions.all.values() if p.placed and self._tp(p) in assigned]
        ends = [(p, self._consumer.highwater(self._tp(p))) for p in ours]
        if not ends or any(end is None for _, end in ends):
            return None
        return sum(max(0, int(end) - p.next) for p, end in ends)

    # What the group tells us.

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002 - all of them, always
        self._generation += 1
        self._pending.clear()
        if not self._partitions.settled():
            self._setup.settled.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._setup.settled.wait(), REVOKE_SECONDS)
        with suppress(KafkaError, OSError, TimeoutError):
            await asyncio.wait_for(self.commit(), 2.0)
        self._partitions.revoke()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._generation += 1
        self._partitions.assign(tp.partition for tp in assigned)
        self._watch.assigned()
        self._joined, self.trouble = True, None
        self._changed.set()

    # Where to read.

    async def _place(self) -> None:
        new = self._partitions.unplaced() if self._joined else []
        if new:
            await self._compare([p for p in new if p.settled and p.durable > 0])
        for partition in new:
            generation = self._generation
            first = await self._first(partition)
            if generation != self._generation or self._tp(partition) not in self._consumer.assignment():
                return
            partition.next = first
            partition.well()
            partition.placed, partition.answered, partition.poll_mark = True, self._now(), None
            self._consumer.resume(self._tp(partition))
            self._consumer.seek(self._tp(partition), first)
            if partition.first_time and self._from_the_end():
                # The place is written down before anything comes, or what comes while we are away would be "before
                # the latest" again.
                self._pending.append(self._batch(partition, first, ()))
        if new:
            self._partitions.was_read = True

    async def _compare(self, partitions: Sequence[Partition]) -> None:
        """The group's offsets are for lag tools and are never read from; somebody who moved them will look for the reason here."""
        asked = {self._tp(p): p for p in partitions}
        try:
            async with asyncio.timeout(GROUP_SECONDS):
                found = await self._consumer._coordinator.fetch_committed_offsets(list(asked))
        except (KafkaError, OSError, TimeoutError):
            return
        stands = [(p, found[tp].offset) for tp, p in asked.items() if tp in found and found[tp].offset >= 0]
        lanes = [f"{p.lane} at {at} instead of {p.durable}" for p, at in stands if at != p.durable]
        if lanes:
            self.moved = trouble.moved(self._setup.settings.group, lanes)
            log.warning("%s", self.moved)

    async def _first(self, partition: Partition) -> int:
        if partition.next >= 0:
            return partition.next
        known = await self._setup.ports.position_of(partition.lane)
        if known is not None:
            partition.first_time = False
            return known.position
        partition.first_time = True
        tp = self._tp(partition)
        ends = self._consumer.end_offsets if self._from_the_end() else self._consumer.beginning_offsets
        return int((await ends([tp]))[tp])

    def _from_the_end(self) -> bool:
        """A partition that was added to a topic that is known is read whole, whatever `start` says: it was never
        there to be skipped.
        """
        return self._setup.spec.start == "latest" and not self._partitions.was_read

    # Reading.

    async def _poll(self) -> None:
        now = self._now()
        self._retry(now)
        lanes = self._partitions.readable()
        if now - self._polled_at > WATCH_SECONDS:  # the consumer was away: that silence was ours
            for lane in lanes:
                lane.answered = now
        if not lanes:
            await self._wait_for_change()
        elif any(lane.careful for lane in lanes):
            await self._sift(next(lane for lane in lanes if lane.careful))
        else:
            await self._fetch(lanes)
        self._polled_at = self._now()
        if self._polled_at - self._watched_at > WATCH_SECONDS:
            self._watched_at = self._polled_at
            await self._look(self._polled_at)

    async def _fetch(self, lanes: Sequence[Partition]) -> None:
        generation = self._generation
        places = {self._tp(lane): lane for lane in lanes}
        try:
            found = await self._get(places, MOST)
        except OffsetOutOfRangeError as error:
            await self._out_of_range(error.args[0])
            return
        except (CorruptRecordException, UnsupportedCodecError):
            self._search(places)
            return
        except (KafkaError, OSError):
            raise
        except Exception:  # noqa: BLE001 - decompressors raise what they like; the search shows the place and the reason
            self._search(places)
            return
        if generation != self._generation:
            return  # read from wherever the group stood; these partitions are placed anew first
        for tp, records in found.items():
            await self._keep(places[tp], records)

    async def _get(self, places: Iterable[TopicPartition], most: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        """Records from where the client stands. Nothing while the group rebalances, for which the client would wait
        without end.
        """
        try:
            async with asyncio.timeout(2 * IDLE_SECONDS):
                found: dict[TopicPartition, list[ConsumerRecord]] = await self._consumer.getmany(
                    *places, timeout_ms=int(IDLE_SECONDS * 1000), max_records=most
                )
                return found
        except TimeoutError:
            return {}

    async def _keep(self, partition: Partition, records: Sequence[ConsumerRecord]) -> None:
        """Hands out what was read, with the hole before, between or behind that compaction and transactions left."""
        until = await self._consumer.position(self._tp(partition))
        if until < partition.next or (records and records[0].offset < partition.next):
            self._consumer.seek(self._tp(partition), partition.next)
            return
        partition.answered = self._now()
        partition.well()
        self._pending.append(self._batch(partition, until, records))

    def _batch(self, partition: Partition, until: int, records: Sequence[ConsumerRecord]) -> Batch:
        return Batch(
            self._setup.spec.name,
            partition.lane,
            partition.next,
            until,
            raw_events(records, self._setup.settings.max_record_bytes),
            first_time=partition.first_time,
        )

    def _search(self, places: Mapping[TopicPartition, Partition]) -> None:
        """The client failed on records of some partition, and threw away what it had read of the others: all are
        read again, one by one.
        """
        for tp, partition in places.items():
            if tp in self._consumer.assignment():
                self._consumer.seek(tp, partition.next)
                partition.careful = True

    async def _sift(self, partition: Partition) -> None:
        generation, tp = self._generation, self._tp(partition)
        records: list[ConsumerRecord] = []
        failure: Exception | None = None
        try:
            while len(records) < MOST:
                found = await self._get([tp], 1)
                if generation != self._generation:
                    return
                if not found:
                    partition.careful = False
                    break
                records += found[tp]
        except OffsetOutOfRangeError as error:
            await self._out_of_range(error.args[0])
            return
        except Exception as error:
            if isinstance(error, (KafkaError, OSError)) and not isinstance(
                error, (CorruptRecordException, UnsupportedCodecError)
            ):
                raise
            failure = error
        if records:
            careful = partition.careful
            await self._keep(partition, records)
            partition.careful = careful
        elif failure is not None:
            self._break(partition, trouble.corrupt(partition.lane, partition.next, failure), retry=True)
        else:
            partition.well()

    # Trouble.

    def _break(self, partition: Partition, reason: str, *, retry: bool) -> None:
        partition.broken, partition.trying = reason, False
        partition.tries += 1
        partition.retry_at = self._now() + min(60.0, 0.5 * 2 ** min(partition.tries, 8)) if retry else None
        self._consumer.pause(self._tp(partition))

    def _retry(self, now: float) -> None:
        for partition in self._partitions.broken():
            if (
                partition.placed
                and not partition.trying
                and partition.retry_at is not None
                and partition.retry_at <= now
            ):
                partition.trying = partition.careful = True
                self._consumer.resume(self._tp(partition))
                self._consumer.seek(self._tp(partition), partition.next)

    async def _out_of_range(self, where: Mapping[TopicPartition, int]) -> None:
        for tp in where:
            partition = self._partitions.all.get(tp.partition)
            if partition is None or not partition.placed:
                continue
            generation = self._generation
            first = int((await self._consumer.beginning_offsets([tp]))[tp])
            end = int((await self._consumer.end_offsets([tp]))[tp])
            if generation != self._generation:
                return
            await self._settle_range(partition, first, end)

    async def _settle_range(self, partition: Partition, first: int, end: int) -> None:
        stands = partition.next
        if stands > end:
            self._break(partition, trouble.ran_ahead(partition.lane, stands, end), retry=False)
        elif stands >= first:  # a broker that is still catching up with its leader
            self._consumer.seek(self._tp(partition), stands)
            await self._setup.ports.clock.sleep(CATCH_UP)
        elif self._setup.settings.out_of_range == "fail":
            self._break(partition, trouble.fell_behind(partition.lane, stands, first), retry=False)
        else:
            self._consumer.seek(self._tp(partition), first)
            self._pending.append(self._batch(partition, first, ()))

    async def _wait_for_change(self) -> None:
        self._changed.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), IDLE_SECONDS)

    async def _look(self, now: float) -> None:
        self.trouble = self._watch.look(now, joined=self._joined)
        for lane in self._partitions.readable():
            if not self._pending:
                await self._hole_at_the_end(lane)

    async def _hole_at_the_end(self, lane: Partition) -> None:
        """Positions without a record, such as the marker that ends a transaction, with nothing behind them."""
        at = await self._consumer.position(self._tp(lane))
        if at > lane.next:
            self._pending.append(self._batch(lane, at, ()))

    def _tp(self, partition: Partition) -> TopicPartition:
        return TopicPartition(partition.topic, partition.number)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
