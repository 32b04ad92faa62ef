"""A database in a folder of its own, with everything that was opened over it closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from reactor.store.base import Reader, Restored, Writer
from reactor.store.sqlite import SqliteReader, SqliteStore


class SqliteKeeper:
    """Engines over one file. A new one is a new process: the lock of the one before is let go, its connection is left as it was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stores: list[SqliteStore] = []
        self.readers: list[SqliteReader] = []

    async def engine(self) -> tuple[Writer, Restored]:
        for store in self.stores:
            store._lock.give_back()
        self.stores.append(SqliteStore(self.path))
        return self.stores[-1], await self.stores[-1].restore("test")

    async def reader(self) -> Reader:
        self.readers.append(await SqliteReader.open(self.path))
        return self.readers[-1]

    async def close(self) -> None:
        for reader in self.readers:
            await reader.close()
        for store in self.stores:
            await store.close()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SqliteKeeper]:
    keeper = SqliteKeeper(tmp_path / "reactor.db")
    yield keeper
    await keeper.close()
