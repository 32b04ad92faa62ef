"""The ledger in a SQLite file, for the engine: `reactor.store.base.Writer`."""

import logging
from collections.abc import Mapping
from pathlib import Path

from reactor.model.errors import ConfigError, ReactorError, StoreCorrupt, StoreFailed
from reactor.model.ids import Instant, SensorName, SourceName, TaskName, WaitKey
from reactor.model.seen import FileSeen
from reactor.model.slot import Wait
from reactor.store.base import Found, Restored, Transaction, Wanted
from reactor.store.sqlite import load
from reactor.store.sqlite.create import open_ledger
from reactor.store.sqlite.db import Db, Scrubbed, transact
from reactor.store.sqlite.forget import Forgetting
from reactor.store.sqlite.keep import LogKeeper
from reactor.store.sqlite.link import Link
from reactor.store.sqlite.lock import EngineLock
from reactor.store.sqlite.mark import Mark
from reactor.store.sqlite.write import Known, remember, write

log = logging.getLogger(__name__)


class SqliteStore:
    """One file, one engine. Nothing is opened before `restore`; `close` gives the file back."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._lock, self._mark = EngineLock(self._path), Mark(self._path)
        self._link: Link | None = None
        self._loads: Link | None = None
        self._keeper: LogKeeper | None = None
        self._forgetting: Forgetting | None = None
        self._known: Known = {}
        self._epoch = 0
        self._broken: ReactorError | None = None

    async def restore(self, holder: str) -> Restored:
        """See `Writer.restore`. Raises besides: ConfigError, StoreTooNew, StoreOlder, StoreCorrupt, StoreFull. Makes the file where there is none."""
        if self._link is None:
            self._lock.take(holder)
            try:
                self._link = await self._opened()
            except BaseException:
                self._lock.give_back()
                raise
        self._loads = self._loads or await Link.open(self._path, read_only=True)
        self._keeper = self._keeper or LogKeeper(self._path, self._link)
        restored = await self._link.run(load.take_lease, holder)
        await self._link.run(self._mark.write)
        self._epoch = restored.epoch
        self._forgetting = Forgetting(self._link, self._keeper, restored.epoch)
        self._known = {run.id: run for run in restored.open_runs}
        return restored

    async def load(self, wanted: Wanted) -> Found:
        """See `Writer.load`. On a connection of its own, so that it does not stand behind a commit."""
        self._open()
        assert self._loads is not None, "opened with the other one"
        return await self._loads.run(load.load, wanted)

    async def _opened(self) -> Link:
        link = await open_ledger(self._path)
        try:
            await link.run(self._mark.check)
        except BaseException:
            await link.close()
            raise
        return link

    async def load_files(self, source: SourceName) -> list[FileSeen]:
        """See `Writer.load_files`."""
        return await self._open().run(load.files, source)

    async def load_states(self) -> dict[SensorName, bytes]:
        """See `Writer.load_states`."""
        return await self._open().run(load.states)

    async def waits_of(self, task: TaskName, after: WaitKey | None, limit: int) -> list[Wait]:
        """See `Writer.waits_of`."""
        return await self._open().run(load.held, task, after, limit)

    async def commit(self, transaction: Transaction) -> Mapping[str, int]:
        """See `Writer.commit`. Raises besides: StoreRefused, StoreFailed, StoreBusy where another program keeps the file locked."""
        link = self._open()
        if self._broken is not None:
            raise self._broken
        try:
            ends = await link.run(_commit, transaction, self._known)
        except (StoreFailed, StoreCorrupt) as error:
            self._broken = error  # a failed sync may have thrown away what was written before it: never go on
            raise
        if self._keeper is not None:
            self._keeper.committed()
        return ends

    async def forget(self, before: Instant, seen_before: Instant, most: int) -> int:
        """See `Writer.forget`. What may go is found on a second connection; only its removal waits between two commits."""
        self._open()
        return 0 if self._forgetting is None else await self._forgetting.step(before, seen_before, most)

    async def checkpoint(self) -> None:
        """See `Writer.checkpoint`."""
        self._open()
        if self._keeper is not None:
            await self._keeper.move()
            await (await self._keeper.link()).run(self._mark.write)

    async def close(self) -> None:
        """Gives the database back, for the next engine. May be called twice."""
        try:
            if self._keeper is not None:
                await self._keeper.close()
            if self._loads is not None:
                await self._loads.close()
            if self._link is not None:
                await self._leave(self._link)
        finally:
            self._keeper = self._link = self._loads = None
            self._lock.give_back()

    async def _leave(self, link: Link) -> None:
        try:
            await link.run(self._mark.write)
        except ReactorError as error:
            log.warning("How far the ledger has come could not be read at its end: %s", error)
        finally:
            await link.close()

    def _open(self) -> Link:
        if self._link is None:
            raise ConfigError(
                f"The database {self._path} is not open: restore() comes before anything else, and close() last."
            )
        return self._link


def _commit(db: Db, tx: Transaction, known: Known) -> dict[str, int]:
    try:
        ends = transact(db, lambda: write(db, tx, known))
    except UnicodeEncodeError:
        scrubbed = Scrubbed(db)
        ends = transact(scrubbed, lambda: write(scrubbed, tx, known))
    remember(tx, known)
    return ends
