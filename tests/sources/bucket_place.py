"""A bucket on a real server, as the tests of the bucket source use it, and what the engine keeps of it."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from reactor.model.events import File, RawEvent
from reactor.model.ids import SourceName
from reactor.model.seen import FileSeen
from reactor.model.source import Bucket
from reactor.sources.base import ONLY_LANE, Batch, LaneStart
from reactor.sources.bucket import Access, BucketSource
from reactor.sources.bucket.hints import Channel
from reactor.sources.bucket.opening import objects_of
from reactor.sources.bucket.place import place_of
from tests.clock import MachineClock
from tests.services.proxy import Proxy
from tests.services.s3 import S3

PATIENCE = 30.0
EVERY = "50ms"


class Seen:
    """What was made durable, as the store's writer hands it back."""

    def __init__(self) -> None:
        self.rows: dict[str, FileSeen] = {}

    async def load_files(self, source: SourceName) -> list[FileSeen]:
        return list(self.rows.values())

    def keep(self, batch: Batch) -> None:
        for name in batch.gone:
            self.rows.pop(name, None)
        self.rows |= {row.name: row for row in batch.files}


class Recorded(BucketSource):
    """With the half of the engine that matters here: a batch that is done has its `files` in the store."""

    def __init__(self, spec: Bucket, access: Access, seen: Seen, channel: Channel | None = None) -> None:
        super().__init__(spec, place_of(spec.url), objects_of(spec, access), seen, MachineClock(), channel)
        self.store = seen

    async def done(self, batch: Batch) -> None:
        self.store.keep(batch)
        await super().done(batch)


class Reading:
    """A source with a consumer that takes all there is."""

    def __init__(self, source: Recorded, at: LaneStart | None = None) -> None:
        self.source = source
        self.events: list[RawEvent] = []
        self.at = at
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> "Reading":
        await self.source.start({} if self.at is None else {ONLY_LANE: self.at})
        self._task = asyncio.create_task(self._read())
        return self

    async def stop(self) -> None:
        await self.source.stop()
        if self._task is not None:
            await self._task

    async def _read(self) -> None:
        async with aclosing(self.source.batches()) as batches:  # type: ignore[type-var]
            async for batch in batches:
                self.events += batch.events
                self.at = LaneStart(batch.until, batch.cursor)
                await self.source.done(batch)

    async def until(self, holds: Callable[[], bool]) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not holds():
            assert asyncio.get_running_loop().time() < deadline, f"{len(self.events)} events; {self.source.health()}"
            await asyncio.sleep(0.005)

    async def named(self, *names: str) -> list[File]:
        """Waits for as many events, which are then these and no others."""
        await self.until(lambda: len(self.events) >= len(names))
        assert sorted(f.name for f in self.files) == sorted(names)
        return self.files

    async def listings(self, count: int) -> None:
        """Waits until the bucket was listed so often again."""
        before = self.source.listings
        await self.until(lambda: self.source.listings >= before + count)

    @property
    def files(self) -> list[File]:
        return [e.payload for e in self.events if isinstance(e.payload, File)]


class Somewhere(Protocol):
    """A place for objects."""

    def url(self, pattern: str) -> str: ...
    @property
    def access(self) -> Access: ...
    async def put(self, *names: str, body: bytes = b"x") -> None: ...
    async def delete(self, *names: str) -> None: ...


class Landing:
    """One bucket of a real server."""

    def __init__(self, s3: S3, bucket: str) -> None:
        self.s3, self.bucket = s3, bucket
        self.endpoint, self.secret_key = s3.endpoint, s3.secret_key

    def url(self, pattern: str) -> str:
        return f"s3://{self.bucket}/{pattern}"

    @property
    def access(self) -> Access:
        return Access(self.endpoint, None, SecretStr(self.s3.access_key), SecretStr(self.secret_key))

    async def put(self, *names: str, body: bytes = b"x") -> None:
        await self.s3.put(self.bucket, *names, body=body)

    async def delete(self, *names: str) -> None:
        await self.s3.delete(self.bucket, *names)


class GoogleLanding(Landing):
    """The same bucket, as Google's client is told of it."""

    def url(self, pattern: str) -> str:
        return f"gs://{self.bucket}/{pattern}"


class Folder:
    """A folder, as `file://` has it."""

    access = Access()

    def __init__(self, root: Path) -> None:
        self.root = root

    def url(self, pattern: str) -> str:
        return f"file://{self.root}/{pattern}"

    async def put(self, *names: str, body: bytes = b"x") -> None:
        for name in names:
            place = self.root / name
            place.parent.mkdir(parents=True, exist_ok=True)
            part = self.root / ".part"
            part.write_bytes(body)
            part.rename(place)

    async def delete(self, *names: str) -> None:
        for name in names:
            with suppress(FileNotFoundError):
                (self.root / name).unlink()


class BucketHarness:
    """For the conformance suite: the bucket behind a proxy, which can be cut."""

    ordered = False

    def __init__(self, landing: Landing, proxy: Proxy) -> None:
        self.landing, self.proxy = landing, proxy
        landing.endpoint = f"http://{proxy.bootstrap}"
        self.seen = Seen()
        self.made = 0

    def make(self) -> Recorded:
        return Recorded(Bucket(self.landing.url("in/{n}.csv"), every=EVERY), self.landing.access, self.seen)

    async def produce(self, count: int) -> list[str]:
        labels = [f"{n:06}" for n in range(self.made, self.made + count)]
        self.made += count
        # One by one: what a listing finds meanwhile is then always the first of them.
        await self.landing.s3.put(self.landing.bucket, *(f"in/{label}.csv" for label in labels), at_once=1)
        return labels

    def label(self, event: RawEvent) -> str:
        assert isinstance(event.payload, File)
        return event.payload.fields["n"]

    async def break_it(self) -> None:
        await self.proxy.refuse()

    async def heal_it(self) -> None:
        await self.proxy.accept()


class Open(Protocol):
    """Starts a source on a place."""

    async def __call__(self, where: Somewhere, pattern: str, every: str = EVERY) -> Reading: ...
