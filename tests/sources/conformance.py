"""What every kind of source promises, as one suite. Law: it knows the contract in `reactor.sources.base` and no kind
of source.

A kind joins with a `Harness` and one class in its own test file:

    class TestFiles(ReachConformance):
        @pytest.fixture
        async def harness(self, tmp_path: Path) -> AsyncIterator[FilesHarness]:
            yield FilesHarness(tmp_path)

`Ledger` stands where the engine stands: it moves a lane only from the position that it stands at, and says in words
what does not fit.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import pytest

from reactor.model.events import RawEvent
from reactor.model.ids import Lane
from reactor.sources.base import Batch, Condition, LaneStart, Source

PATIENCE = 15.0
"""Seconds until a test says that something did not come."""


class Harness(Protocol):
    """One place that events come from, and a way to make and to break it."""

    ordered: bool
    """Whether events come in the order in which they were produced (in one lane)."""

    def make(self) -> Source:
        """A new source on the same place, as a restarted service makes it. Not started. The suite stops it."""

    async def produce(self, count: int) -> list[str]:
        """Makes `count` more events happen and returns a label of each. May return before they can be read."""

    def label(self, event: RawEvent) -> str:
        """The label of an event that was read."""

    async def break_it(self) -> None:
        """The place is out of reach from now on."""

    async def heal_it(self) -> None:
        """The place is as it was."""


class Ledger:
    """Where each lane stands, kept as the engine keeps it, and what was read."""

    def __init__(self, label: Callable[[RawEvent], str]) -> None:
        self.lanes: dict[Lane, LaneStart] = {}
        self.labels: list[str] = []
        self.identities: dict[tuple[Lane, int], str] = {}
        self._label = label

    def take(self, batch: Batch) -> None:
        at = self.lanes.get(batch.lane)
        assert batch.first_time == (at is None), f"{batch.lane}: first_time={batch.first_time}, but the ledger has {at}"
        assert at is None or batch.first == at.position, (
            f"{batch.lane}: the ledger stands at {at}, the batch begins at {batch.first}"
        )
        assert batch.first <= batch.until, f"{batch.lane}: [{batch.first}, {batch.until}) runs backwards"
        places = [event.position for event in batch.events]
        assert places == sorted(set(places)), f"{batch.lane}: positions do not grow: {places}"
        assert all(batch.first <= place < batch.until for place in places), (
            f"{places} outside [{batch.first}, {batch.until})"
        )
        for event in batch.events:
            known = self.identities.setdefault((batch.lane, event.position), event.id)
            assert known == event.id, f"{batch.lane}/{event.position} was {known!r} before and is {event.id!r} now"
        self.lanes[batch.lane] = LaneStart(batch.until, batch.cursor)
        self.labels += [self._label(event) for event in batch.events]

    def forget(self, lanes: dict[Lane, LaneStart]) -> None:
        """A crash: what was not written is as if it had not been read."""
        self.lanes.clear()
        self.lanes.update(lanes)
        self.labels.clear()


class Reading:
    """A source with its consumer: `take(n)` reads until n events are in the ledger."""

    def __init__(self, source: Source, ledger: Ledger) -> None:
        self.source = source
        self.ledger = ledger
        self._batches = source.batches()

    async def start(self) -> "Reading":
        await asyncio.wait_for(self.source.start(dict(self.ledger.lanes)), 2.0)
        return self

    async def batch(self) -> Batch:
        try:
            return await asyncio.wait_for(anext(self._batches), PATIENCE)
        except TimeoutError:
            raise AssertionError(f"no batch within {PATIENCE} s; {self.source.health()}") from None

    async def take(self, count: int, *, durable: bool = True) -> list[Batch]:
        """Reads until the ledger holds `count` events in all. `durable`: each batch is acknowledged as it comes."""
        taken = []
        while len(self.ledger.labels) < count:
            batch = await self.batch()
            self.ledger.take(batch)
            taken.append(batch)
            if durable:
                await self.source.done(batch)
        return taken

    async def until(self, wanted: Callable[[], bool], what: str) -> None:
        """Goes on reading (a source may learn of trouble only when it is asked) until something holds."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        reading = asyncio.ensure_future(anext(self._batches))
        while not wanted():
            if reading.done():
                self.ledger.take(reading.result())
                await self.source.done(reading.result())
                reading = asyncio.ensure_future(anext(self._batches))
            if asyncio.get_running_loop().time() > deadline:
                reading.cancel()
                raise AssertionError(f"not within {PATIENCE} s: {what}; {self.source.health()}")
            await asyncio.wait([reading], timeout=0.02)
        self._batches = _resume(reading, self._batches)

    async def stop(self) -> None:
        """Stops the source, then reads what it still hands out: `batches` must end."""
        await asyncio.wait_for(self.source.stop(), PATIENCE)
        async with asyncio.timeout(PATIENCE):
            async for _ in self._batches:
                pass


async def _resume(reading: "asyncio.Future[Batch]", rest: AsyncIterator[Batch]) -> AsyncIterator[Batch]:
    try:
        yield await reading
    except StopAsyncIteration:
        return
    async for batch in rest:
        yield batch


class SourceConformance:
    """The suite. A kind of source subclasses it and gives the `harness` fixture."""

    @pytest.fixture
    async def ledger(self, harness: Harness) -> Ledger:
        return Ledger(harness.label)

    @pytest.fixture
    async def open(self, harness: Harness, ledger: Ledger) -> AsyncIterator[Callable[[], Reading]]:
        """Makes readings on the same ledger, and stops them all in the end."""
        made: list[Reading] = []

        def reading() -> Reading:
            made.append(Reading(harness.make(), ledger))
            return made[-1]

        yield reading
        for each in made:
            await each.stop()

    def same(self, harness: Harness, ledger: Ledger, expected: list[str]) -> None:
        """Each event once, none missing, none invented."""
        if harness.ordered:
            assert ledger.labels == expected
        else:
            assert sorted(ledger.labels) == sorted(expected)

    async def test_yields_every_event_once(self, harness: Harness, ledger: Ledger, open: Callable[[], Reading]) -> None:
        reading = await open().start()
        expected = await harness.produce(5)
        await reading.take(5)
        expected += await harness.produce(3)
        await reading.take(8)
        self.same(harness, ledger, expected)

    async def test_names_itself_on_every_batch(self, harness: Harness, open: Callable[[], Reading]) -> None:
        reading = await open().start()
        await harness.produce(2)
        batches = await reading.take(2)
        assert {batch.source for batch in batches} == {reading.source.name}
        assert len({batch.keep for batch in batches}) == 1

    async def test_goes_on_from_the_ledger_after_a_restart(
        self, harness: Harness, ledger: Ledger, open: Callable[[], Reading]
    ) -> None:
        first = await open().start()
        expected = await harness.produce(4)
        await first.take(4)
        await first.stop()
        expected += await harness.produce(4)
        second = await open().start()
        await second.take(8)
        self.same(harness, ledger, expected)

    async def test_hands_out_again_what_was_not_durable(
        self, harness: Harness, ledger: Ledger, open: Callable[[], Reading]
    ) -> None:
        first = await open().start()
        before = await harness.produce(2)
        await first.take(2)
        self.same(harness, ledger, before)
        stand = dict(ledger.lanes)
        lost = await harness.produce(3)
        await first.take(5, durable=False)
        await first.stop()
        ledger.forget(stand)
        second = await open().start()
        await second.take(3)
        self.same(harness, ledger, lost)

    async def test_a_consumer_that_comes_late_misses_nothing(
        self, harness: Harness, ledger: Ledger, open: Callable[[], Reading]
    ) -> None:
        reading = await open().start()
        expected = await harness.produce(1)
        await reading.take(1)
        for _ in range(4):
            expected += await harness.produce(10)
        await reading.take(41)
        self.same(harness, ledger, expected)

    async def test_is_connected_once_it_reads(self, harness: Harness, open: Callable[[], Reading]) -> None:
        reading = await open().start()
        await harness.produce(1)
        await reading.take(1)
        await reading.until(lambda: reading.source.health().condition is Condition.CONNECTED, "connected")
        health = reading.source.health()
        assert health.error is None
        assert health.last_event is not None

    async def test_stops_while_it_waits(self, harness: Harness, open: Callable[[], Reading]) -> None:
        reading = await open().start()
        await harness.produce(1)
        await reading.take(1)
        waiting = asyncio.ensure_future(reading.batch())
        await asyncio.wait([waiting], timeout=0.05)
        await asyncio.wait_for(reading.source.stop(), PATIENCE)
        await asyncio.wait([waiting], timeout=PATIENCE)
        assert isinstance(waiting.exception(), StopAsyncIteration), f"not the end of the batches, but {waiting}"
        assert reading.source.health().condition is Condition.STOPPED

    async def test_stops_twice_and_before_it_ran(self, harness: Harness, open: Callable[[], Reading]) -> None:
        reading = open()
        await reading.source.stop()
        await reading.stop()
        assert reading.source.health().condition is Condition.STOPPED


class ReachConformance(SourceConformance):
    """What a source promises besides, whose place can be out of reach."""

    async def test_goes_on_when_its_place_is_back(
        self, harness: Harness, ledger: Ledger, open: Callable[[], Reading]
    ) -> None:
        reading = await open().start()
        expected = await harness.produce(2)
        await reading.take(2)
        await harness.break_it()
        await reading.until(lambda: reading.source.health().condition is not Condition.CONNECTED, "trouble is shown")
        assert reading.source.health().condition in (Condition.CONNECTING, Condition.BROKEN)
        assert reading.source.health().error
        await harness.heal_it()
        expected += await harness.produce(3)
        await reading.take(5)
        self.same(harness, ledger, expected)
        await reading.until(lambda: reading.source.health().condition is Condition.CONNECTED, "connected again")

    async def test_starts_before_its_place_is_there(
        self, harness: Harness, ledger: Ledger, open: Callable[[], Reading]
    ) -> None:
        await harness.break_it()
        reading = await open().start()
        await reading.until(lambda: bool(reading.source.health().error), "the reason is shown")
        assert reading.source.health().condition in (Condition.CONNECTING, Condition.BROKEN)
        await harness.heal_it()
        expected = await harness.produce(2)
        await reading.take(2)
        self.same(harness, ledger, expected)

    async def test_an_acknowledgement_that_fails_delays_nothing(
        self, harness: Harness, open: Callable[[], Reading]
    ) -> None:
        reading = await open().start()
        await harness.produce(2)
        batches = await reading.take(2, durable=False)
        await harness.break_it()
        for batch in batches:
            await asyncio.wait_for(reading.source.done(batch), 2.0)
        await harness.heal_it()
