"""What SQLite raises, as the errors of the house: whose turn it is, and what to do."""

import os
import sqlite3
from pathlib import Path

from reactor.model.errors import (
    ConfigError,
    ReactorError,
    StoreBusy,
    StoreCorrupt,
    StoreFailed,
    StoreFull,
    StoreRefused,
)
from reactor.store.sqlite.schema import damaged

NO_ROOM = 1 << 20
"""Bytes: with less free space than this, a failed write is taken for a full disk, whatever the system called it."""
_LOW_BYTE = 0xFF


def told(error: sqlite3.Error, path: Path) -> ReactorError:
    """The error to raise instead."""
    code = getattr(error, "sqlite_errorcode", 0) & _LOW_BYTE
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
        return StoreFull(
            f"The disk under {path} is full ({error}). Nothing of the transaction was written; nothing is lost, and the sources wait. Make "
            "room: Reactor goes on by itself."
        )
    if code == sqlite3.SQLITE_NOTADB:
        return ConfigError(
            f"{path} is no SQLite database ({error}), or its first page is destroyed. Nothing in it was changed. Name another file as the "
            "database, or put the latest backup in its place."
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return StoreCorrupt(damaged(str(path), str(error)))
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(
            f"Another program keeps {path} locked ({error}). Nothing of the transaction was written. Close what has it open for writing (a "
            "database browser, a backup script), then start again."
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return ConfigError(unusable(path, str(error)))
    if code == sqlite3.SQLITE_CONSTRAINT:
        return StoreRefused(
            f"The ledger refused a transaction: {error} ({name}). That would break a rule that must never break, so nothing of it was "
            "written. This is a defect of Reactor: please report it with this line."
        )
    return StoreFailed(
        f"The disk under {path} failed while it was written: {error} ({name}). Nothing of the transaction was acknowledged. Reactor stops, "
        "because to go on after a failed write can lose data. Look at the disk and the system's log, then start again."
    )


def unusable(path: Path, why: str) -> str:
    """A database that cannot be made or written where it is said to be."""
    return (
        f"The database {path} cannot be used: {why}. The folder and the file must be there and writable for the user that Reactor runs "
        "as (SQLite keeps a -wal and a -shm file beside it). Mend the permissions, or name another place for the database."
    )


def _is_full(path: Path) -> bool:
    try:
        room = os.statvfs(path.parent)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < NO_ROOM
