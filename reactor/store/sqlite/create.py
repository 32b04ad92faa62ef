"""Opening the database for the engine: made where there is none, in an order that a power cut cannot hurt."""

import os
from pathlib import Path

from reactor.model.errors import ConfigError
from reactor.store.sqlite import schema
from reactor.store.sqlite.backup import keep_copy
from reactor.store.sqlite.db import Db
from reactor.store.sqlite.disk import sync_folder
from reactor.store.sqlite.link import Link
from reactor.store.sqlite.trouble import unusable


async def open_ledger(path: Path) -> Link:
    """A connection for the writer. Raises ConfigError, StoreTooNew, StoreCorrupt, StoreFull."""
    _make_file(path)
    link = await Link.open(path)
    try:
        await link.run(_prepare, path)
    except BaseException:
        await link.close()
        raise
    return link


def _make_file(path: Path) -> None:
    """Made before SQLite opens it, so that nobody else may read it from its first byte on; its -wal and -shm follow."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise ConfigError(unusable(path, str(error))) from error


def _prepare(db: Db, path: Path) -> None:
    schema.prepare(db, str(path), lambda: sync_folder(path), lambda version: keep_copy(db, path, version))
