"""Opening the database: what is refused, with which words, and what a fresh file looks like."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reactor.model.errors import ConfigError, NotFound, StoreBusy, StoreCorrupt, StoreTooNew
from reactor.store.base import Transaction
from reactor.store.sqlite import SqliteReader, SqliteStore, schema
from tests.store.conftest import SqliteKeeper
from tests.store.values import event, move, slot

HOLD = """
import asyncio, sys
from pathlib import Path
from reactor.store.sqlite import SqliteStore

async def main():
    await SqliteStore(Path(sys.argv[1])).restore("engine one")
    print("held", flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


async def some_history(keeper: SqliteKeeper) -> None:
    store, restored = await keeper.engine()
    events = [event(n, n, partition=f"p{n}") for n in range(1, 2_000)]
    moved = move(1, 2_000, new=True, ready=1_999)
    await store.commit(
        Transaction(moves=[moved], readiness=events, slots=[slot(e) for e in events], epoch=restored.epoch)
    )
    await keeper.close()


@pytest.fixture
def other_engine(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the database."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "reactor.db")]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    yield child
    child.kill()
    child.communicate()


async def test_a_second_engine_is_refused_and_told_who_holds_the_file(
    tmp_path: Path, other_engine: subprocess.Popen[str]
) -> None:
    second = SqliteStore(tmp_path / "reactor.db")
    with pytest.raises(StoreBusy, match=rf"engine one, process {other_engine.pid} on .*Stop that one first"):
        await second.restore("engine two")
    other_engine.kill()
    other_engine.wait()
    assert (await second.restore("engine two")).epoch == 2
    await second.close()


async def test_a_closed_engine_leaves_the_file_to_the_next(sqlite: SqliteKeeper) -> None:
    first, second = SqliteStore(sqlite.path), SqliteStore(sqlite.path)
    await first.restore("one")
    with pytest.raises(StoreBusy):
        await second.restore("two")
    await first.close()
    assert (await second.restore("two")).epoch == 2
    await second.close()


async def test_only_its_owner_may_read_the_files(sqlite: SqliteKeeper) -> None:
    before = os.umask(0)
    try:
        await sqlite.engine()
    finally:
        os.umask(before)
    modes = {f.name: stat.S_IMODE(f.stat().st_mode) for f in sqlite.path.parent.iterdir()}
    names = ("reactor.db", "reactor.db-wal", "reactor.db-shm", "reactor.db.lock", "reactor.db.mark")
    assert modes == dict.fromkeys(names, 0o600)


async def test_each_commit_is_synced_and_checkpoints_are_our_own(sqlite: SqliteKeeper) -> None:
    store, _ = await sqlite.engine()
    assert isinstance(store, SqliteStore)
    assert store._link is not None
    pragmas = ("page_size", "journal_mode", "synchronous", "wal_autocheckpoint")
    found = {p: await store._link.run(lambda db, p: db.execute(f"PRAGMA {p}").fetchone()[0], p) for p in pragmas}
    assert found == {"page_size": 8192, "journal_mode": "wal", "synchronous": 2, "wal_autocheckpoint": 0}


async def test_a_database_of_a_newer_reactor_is_refused(sqlite: SqliteKeeper) -> None:
    await some_history(sqlite)
    with sqlite3.connect(sqlite.path) as db:
        db.execute(f"PRAGMA user_version = {len(schema.migrations()) + 1}")
    db.close()
    with pytest.raises(StoreTooNew, match="written by a newer Reactor"):
        await SqliteStore(sqlite.path).restore("test")
    with pytest.raises(StoreTooNew):
        await SqliteReader.open(sqlite.path)


async def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE orders (id)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"not one of Reactor's"):
        await SqliteStore(path).restore("test")
    assert path.read_bytes() == before


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"dear diary, " * 1_000)
    with pytest.raises(ConfigError, match="is no SQLite database"):
        await SqliteStore(path).restore("test")
    assert path.read_bytes() == b"dear diary, " * 1_000


async def test_an_empty_file_is_a_fresh_database(tmp_path: Path) -> None:
    path = tmp_path / "reactor.db"
    path.touch()
    store = SqliteStore(path)
    assert (await store.restore("test")).epoch == 1
    await store.close()


@pytest.mark.parametrize("page", [1, 2, 3])
async def test_a_damaged_page_is_found_before_anything_starts(sqlite: SqliteKeeper, page: int) -> None:
    """Whole pages at the schema's root, in the middle and near the end are overwritten."""
    await some_history(sqlite)
    size = sqlite.path.stat().st_size // schema.PAGE
    at = {1: 1, 2: size // 2, 3: size - 2}[page] * schema.PAGE
    with sqlite.path.open("r+b") as file:
        file.seek(at)
        file.write(bytes(range(256)) * 16)
    with pytest.raises(StoreCorrupt, match="Keep the file"):
        await SqliteStore(sqlite.path).restore("test")


async def test_a_folder_that_is_not_there_is_a_setting_to_mend(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be used: .*No such file or directory"):
        await SqliteStore(tmp_path / "nowhere" / "reactor.db").restore("test")


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody can write, root included."""
    place = tmp_path / "read-only"
    place.mkdir(mode=0o500)
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(place)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    yield place
    if mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


async def test_a_folder_that_is_read_only_is_a_setting_to_mend(read_only: Path) -> None:
    if os.access(read_only, os.W_OK):
        pytest.skip("root may write everywhere, and may not mount here")
    with pytest.raises(ConfigError, match="Mend the permissions"):
        await SqliteStore(read_only / "reactor.db").restore("test")


async def test_a_reader_needs_a_database_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no database"):
        await SqliteReader.open(tmp_path / "reactor.db")


async def test_a_reader_writes_nothing(sqlite: SqliteKeeper) -> None:
    await some_history(sqlite)
    reader = await SqliteReader.open(sqlite.path)
    with pytest.raises(ConfigError, match="readonly"):
        await reader._link.run(lambda db: db.execute("DELETE FROM readiness"))
    await reader.close()


async def test_a_store_that_is_not_open_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="restore\\(\\) comes before"):
        await SqliteStore(tmp_path / "reactor.db").commit(Transaction())
