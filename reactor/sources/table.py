"""A polled query as a source: rows beyond the last one seen, page by page. The cursor's value travels with the
position, in one transaction.

Each page is asked for on a fresh connection, read-only where it is a SQLite file: no transaction is held open
between polls, and a file that was replaced is noticed. A database that is locked, absent or wrong is shown as
broken with the reason, and asked again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

from reactor.model.duration import SECOND, micros
from reactor.model.events import RawEvent, Row
from reactor.model.ids import Instant, Lane, SourceName
from reactor.model.ports import Clock
from reactor.model.source import Table
from reactor.sources.base import ONLY_LANE, Batch, Condition, Health, LaneStart
from reactor.sources.query import BadAnswer, Page, Query
from reactor.sources.threads import apart
from reactor.sources.values import pack, plain, unpack

LONGEST_PAUSE = 30 * SECOND


Ask = Callable[[object], Awaitable[Page]]
"""Up to a page of rows beyond a cursor's value."""


def over_db_api(spec: Table, base: Path) -> Ask:
    """Asks over DB-API 2.0, in a thread. A SQLite path is relative to `base`."""
    query = Query(spec, base)

    async def ask(cursor: object) -> Page:
        return await apart(partial(query.after, cursor), f"query {spec.name}")

    return ask


class TableSource:
    """The rows of one query, asked for by `ask`: see `over_db_api` and `reactor.sources.postgres.rows`.

    The cursor's column may hold integers, floats, texts, decimals, dates, datetimes (naive or aware), UUIDs or
    bytes; each comes back to the query as the type that it had. In `Row.values` everything is JSON: bytes are
    base64, what JSON has no type for is text.
    """

    def __init__(self, spec: Table, ask: Ask, clock: Clock) -> None:
        self._spec = spec
        self._clock = clock
        self._after = ask
        self._every = max(micros(spec.every), 1_000)
        self._position = 0
        self._cursor: object = spec.begin
        self._first_time = True
        self._failures = 0
        self._stopped = asyncio.Event()
        self._stopped.set()
        self._last_event: Instant | None = None
        self._condition = Condition.STOPPED
        self._error: str | None = None
        self._since = clock.now()

    @property
    def name(self) -> SourceName:
        return self._spec.name

    async def start(self, lanes: Mapping[Lane, LaneStart]) -> None:
        self._stopped.set()
        self._stopped = asyncio.Event()
        at = lanes.get(ONLY_LANE)
        self._first_time = at is None
        self._position = 0 if at is None else at.position
        self._cursor = unpack(at.cursor) if at is not None and at.cursor else self._spec.begin
        self._failures = 0
        self._tell(Condition.CONNECTING)

    async def stop(self) -> None:
        self._stopped.set()
        self._tell(Condition.STOPPED)

    async def done(self, batch: Batch) -> None:
        """Nobody waits for an answer: the cursor is durable with the batch's position."""

    async def batches(self) -> AsyncIterator[Batch]:
        stopped = self._stopped
        while not stopped.is_set():
            page = await self._ask(stopped)
            if stopped.is_set():
                return
            if page is not None and page.rows:
                yield self._batch(page)
            else:
                await self._pause(stopped)

    def health(self) -> Health:
        detail = f"asked {self._failures} times in vain" if self._failures else ""
        return Health(self._condition, self._since, None, self._last_event, self._error, detail)

    async def _ask(self, stopped: asyncio.Event) -> Page | None:
        asking = asyncio.ensure_future(self._after(self._cursor))
        await _first(asking, stopped)
        if stopped.is_set() or not asking.done():
            asking.cancel()
            return None  # an answer that comes at the end is nobody's: what is told of us is that we stopped
        try:
            page = asking.result()
        except Exception as error:  # noqa: BLE001 - each driver has errors of its own; none of them may end the source
            self._failures += 1
            self._tell(Condition.BROKEN, _told(error))
            return None
        self._failures = 0
        self._tell(Condition.CONNECTED)
        return page

    async def _pause(self, stopped: asyncio.Event) -> None:
        backoff = min(LONGEST_PAUSE, SECOND // 4 * 2 ** min(self._failures, 10)) if self._failures else 0
        sleeping = asyncio.create_task(self._clock.sleep(max(self._every, backoff)))
        await _first(sleeping, stopped)
        sleeping.cancel()

    def _batch(self, page: Page) -> Batch:
        first = self._position
        self._position += len(page.rows)
        self._cursor = page.rows[-1][1]
        self._last_event = self._clock.now()
        events = [RawEvent(Row(values, plain(cursor)), first + i) for i, (values, cursor) in enumerate(page.rows)]
        first_time, self._first_time = self._first_time, False
        text = pack(self._cursor)
        return Batch(self.name, ONLY_LANE, first, self._position, events, text, keep=True, first_time=first_time)

    def _tell(self, condition: Condition, error: str | None = None) -> None:
        if condition is not self._condition:
            self._since = self._clock.now()
        self._condition, self._error = condition, error


async def _first(task: "asyncio.Future[Page] | asyncio.Future[None]", stopped: asyncio.Event) -> None:
    """Returns when the task is over or the source was stopped, whichever comes first."""
    stop = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        task.cancel()
        raise
    finally:
        stop.cancel()


def _told(error: Exception) -> str:
    if isinstance(error, BadAnswer):
        return str(error)
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename} cannot be read: {error.strerror}. It is asked again until it is there."
    if isinstance(error, OSError):
        return f"The database cannot be reached: {error}. It is asked again until it answers."
    return f"The database refused the query: {error} ({type(error).__name__}). It is asked again."
