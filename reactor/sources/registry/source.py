"""A schema registry as a source: what was registered, deleted, or made more or less strict since the last look. What it was, is in the cursor."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from fnmatch import fnmatchcase

import msgspec

from reactor.model.duration import SECOND, micros
from reactor.model.events import RawEvent, SchemaChange
from reactor.model.ids import Instant, Lane, SourceName
from reactor.model.ports import Clock
from reactor.model.source import RegistrySchema
from reactor.sources.base import ONLY_LANE, Batch, Condition, Health, LaneStart
from reactor.sources.registry.client import NotThere, RegistryAt, RegistryClient, asking

LONGEST_PAUSE = 60 * SECOND
REGISTERED, DELETED, LEVEL = "registered", "deleted", "compatibility"


class Subject(msgspec.Struct, frozen=True):
    """What is known of one: the versions that stand, and the level of compatibility."""

    versions: tuple[int, ...] = ()
    level: str = ""


class RegistrySource:
    """See the file's head. At its first start every version comes, oldest first, so that the newest is the one to compare with."""

    def __init__(self, spec: RegistrySchema, at: RegistryAt, clock: Clock) -> None:
        self._spec, self._at, self._clock = spec, at, clock
        self._every = micros(spec.every)
        self._known: dict[str, Subject] = {}
        self._position = self._failures = 0
        self._first_time = True
        self._stopped = asyncio.Event()
        self._last_event: Instant | None = None
        self._condition, self._since = Condition.STOPPED, clock.now()
        self._error: str | None = None

    @property
    def name(self) -> SourceName:
        return self._spec.name

    async def start(self, lanes: Mapping[Lane, LaneStart]) -> None:
        at = lanes.get(ONLY_LANE)
        self._first_time = at is None
        self._position = 0 if at is None else at.position
        known = at.cursor if at is not None and at.cursor else "{}"
        self._known = msgspec.json.decode(known, type=dict[str, Subject])
        self._stopped, self._failures = asyncio.Event(), 0
        self._tell(Condition.CONNECTING)

    async def stop(self) -> None:
        self._stopped.set()
        self._tell(Condition.STOPPED)

    async def done(self, batch: Batch) -> None:
        """Nobody waits for an answer: the cursor is durable with the batch's position."""

    def health(self) -> Health:
        detail = f"{len(self._known)} subjects" if self._condition is Condition.CONNECTED else ""
        return Health(self._condition, self._since, None, self._last_event, self._error, detail)

    async def batches(self) -> AsyncIterator[Batch]:
        stopped = self._stopped
        while not stopped.is_set():
            looking = asyncio.create_task(self._look())
            await _either(looking, stopped)
            if stopped.is_set():
                looking.cancel()
                return
            batch = looking.result()
            if batch is not None:
                yield batch
            else:
                await self._pause(stopped)

    async def _look(self) -> Batch | None:
        """What changed since what is known; None where nothing did, or it cannot be told."""
        try:
            async with asking(self._at) as client:
                found = await self._changes(client)
        except Exception as error:  # noqa: BLE001 - whatever the network has in store; none of it may end the source
            self._failures += 1
            self._tell(Condition.BROKEN, _told(error))
            return None
        self._failures = 0
        self._tell(Condition.CONNECTED)
        known, changes = found
        if not changes and known == self._known and not self._first_time:
            return None
        self._known = known
        return self._batch(changes)

    async def _changes(self, client: RegistryClient) -> tuple[dict[str, Subject], list[SchemaChange]]:
        names = [s for s in await client.subjects() if fnmatchcase(s, self._spec.subjects)]
        looked = await asyncio.gather(*(self._subject(client, name) for name in sorted(names)))
        known = {name: subject for name, subject, _ in looked if subject.versions}
        changes = [change for _, _, found in looked for change in found]
        gone = [n for n in self._known if n not in known and not any(n == name for name, _, _ in looked)]
        changes += [SchemaChange("", n, None, DELETED, self._clock.now()) for n in gone]
        return known, changes

    async def _subject(self, client: RegistryClient, name: str) -> tuple[str, Subject, list[SchemaChange]]:
        before = self._known.get(name, Subject())
        try:
            now = Subject(tuple(await client.versions(name)), await client.level(name))
            fresh = [await client.version(name, n) for n in now.versions if n not in before.versions]
        except NotThere:
            now, fresh = Subject(), []  # it went while we looked
        at = self._clock.now()
        changes = [SchemaChange(v.kind, name, v.text, REGISTERED, at, str(v.number)) for v in fresh]
        lost = [n for n in before.versions if n not in now.versions]
        newest = now.versions[-1] if now.versions else None
        if newest is None:
            return name, now, [SchemaChange("", name, None, DELETED, at)] if before.versions else []
        if lost and lost[-1] > newest:  # the newest one was taken back: the one before it holds again
            stands = await client.version(name, newest)
            changes.append(SchemaChange(stands.kind, name, stands.text, f"{DELETED} {lost[-1]}", at, str(newest)))
        if before.versions and now.level != before.level:
            stands = await client.version(name, newest)
            changes.append(SchemaChange(stands.kind, name, stands.text, f"{LEVEL} {now.level}", at, str(newest)))
        return name, now, changes

    def _batch(self, changes: list[SchemaChange]) -> Batch:
        first, self._position = self._position, self._position + len(changes)
        self._last_event = self._clock.now() if changes else self._last_event
        first_time, self._first_time = self._first_time, False
        events = [RawEvent(change, first + i) for i, change in enumerate(changes)]
        cursor = msgspec.json.encode(self._known).decode()
        return Batch(self.name, ONLY_LANE, first, self._position, events, cursor, keep=True, first_time=first_time)

    async def _pause(self, stopped: asyncio.Event) -> None:
        backoff = min(LONGEST_PAUSE, SECOND // 4 * 2 ** min(self._failures, 10)) if self._failures else 0
        sleeping = asyncio.ensure_future(self._clock.sleep(max(self._every, backoff)))
        await _either(sleeping, stopped)
        sleeping.cancel()

    def _tell(self, condition: Condition, error: str | None = None) -> None:
        if condition is not self._condition:
            self._since = self._clock.now()
        self._condition, self._error = condition, error


async def _either(task: "asyncio.Future[Batch | None] | asyncio.Future[None]", stopped: asyncio.Event) -> None:
    stop = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        task.cancel()
        raise
    finally:
        stop.cancel()


def _told(error: Exception) -> str:
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    return f"The schema registry cannot be asked: {what}. Until it answers, nobody can tell whether a schema changed; it is asked again."
