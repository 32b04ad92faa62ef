"""One pattern of objects as a source: listings and the inventory, joined to the contract of `reactor.sources.base`.

What was announced travels in `Batch.files`, and what is to be forgotten in `Batch.gone`, in the same transaction as the
position and the effects. So after a crash the next listing finds exactly what was not announced yet.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from itertools import islice
from typing import Protocol

from reactor.model.duration import SECOND, micros, spell
from reactor.model.events import File, RawEvent
from reactor.model.ids import Instant, Lane, SourceName
from reactor.model.ports import Clock
from reactor.model.seen import FileSeen
from reactor.model.source import Bucket
from reactor.sources.base import ONLY_LANE, Batch, Condition, Health, LaneStart, SeenFiles
from reactor.sources.bucket.hints import Channel, Hints, Notice
from reactor.sources.bucket.inventory import Announcement, Inventory, Sighting, Signature
from reactor.sources.bucket.place import Place
from reactor.sources.bucket.trouble import OutOfReach

BATCH = 1_000
LOOKS = 32
"""Objects that are asked for by their names at once."""
SLICE = 10_000
"""Names that are compared before the loop has its turn."""
BACKLOG = 10_000
"""With more than this waiting to be taken, nothing is listed: what there is would only be found again."""
FIRST_PAUSE, LONGEST_PAUSE = SECOND // 4, 30 * SECOND


class Objects(Protocol):
    """What the source needs of a bucket: `reactor.sources.bucket.objects` is one."""

    def pages(self) -> AsyncGenerator[list[Sighting], None]: ...
    async def look(self, name: str) -> Sighting | None: ...


class BucketSource:
    """Objects by a pattern. `place` is the spec's URL, taken apart."""

    def __init__(
        self,
        spec: Bucket,
        place: Place,
        objects: Objects,
        seen: SeenFiles,
        clock: Clock,
        channel: Channel | None = None,
    ) -> None:
        self._spec, self._place, self._objects, self._seen, self._clock = spec, place, objects, seen, clock
        self._channel = channel
        self._every = max(micros(spec.every), SECOND // 100)
        self._task: asyncio.Task[None] | None = None
        self.listings = 0
        """How often the bucket was listed to its end."""
        self._last_event: Instant | None = None
        self._reset(LaneStart(0), first_time=True)
        self._tell(Condition.STOPPED)

    @property
    def name(self) -> SourceName:
        return self._spec.name

    async def start(self, lanes: Mapping[Lane, LaneStart]) -> None:
        """See `Source.start`."""
        await self.stop()
        self._reset(lanes.get(ONLY_LANE, LaneStart(0)), first_time=ONLY_LANE not in lanes)
        self._tell(Condition.CONNECTING)
        self._task = asyncio.create_task(self._run(), name=f"source {self.name}")
        self._task.add_done_callback(lambda _: self._more.set())

    async def stop(self) -> None:
        """See `Source.stop`."""
        task, self._task = self._task, None
        self._hints.closed.set()
        self._more.set()
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):  # what ended it is raised where it is awaited: `batches`
                await task
        self._tell(Condition.STOPPED)

    async def done(self, batch: Batch) -> None:
        """See `Source.done`. Only the notifications wait for it: what was seen is durable by the batch's own transaction."""
        self._hints.done(batch.until)

    def health(self) -> Health:
        """See `Source.health`."""
        parts = [f"{len(self._inventory.seen)} objects known, listed {self.listings} times"]
        if self._hints.refused:
            parts.append(f"{self._hints.refused} notifications not understood, the last: {self._hints.last_refusal}")
        detail, error = "; ".join(parts), self._error
        deaf = self._deaf or (self._channel.trouble() if self._channel is not None else "")
        if deaf and self._condition is Condition.CONNECTED:
            error = f"No notification comes, so it is listed every {spell(self._every)} and no sooner. {deaf}"
        return Health(
            self._condition, self._since, len(self._inventory.ready), self._last_event, error, detail
        )  # fmt: skip

    async def batches(self) -> AsyncIterator[Batch]:
        """See `Source.batches`."""
        while (task := self._task) is not None:
            await self._more.wait()
            if task.done() and task is self._task:
                task.result()  # raises what ended it
                return
            batch = self._next()
            if batch is not None and task is self._task:
                yield batch

    def _reset(self, at: LaneStart, *, first_time: bool) -> None:
        self._position = at.position
        self._first_time = first_time
        self._inventory = Inventory({})
        self._markers: dict[str, Signature] = {}
        self._failures = 0
        self._deaf = ""
        self._asked = asyncio.Event()
        self._more = asyncio.Event()
        self._turn = asyncio.Lock()
        self._hints = Hints(self._place, self._asked.set)

    # What goes on in the background -----------------------------------------------------------------------------

    async def _run(self) -> None:
        self._inventory = Inventory(await self._remembered())
        self._asked.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._polls())
            group.create_task(self._listings())
            if self._channel is not None:
                group.create_task(self._listens(self._channel))
                group.create_task(self._looks())

    async def _remembered(self) -> dict[str, tuple[Signature, int]]:
        rows = iter(await self._seen.load_files(self.name))
        seen: dict[str, tuple[Signature, int]] = {}
        while some := list(islice(rows, SLICE)):
            seen |= {r.name: (Signature(r.inode, r.size, r.mtime_ns // 1_000), r.version) for r in some}
            await asyncio.sleep(0)
        return seen

    async def _polls(self) -> None:
        while True:
            await self._clock.sleep(self._every)
            self._asked.set()

    async def _listings(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            if len(self._inventory.ready) >= BACKLOG:
                continue
            unsure = self._hints.for_listing()
            try:
                await self._list()
            except OutOfReach as error:
                self._hints.left_to_listing(unsure)
                self._asked.set()
                await self._failed(error)
            else:
                self.listings += 1
                for name, notices in unsure.items():
                    self._hints.looked(name, notices, ready=name in self._inventory.ready)
                self._worked()

    async def _list(self) -> None:
        """One listing, page by page. The loop has its turn between any two."""
        self._inventory.begin()
        async with aclosing(self._objects.pages()) as pages:
            async for page in pages:
                async with self._turn:
                    for sighting in await self._without_markers(page):
                        self._inventory.listed(sighting)
                await asyncio.sleep(0)
        names = iter(list(self._inventory.seen))
        absent: list[str] = []
        while some := list(islice(names, SLICE)):
            absent += self._inventory.absent(some)
            await asyncio.sleep(0)
        self._inventory.end(absent)

    async def _without_markers(self, page: list[Sighting]) -> list[Sighting]:
        """Consoles make an empty object `in/` for a folder, and a listing tells it as `in`. Whoever asks for `in` is told
        that there is none: so what is empty and new is asked for.
        """
        empty = (s for s in page if s.signature.size == 0 and self._inventory.is_new(s))
        unsure = iter([s for s in empty if self._markers.get(s.name) != s.signature])
        while some := list(islice(unsure, LOOKS)):
            looks = await asyncio.gather(*(self._objects.look(s.name) for s in some))
            self._markers |= {s.name: s.signature for s, there in zip(some, looks, strict=True) if there is None}
        return [s for s in page if self._markers.get(s.name) != s.signature]

    async def _looks(self) -> None:
        """At what notifications named. No page is read between a look and what is made of it: it could be older."""
        while True:
            asked = await self._hints.next(LOOKS)
            async with self._turn:
                found = await asyncio.gather(*(self._objects.look(n) for n in asked), return_exceptions=True)
                for (name, notices), what in zip(asked.items(), found, strict=True):
                    self._looked(name, notices, what)
            self._more.set()
            if any(isinstance(what, OutOfReach) for what in found):
                self._asked.set()  # a listing says what is wrong, and where nothing is, it finds what the look did not
                await self._clock.sleep(FIRST_PAUSE)

    def _looked(self, name: str, notices: list[Notice], found: Sighting | BaseException | None) -> None:
        if isinstance(found, OutOfReach):
            self._hints.left_to_listing({name: notices})
        elif isinstance(found, BaseException):
            raise found
        else:
            self._inventory.looked_at(name, found)
            self._hints.looked(name, notices, ready=name in self._inventory.ready)

    async def _listens(self, channel: Channel) -> None:
        """What ends a way of notifications does not end the source: without them it is listed all the same."""
        while True:
            try:
                await channel.run(self._hints)
            except Exception as error:  # noqa: BLE001 - brokers and queues have errors of their own
                self._deaf = str(error) or type(error).__name__
            await self._clock.sleep(LONGEST_PAUSE)
            self._deaf = ""

    # What the engine is handed ----------------------------------------------------------------------------------

    def _next(self) -> Batch | None:
        made, gone = self._inventory.take(BATCH), self._inventory.take_gone(BATCH)
        if not made and not gone:
            self._more.clear()
            self._hints.nothing_to_tell()
            return None
        first = self._position
        names = [a.sighting.name for a in made]
        self._position += len(made) + len(gone)  # a name that is forgotten takes a place of its own, without an event
        if made:
            self._last_event = self._clock.now()
        batch = Batch(
            self.name, ONLY_LANE, first, self._position, [self._event(a, first + i) for i, a in enumerate(made)],
            keep=True, first_time=self._first_time, files=[self._row(a) for a in made], gone=gone,
        )  # fmt: skip
        self._first_time = False
        self._hints.handed_out(names, batch.until, self._inventory.ready)
        return batch

    def _row(self, made: Announcement) -> FileSeen:
        name, _, (digest, size, modified) = made.sighting
        return FileSeen(self.name, name, digest, size, modified * 1_000, made.version)

    def _event(self, made: Announcement, position: int) -> RawEvent:
        name, etag, signature = made.sighting
        fields, at = self._place.fields(name) or {}, Instant(signature.modified)
        payload = File(f"{self._place.root}/{name}", name, fields, signature.size, at, made.version, etag)
        # By its content and not by its version: what was forgotten and comes back begins at version 1 again.
        return RawEvent(payload, position, f"{name}#{etag}@{signature.modified // SECOND}")

    # How it goes ------------------------------------------------------------------------------------------------

    def _worked(self) -> None:
        self._failures = 0
        self._tell(Condition.CONNECTED)
        self._more.set()

    async def _failed(self, error: OutOfReach) -> None:
        self._tell(Condition.BROKEN, str(error))
        pause = min(FIRST_PAUSE << min(self._failures, 10), max(self._every, FIRST_PAUSE), LONGEST_PAUSE)
        self._failures += 1
        await self._clock.sleep(pause)

    def _tell(self, condition: Condition, error: str | None = None) -> None:
        if condition is not getattr(self, "_condition", None):
            self._since = self._clock.now()
        self._condition, self._error = condition, error
