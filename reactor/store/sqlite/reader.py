"""The ledger in a SQLite file, for whoever looks: `reactor.store.base.Reader`. Opens the file read-only and takes no lock that the engine feels."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from reactor.model.errors import ConfigError, NotFound
from reactor.model.events import DeadLetter, Json, Readiness
from reactor.model.ids import AssetName, PartitionKey, RunId, SourceName, TaskName, WaitKey
from reactor.model.run import Attempt, Run, RunState
from reactor.model.slot import Slot, Wait
from reactor.store.base import AlertRow, Audit, LaneAt, RunFilter, Span, Stored, TopicRecord, Undelivered
from reactor.store.sqlite import audit, load, look, schema
from reactor.store.sqlite.db import Db
from reactor.store.sqlite.link import Link

P = ParamSpec("P")
T = TypeVar("T")
WAIT = 10.0
"""Seconds to wait for a lock: only while the file is being made, or restored by hand."""


class SqliteReader:
    """Made with `SqliteReader.open`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    @staticmethod
    async def open(path: Path) -> "SqliteReader":
        """Raises NotFound where there is no database yet, ConfigError where it is not ours or is older than this version, StoreTooNew."""
        path = path.absolute()
        if not path.exists():
            raise NotFound(
                f"There is no database at {path} yet. `reactor run` and `reactor dev` make it; or name another place for it."
            )
        link = await _open(path)
        return SqliteReader(link)

    async def runs(self, which: RunFilter) -> list[Run]:
        """See `Reader.runs`."""
        return await self._ask(look.runs, which)

    async def run(self, id: str) -> Run | None:
        """See `Reader.run`."""
        return await self._ask(look.run, id)

    async def attempts(self, run: RunId) -> list[Attempt]:
        """Oldest first."""
        return await self._ask(look.attempts, run)

    async def run_counts(self) -> dict[tuple[TaskName, RunState], int]:
        """How many runs each task has in each state."""
        return await self._ask(look.run_counts)

    async def slot(self, asset: AssetName, partition: PartitionKey) -> Slot | None:
        """One slot, where it exists."""
        return await self._ask(look.slot, asset, partition)

    async def held(self, limit: int) -> list[Slot]:
        """See `Reader.held`."""
        return await self._ask(look.held, limit)

    async def slots(self, asset: AssetName, limit: int) -> list[Slot]:
        """See `Reader.slots`."""
        return await self._ask(look.slots, asset, limit)

    async def wait(self, task: TaskName, key: WaitKey) -> Wait | None:
        """One wait, where it exists."""
        return await self._ask(look.wait, task, key)

    async def waits(self, task: TaskName, limit: int) -> list[Wait]:
        """See `Reader.waits`."""
        return await self._ask(look.waits, task, limit)

    async def events(self, after: int | None, limit: int, asset: AssetName | None = None) -> list[Stored]:
        """See `Reader.events`."""
        return await self._ask(look.events, after, limit, asset)

    async def last_arrival(self, asset: AssetName) -> Readiness | None:
        """The newest event of an asset that is still kept."""
        return await self._ask(look.last_arrival, asset)

    async def lanes(self) -> list[LaneAt]:
        """Where every lane stands."""
        return await self._ask(load.lanes)

    async def spans(self, source: SourceName | None, limit: int) -> list[Span]:
        """See `Reader.spans`."""
        return await self._ask(look.spans, source, limit)

    async def dead(self, state: str | None, limit: int) -> list[DeadLetter]:
        """See `Reader.dead`."""
        return await self._ask(look.dead, state, limit)

    async def dead_letter(self, id: int) -> DeadLetter | None:
        """One dead letter, where it exists."""
        return await self._ask(look.dead_letter, id)

    async def alerts(self, after: int, limit: int) -> list[AlertRow]:
        """See `Reader.alerts`."""
        return await self._ask(look.alerts, after, limit)

    async def undelivered(self, limit: int) -> list[Undelivered]:
        """See `Reader.undelivered`."""
        return await self._ask(look.undelivered, limit)

    async def audits(self, limit: int) -> list[Audit]:
        """See `Reader.audits`."""
        return await self._ask(look.audits, limit)

    async def topic(self, topic: str, offset: int, limit: int) -> list[TopicRecord]:
        """See `Reader.topic`."""
        return await self._ask(look.topic, topic, offset, limit)

    async def topic_ends(self) -> dict[str, tuple[int, int]]:
        """See `Reader.topic_ends`."""
        return await self._ask(look.topic_ends)

    async def balance(self) -> Iterable[str]:
        """See `Reader.balance`. On a connection of its own, since it reads everything and others are waiting."""
        return await self._apart(audit.balance)

    async def totals(self) -> Mapping[str, Json]:
        """See `Reader.totals`."""
        return await self._apart(audit.totals)

    async def close(self) -> None:
        await self._link.close()

    async def _ask(self, question: Callable[Concatenate[Db, P], T], *args: P.args, **named: P.kwargs) -> T:
        return await self._link.run(question, *args, **named)

    async def _apart(self, question: Callable[[Db], T]) -> T:
        link = await _open(self._link.path)
        try:
            return await link.run(question)
        finally:
            await link.close()


async def _open(path: Path) -> Link:
    link = await Link.open(path, read_only=True, wait=WAIT)
    try:
        await link.teach()
        await link.run(_is_readable, str(path))
    except BaseException:
        await link.close()
        raise
    return link


def _is_readable(db: Db, place: str) -> None:
    scripts = schema.migrations()
    version = schema.check(db, scripts, place)
    if version < len(scripts):
        raise ConfigError(
            f"{place} has schema {version}, and this Reactor reads {len(scripts)}. Start the service once: it brings the database up to date."
        )
