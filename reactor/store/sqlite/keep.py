"""The write-ahead log: what is in it moves to the file on a second connection, so that no commit waits for it."""

import asyncio
import contextlib
import logging
from pathlib import Path

from reactor.model.errors import ReactorError
from reactor.store.sqlite.db import Db
from reactor.store.sqlite.link import Link

log = logging.getLogger(__name__)

MOVE_EVERY = 32 << 20
"""Bytes that the log grows by before its pages are moved."""
CUT_ABOVE = 128 << 20
"""Bytes of log above which it is cut, between two commits: under a steady load the moving alone never catches up with its end."""
AT_ONCE = 0.05
"""Seconds that the second connection waits for anybody."""


class LogKeeper:
    """Looks after the log of one writer."""

    def __init__(self, path: Path, writer: Link) -> None:
        self._log = path.with_name(path.name + "-wal")
        self._path, self._writer = path, writer
        self._mover: Link | None = None
        self._moved_at = 0
        self._moving: asyncio.Task[None] | None = None

    async def link(self) -> Link:
        """The second connection: opened when it is first asked for."""
        if self._mover is None:
            self._mover = await Link.open(self._path, wait=AT_ONCE)
            await self._mover.teach()
        return self._mover

    def committed(self) -> None:
        """After a commit: begins to move pages in the background where the log has grown enough."""
        size = self._size()
        if size < self._moved_at:
            self._moved_at = 0
        if size - self._moved_at >= MOVE_EVERY and (self._moving is None or self._moving.done()):
            self._moving = asyncio.create_task(self._move_quietly(), name="write-ahead log")

    async def move(self) -> None:
        """Moves what can be moved without waiting for anybody; cuts a log that is too long."""
        link = await self.link()
        self._moved_at = self._size()
        await link.run(_checkpoint, "PASSIVE")
        if self._size() > CUT_ABOVE:
            await self._writer.run(_cut)

    async def close(self) -> None:
        if self._moving is not None:
            await asyncio.wait([self._moving])
        if self._mover is not None:
            await self._mover.close()

    async def _move_quietly(self) -> None:
        """What fails here hurts no promise: the log holds everything, and the next commit finds out what is wrong with the disk."""
        try:
            await self.move()
        except ReactorError as error:
            log.warning("The write-ahead log could not be moved into the database; it is tried again. %s", error)

    def _size(self) -> int:
        with contextlib.suppress(OSError):
            return self._log.stat().st_size
        return 0


def _checkpoint(db: Db, how: str) -> None:
    db.execute(f"PRAGMA wal_checkpoint({how})").fetchall()


def _cut(db: Db) -> None:
    """On the writer's own connection, so no commit is under way. A reader in the middle of a query keeps it from being cut; then next time."""
    db.execute("PRAGMA busy_timeout = 0").fetchall()
    try:
        _checkpoint(db, "TRUNCATE")
    finally:
        db.execute("PRAGMA busy_timeout = 60000").fetchall()
