"""How a database file becomes a ledger: the pragmas, in an order that survives a power cut, and the migrations, forward only.

Connection-agnostic (see `db`): the power-cut tests cut this very code at every write.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from importlib import resources

from reactor.model.errors import ConfigError, StoreCorrupt, StoreTooNew
from reactor.store.sqlite.db import Db, transact

APPLICATION = 0x52454143
"""`REAC`: how one of our files is told from anybody else's."""
PAGE = 8192
"""Bytes of a page: half as many levels, and half as many pages to write, as with SQLite's 4 KiB."""


def migrations() -> list[str]:
    """The scripts in their order: the n-th makes version n."""
    folder = resources.files(__package__) / "migrations"
    found = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return [f.read_text(encoding="utf-8") for f in found]


def prepare(
    db: Db, place: str, sync_folder: Callable[[], None], keep_copy: Callable[[int], object] = lambda version: None
) -> None:
    """From whatever the file holds to a ledger of this version. Nothing may be acknowledged before this returns. `keep_copy`: called before
    an older schema, whose version it is told, is changed.
    """
    scripts = migrations()
    version = check(db, scripts, place)
    convert(db)
    sync_folder()
    sound(db, place)
    if 0 < version < len(scripts):
        keep_copy(version)
    migrate(db, scripts, place)
    sync_folder()
    settle(db)


def convert(db: Db) -> None:
    """The pragmas under which the file is made.

    EXTRA comes first: switching a fresh file to WAL removes its rollback journal, and a removal that the disk forgets brings that journal back
    and undoes the switch with everything that was acknowledged since. EXTRA syncs the folder; set after the switch it is too late.
    """
    db.execute(f"PRAGMA page_size = {PAGE}")
    db.execute("PRAGMA synchronous = EXTRA")
    mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise ConfigError(
            f"SQLite keeps its journal as {mode!r} here and cannot switch to WAL: this file system has no shared memory for it (a "
            "network folder, perhaps). Put the database on a local disk."
        )


def settle(db: Db) -> None:
    """The pragmas of every day: each commit syncs the log; checkpoints are ours to make, between commits."""
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.execute("PRAGMA cache_size = -65536")
    db.execute("PRAGMA temp_store = MEMORY")


def migrate(db: Db, scripts: Sequence[str], place: str) -> None:
    """Brings the schema to the newest version, in one transaction. Raises StoreTooNew, ConfigError where the file is somebody else's."""
    version = check(db, scripts, place)
    if version == len(scripts):
        return

    def work() -> None:
        for script in scripts[version:]:
            for statement in statements(script):
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute(f"PRAGMA user_version = {len(scripts)}")

    transact(db, work)


def check(db: Db, scripts: Sequence[str], place: str) -> int:
    """The version of its schema; 0 where it is empty."""
    application: int = db.execute("PRAGMA application_id").fetchone()[0]
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    tables: int = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION and (application or version or tables):
        raise ConfigError(
            f"{place} is a SQLite database, but not one of Reactor's: it holds other tables. Nothing in it was changed. Name another "
            "file as the database."
        )
    if version > len(scripts):
        raise StoreTooNew(
            f"{place} has schema {version}, written by a newer Reactor; this one knows {len(scripts)}. Opening it could lose what this "
            "one cannot read, so nothing was changed. Use the newer version, or another database."
        )
    return version


def sound(db: Db, place: str) -> None:
    """Raises StoreCorrupt where a page, an index or a constraint does not hold together. Reads the whole file once."""
    found = [str(row[0]) for row in db.execute("PRAGMA quick_check(3)").fetchall()]
    if found != ["ok"]:
        raise StoreCorrupt(damaged(place, "; ".join(found)))


def damaged(place: str, what: str) -> str:
    return (
        f"{place} is damaged: {what}. A failing disk, or a copy that was made while it was written, does this. Nothing was started on it. "
        "Keep the file and its -wal for a look, and put the latest backup in its place."
    )


def statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: a trigger's body holds semicolons of its own."""
    part = ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            yield part
            part = ""
