"""Changes of PostgreSQL tables as a source. Our triggers' log wakes it and holds what happened while it was away; the catalogue, compared
every so often, is the truth, and all there is where the triggers could not be installed.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from reactor.model.duration import SECOND, micros
from reactor.model.events import Json, RawEvent, SchemaChange
from reactor.model.ids import Instant, Lane, SourceName
from reactor.model.ports import Clock
from reactor.model.source import PostgresSchema
from reactor.sources.base import ONLY_LANE, Batch, Condition, Health, LaneStart
from reactor.sources.postgres import catalog
from reactor.sources.postgres.catalog import Seen
from reactor.sources.postgres.connect import connect, connected

if TYPE_CHECKING:
    from asyncpg import Connection

LONGEST_PAUSE = 30 * SECOND
COMPARED = "compared"
"""The command of a change that was found by comparing."""


class Known(msgspec.Struct):
    """What is durable: the last line of the log, and a digest of each table's columns."""

    line: int = -1
    """-1: the log was never read."""
    tables: dict[str, str] = {}


class SchemaSource:
    """See the file's head. At its first start every table comes once, as the schema to compare with."""

    def __init__(self, spec: PostgresSchema, dsn: str, clock: Clock) -> None:
        self._spec, self._dsn, self._clock = spec, dsn, clock
        self._every = micros(spec.every)
        self._known = Known()
        self._position = self._failures = 0
        self._first_time = True
        self._bell = asyncio.Event()
        self._stopped = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None
        self._last_event: Instant | None = None
        self._condition, self._error, self._since = Condition.STOPPED, None, clock.now()
        self._mode = ""

    _error: str | None

    @property
    def name(self) -> SourceName:
        return self._spec.name

    async def start(self, lanes: Mapping[Lane, LaneStart]) -> None:
        await self._end_listening()
        at = lanes.get(ONLY_LANE)
        self._first_time = at is None
        self._position = 0 if at is None else at.position
        self._known = msgspec.json.decode(at.cursor, type=Known) if at is not None and at.cursor else Known()
        self._stopped, self._failures = asyncio.Event(), 0
        self._tell(Condition.CONNECTING)
        self._listener = asyncio.create_task(self._listen(), name=f"listen {self.name}")

    async def stop(self) -> None:
        self._stopped.set()
        self._bell.set()
        await self._end_listening()
        self._tell(Condition.STOPPED)

    async def done(self, batch: Batch) -> None:
        """Nobody waits for an answer: the cursor is durable with the batch's position."""

    def health(self) -> Health:
        return Health(self._condition, self._since, None, self._last_event, self._error, self._mode)

    async def batches(self) -> AsyncIterator[Batch]:
        stopped = self._stopped
        while not stopped.is_set():
            self._bell.clear()
            batch = await self._look()
            if stopped.is_set():
                return
            if batch is not None:
                yield batch
            else:
                await self._pause()

    # --- looking

    async def _look(self) -> Batch | None:
        """What changed since what is known; None where nothing did, or it cannot be told."""
        try:
            async with connected(self._dsn) as connection, asyncio.timeout(60):
                seen, line, more = await self._logged(connection)
                if not more:
                    standing = await catalog.standing(connection, self._spec.tables)
                    seen += self._compared(standing, seen)
        except Exception as error:  # noqa: BLE001 - the driver has errors of its own; none of them may end the source
            self._failures += 1
            self._tell(Condition.BROKEN, _told(error))
            return None
        self._failures = 0
        self._tell(Condition.CONNECTED)
        return self._batch(seen, line)

    async def _logged(self, connection: "Connection") -> tuple[list[Seen], int, bool]:
        if not await catalog.has_log(connection):
            self._mode = f"no triggers; compared every {self._spec.every}. `reactor schema install` makes it immediate"
            return [], -1, False
        self._mode = "by triggers"
        if self._known.line < 0:  # what was before us is in the catalogue
            return [], await catalog.newest(connection), False
        return await catalog.logged(connection, self._known.line, self._spec.tables)

    def _compared(self, standing: Mapping[str, Json], seen: list[Seen]) -> list[Seen]:
        """Where the catalogue differs from what is known once the log's lines are."""
        known = dict(self._known.tables)
        for one in seen:
            known[one.name] = _digest(one.columns)
        gone = [Seen(n, None, COMPARED) for n, d in known.items() if n not in standing and d != _digest(None)]
        return [Seen(n, c, COMPARED) for n, c in standing.items() if known.get(n) != _digest(c)] + gone

    def _batch(self, seen: list[Seen], line: int) -> Batch | None:
        tables = dict(self._known.tables)
        changes: list[SchemaChange] = []
        now = self._clock.now()
        for one in seen:
            digest = _digest(one.columns)
            if tables.get(one.name) == digest:
                continue  # an index, a comment, a right: nothing that a reader of the table meets
            if one.columns is None:
                tables.pop(one.name, None)
            else:
                tables[one.name] = digest
            changes.append(SchemaChange("postgres", one.name, one.columns, one.command, now))
        if not changes and line == self._known.line and not self._first_time:
            return None
        self._known = Known(line, tables)
        first, self._position = self._position, self._position + len(changes)
        self._last_event = now if changes else self._last_event
        first_time, self._first_time = self._first_time, False
        events = [RawEvent(change, first + i) for i, change in enumerate(changes)]
        cursor = msgspec.json.encode(self._known).decode()
        return Batch(self.name, ONLY_LANE, first, self._position, events, cursor, keep=True, first_time=first_time)

    # --- waiting

    async def _pause(self) -> None:
        """Until the bell rings, or it is time to compare again."""
        backoff = min(LONGEST_PAUSE, SECOND // 4 * 2 ** min(self._failures, 10)) if self._failures else 0
        sleeping = asyncio.ensure_future(self._clock.sleep(min(self._every, backoff) if backoff else self._every))
        ringing = asyncio.create_task(self._bell.wait())
        try:
            await asyncio.wait([sleeping, ringing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            ringing.cancel()

    async def _listen(self) -> None:
        """Rings the bell at each notification. A connection that is lost is made anew; what it missed is in the log."""
        while not self._stopped.is_set():
            try:
                connection = await connect(self._dsn)
                lost = asyncio.Event()
                connection.add_termination_listener(lambda _, lost=lost: lost.set())
                await connection.add_listener(catalog.CHANNEL, lambda *_: self._bell.set())
                self._bell.set()
                try:
                    await lost.wait()
                finally:
                    connection.terminate()
            except Exception:  # noqa: BLE001, S110 - `batches` meets the same trouble, and says it
                pass
            await self._clock.sleep(SECOND)

    async def _end_listening(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
            self._listener = None

    def _tell(self, condition: Condition, error: str | None = None) -> None:
        if condition is not self._condition:
            self._since = self._clock.now()
        self._condition, self._error = condition, error


def _digest(columns: Json) -> str:
    """Of what a reader of the table can meet; short, since the cursor holds one for each table."""
    return "" if columns is None else hashlib.sha256(msgspec.json.encode(columns, order="sorted")).hexdigest()[:16]


def _told(error: Exception) -> str:
    if isinstance(error, (OSError, TimeoutError)):
        return f"PostgreSQL cannot be reached: {str(error) or 'it did not answer in time'}. It is asked again until it answers."
    return f"PostgreSQL refused: {error} ({type(error).__name__}). It is asked again."
