"""Before the schema of a ledger changes, it is copied: whole, private, and the newest alone is kept."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from reactor.model.errors import ConfigError
from reactor.store.sqlite import SqliteStore, schema

NEWEST = len(schema.migrations())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reactor.db"


def old(path: Path, version: int) -> None:
    """A ledger that an older Reactor left, with its last commits in the log."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        schema.convert(db)
        schema.migrate(db, schema.migrations()[:version], "old")
        db.execute("INSERT INTO audit (at, actor, action, object, detail) VALUES (1, 'ann', 'cancel', 'r1', '')")


async def start(path: Path) -> None:
    store = SqliteStore(path)
    await store.restore("test")
    await store.close()


def copies(path: Path) -> list[str]:
    return sorted(p.name for p in path.parent.glob("reactor.db.schema*"))


def seen(path: Path) -> tuple[int, int, list[tuple[str]]]:
    with closing(sqlite3.connect(path)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        application = db.execute("PRAGMA application_id").fetchone()[0]
        return version, application, db.execute("SELECT actor FROM audit").fetchall()


async def test_an_older_ledger_is_copied_as_it_was_and_the_log_says_where(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old(path, 1)
    with caplog.at_level(logging.WARNING):
        await start(path)
    copy = path.with_name("reactor.db.schema-1")
    assert seen(copy) == (1, schema.APPLICATION, [("ann",)])
    assert seen(path)[0] == NEWEST
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert f"As it was, it is kept in {copy}." in caplog.text


async def test_the_newest_copy_alone_is_kept_and_the_way_back_is_open(path: Path) -> None:
    old(path, 1)
    await start(path)
    path.unlink()
    path.with_name("reactor.db.mark").unlink()
    old(path, 2)
    await start(path)
    assert copies(path) == ["reactor.db.schema-2"]
    shutil.copy(path.with_name("reactor.db.schema-2"), path.with_name("again.db"))
    await start(path.with_name("again.db"))
    assert seen(path.with_name("again.db"))[0] == NEWEST


async def test_a_fresh_ledger_and_one_of_this_version_are_not_copied(path: Path) -> None:
    await start(path)
    await start(path)
    assert copies(path) == []


async def test_without_a_copy_nothing_is_changed(path: Path) -> None:
    old(path, 1)
    path.with_name("reactor.db.schema-1.new").mkdir()
    with pytest.raises(ConfigError, match=r"copied to .*reactor\.db\.schema-1; that failed: .*Nothing was changed"):
        await start(path)
    assert seen(path)[0] == 1
