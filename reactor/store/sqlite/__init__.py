"""The embedded keeper: SQLite through aiosqlite, one file, one engine. May know: `reactor.model`, the contract in `reactor.store.base`, SQLite."""

from reactor.store.sqlite.reader import SqliteReader
from reactor.store.sqlite.store import SqliteStore

__all__ = ["SqliteReader", "SqliteStore"]
