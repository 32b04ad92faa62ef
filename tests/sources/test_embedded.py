"""The suite of all sources, over a durable log in a file; and what embedded topics do besides."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any  # rows of any shape

import pytest

from reactor.model.events import RawEvent, Record
from reactor.model.ids import Instant, Lane
from reactor.model.source import Kafka
from reactor.sources.base import Batch, Condition, LaneStart, LogRecord
from reactor.sources.embedded import EmbeddedTopic
from tests.clock import MachineClock
from tests.sources.conformance import Ledger, ReachConformance, Reading

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class FileLog:
    """A `TopicLog` in a SQLite file. It cannot be read while the file is away."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._news = asyncio.Condition()
        with sqlite3.connect(file) as db:
            db.execute(
                "create table record (topic, offset integer, key, body, header, value, at, primary key (topic, offset))"
            )

    async def read(self, topic: str, offset: int, limit: int) -> list[LogRecord]:
        query = "select * from record where topic = ? and offset >= ? order by offset limit ?"
        rows = self._ask(query, topic, offset, limit)
        return [LogRecord(t, o, k, b, ((h, v),) if h else (), Instant(at)) for t, o, k, b, h, v, at in rows]

    async def ends(self, topic: str) -> tuple[int, int]:
        ((first, last),) = self._ask("select min(offset), max(offset) from record where topic = ?", topic)
        return (0, 0) if first is None else (int(first), int(last) + 1)

    async def wait(self, topic: str, offset: int) -> None:
        async with self._news:
            while (await self.ends(topic))[1] <= offset:
                await self._news.wait()

    async def append(self, topic: str, body: bytes, header: tuple[str, bytes] = ("", b"")) -> None:
        _, end = await self.ends(topic)
        self._ask(
            "insert into record values (?, ?, ?, ?, ?, ?, ?)", topic, end, b"k", body, *header, MachineClock().now()
        )
        await self.wake()

    async def wake(self) -> None:
        async with self._news:
            self._news.notify_all()

    def shorten(self, topic: str, before: int) -> None:
        self._ask("delete from record where topic = ? and offset < ?", topic, before)

    def _ask(self, query: str, *values: object) -> list[Any]:
        db = sqlite3.connect(f"file:{self._file}?mode=rw", uri=True)
        try:
            with db:
                return db.execute(query, values).fetchall()
        finally:
            db.close()


class EmbeddedPlace:
    ordered = True

    def __init__(self, folder: Path) -> None:
        self.file = folder / "log.db"
        self.log = FileLog(self.file)
        self.spec = Kafka("orders")
        self._made = 0

    def make(self) -> EmbeddedTopic:
        return EmbeddedTopic(self.spec, self.log, MachineClock())

    async def produce(self, count: int) -> list[str]:
        labels = [f"n{self._made + number}" for number in range(count)]
        self._made += count
        for label in labels:
            await self.log.append("orders", label.encode())
        return labels

    def label(self, event: RawEvent) -> str:
        assert isinstance(event.payload, Record)
        return event.payload.text

    async def break_it(self) -> None:
        self.file.rename(self.file.with_suffix(".away"))
        await self.log.wake()

    async def heal_it(self) -> None:
        self.file.with_suffix(".away").rename(self.file)


@pytest.fixture
async def at(tmp_path: Path) -> EmbeddedPlace:
    return EmbeddedPlace(tmp_path)


class TestEmbedded(ReachConformance):
    @pytest.fixture
    async def harness(self, at: EmbeddedPlace) -> EmbeddedPlace:
        return at


async def first_batch(at: EmbeddedPlace, ledger: Ledger) -> Batch:
    reading = await Reading(at.make(), ledger).start()
    batch = await reading.batch()
    await reading.stop()
    return batch


async def test_a_record_is_what_it_is_from_kafka(at: EmbeddedPlace) -> None:
    await at.log.append("orders", b'{"day": "2026-11-20"}', ("traceparent", TRACE.encode()))
    batch = await first_batch(at, Ledger(at.label))
    (event,) = batch.events
    assert isinstance(event.payload, Record)
    assert (batch.lane, batch.first, batch.until, batch.keep) == ("orders/0", 0, 1, False)
    assert (event.position, event.id, event.traceparent) == (0, "", TRACE)
    assert (event.payload.topic, event.payload.partition, event.payload.offset) == ("orders", 0, 0)
    assert (event.payload.value, event.payload.header("traceparent")) == ({"day": "2026-11-20"}, TRACE)


async def test_other_topics_are_not_read(at: EmbeddedPlace) -> None:
    await at.log.append("refunds", b"x")
    await at.produce(1)
    assert [at.label(event) for event in (await first_batch(at, Ledger(at.label))).events] == ["n0"]


async def test_latest_is_written_down_at_once(at: EmbeddedPlace) -> None:
    at.spec = Kafka("orders", start="latest")
    await at.produce(3)
    ledger = Ledger(at.label)
    begin = await first_batch(at, ledger)
    assert (begin.first, begin.until, begin.events, begin.first_time) == (3, 3, [], True)
    ledger.take(begin)
    await at.produce(1)
    assert (await first_batch(at, ledger)).until == 4


async def test_a_log_that_was_shortened_leaves_a_hole_in_the_ledger(at: EmbeddedPlace) -> None:
    await at.produce(5)
    at.log.shorten("orders", 3)
    ledger = Ledger(at.label)
    ledger.lanes[Lane("orders/0")] = LaneStart(1)
    hole = await first_batch(at, ledger)
    assert (hole.first, hole.until, hole.events) == (1, 3, [])


async def test_a_backlog_comes_in_bounded_batches(at: EmbeddedPlace) -> None:
    at.log._ask(
        "with recursive n(i) as (select 0 union all select i + 1 from n where i < 2499) "
        "insert into record select 'orders', i, null, cast(i as blob), '', x'', 0 from n"
    )
    reading = await Reading(at.make(), Ledger(at.label)).start()
    sizes = [len(batch.events) for batch in await reading.take(2500)]
    await reading.stop()
    assert sizes == [1000, 1000, 500]


async def test_a_log_that_cannot_be_read_is_named(at: EmbeddedPlace) -> None:
    await at.break_it()
    reading = await Reading(at.make(), Ledger(at.label)).start()
    await reading.until(lambda: reading.source.health().condition is Condition.BROKEN, "broken")
    assert "The embedded topic 'orders' cannot be read" in str(reading.source.health().error)
    await reading.stop()
