"""A connection on aiosqlite's own thread, and the one way in: a synchronous function, run there in one hop.

aiosqlite offers a coroutine for each statement; a commit is dozens, and a hop costs more than most of them. So whole functions are
handed over. What aiosqlite has for that is private: it is used here and nowhere else.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

import aiosqlite

from reactor.store.sqlite.db import Db
from reactor.store.sqlite.rows import holds, place
from reactor.store.sqlite.trouble import told

P = ParamSpec("P")
T = TypeVar("T")
WAIT = 60.0
"""Seconds to wait, on the connection's own thread, for a lock that another program holds."""


class Link:
    """One connection. `run(work, ...)` calls `work(connection, ...)` on its thread and returns what that returns."""

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        self.path = path
        self._connection = connection

    @staticmethod
    async def open(path: Path, *, read_only: bool = False, wait: float = WAIT) -> "Link":
        mode = "ro" if read_only else "rw"
        try:
            connection = aiosqlite.connect(
                f"file:{quote(str(path))}?mode={mode}",
                uri=True,
                isolation_level=None,
                timeout=wait,
                cached_statements=256,
            )
            connection._thread.daemon = (
                True  # a connection that nobody closed keeps no process alive: what was told is durable
            )
            await connection
        except sqlite3.Error as error:
            raise told(error, path) from error
        return Link(path, connection)

    async def run(self, work: Callable[Concatenate[Db, P], T], *args: P.args, **named: P.kwargs) -> T:
        """Raises the errors of the house in the place of SQLite's."""
        connection = self._connection
        try:
            result: T = await connection._execute(work, connection._conn, *args, **named)  # type: ignore[no-untyped-call]
        except sqlite3.Error as error:
            raise told(error, self.path) from error
        return result

    async def teach(self) -> None:
        """Makes the functions that look into packed columns part of this connection's SQL."""
        await self._connection.create_function("holds", 2, holds, deterministic=True)
        await self._connection.create_function("place", 2, place, deterministic=True)

    async def close(self) -> None:
        await self._connection.close()
