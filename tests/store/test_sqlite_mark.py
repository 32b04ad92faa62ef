"""A ledger that went back in time is noticed: a backup that was put back, a log that is gone or damaged. Real files throughout."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reactor.model.errors import NotFound, StoreBusy, StoreOlder
from reactor.model.ids import Instant
from reactor.store.base import Audit, Transaction
from reactor.store.sqlite import SqliteReader, SqliteStore
from reactor.store.sqlite.restored import accept_restored, went_back
from tests.store.values import event, move, slot

WHY = Audit(Instant(5), "ann", "accept restored ledger", "reactor.db", "the disk died")


class Life:
    """An engine that takes in one event with each commit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = SqliteStore(path)
        self._epoch = 0
        self._at = 0

    async def begin(self) -> Life:
        restored = await self.store.restore("test")
        self._epoch = restored.epoch
        self._at = restored.lanes[0].position if restored.lanes else 1
        return self

    async def commit(self, times: int) -> None:
        for _ in range(times):
            n, self._at = self._at, self._at + 1
            e = event(n, n, partition=f"p{n}")
            moved = move(n, n + 1, new=n == 1, ready=1)
            await self.store.commit(Transaction(moves=[moved], readiness=[e], slots=[slot(e)], epoch=self._epoch))

    async def crash(self) -> Path:
        """The files as a crash leaves them, in a folder of their own."""
        after = self.path.parent / f"after {self._at}"
        after.mkdir()
        for file in self.path.parent.glob("reactor.db*"):
            shutil.copy(file, after)
        await self.store.close()
        return after / self.path.name


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reactor.db"


def backup(path: Path, to: Path) -> None:
    with closing(sqlite3.connect(path)) as db, closing(sqlite3.connect(to)) as copy:
        db.backup(copy)


def put_back(path: Path, copy: Path) -> None:
    for name in ("-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
    shutil.copy(copy, path)


async def lived(path: Path, times: int) -> None:
    life = await Life(path).begin()
    await life.commit(times)
    await life.store.close()


async def test_a_backup_that_was_put_back_is_refused_and_left_as_it_is(path: Path) -> None:
    await lived(path, 20)
    copy = path.with_name("monday")
    backup(path, copy)
    await lived(path, 30)
    put_back(path, copy)
    with pytest.raises(StoreOlder) as refused:
        await SqliteStore(path).restore("test")
    said = str(refused.value)
    assert "went back in time: it holds 1 starts of the service where it once had 2" in said
    assert "20 readiness events where it once had 50" in said
    assert "21 positions of its sources where it once had 51" in said
    assert "reactor restored --reason" in said
    assert await went_back(path), "and asking changes nothing"
    with pytest.raises(StoreOlder):
        await SqliteStore(path).restore("test")


async def test_somebody_may_say_that_it_is_meant_so_once_and_the_audit_log_says_who(path: Path) -> None:
    await lived(path, 20)
    copy = path.with_name("monday")
    backup(path, copy)
    await lived(path, 5)
    put_back(path, copy)
    behind = await accept_restored(path, WHY)
    assert behind == await _detail(path)
    assert await accept_restored(path, WHY) == "", "nothing is left to accept"
    await lived(path, 3)
    assert await went_back(path) == ""


async def _detail(path: Path) -> str:
    reader = await SqliteReader.open(path)
    (line,) = await reader.audits(10)
    await reader.close()
    assert (line.actor, line.action) == ("ann", "accept restored ledger")
    assert line.detail.startswith("the disk died (it holds ")
    return line.detail.removeprefix("the disk died (").removesuffix(")")


async def killed(path: Path) -> Path:
    """An engine that had taken in 5 events before, and notes how far it is at 100 of its own, in the log still."""
    await lived(path, 5)
    life = await Life(path).begin()
    await life.commit(100)
    assert life.store._link is not None
    await life.store._link.run(life.store._mark.write)
    await life.commit(10)
    return await life.crash()


async def test_a_log_that_is_gone_is_noticed(path: Path) -> None:
    after = await killed(path)
    after.with_name("reactor.db-wal").unlink()
    with pytest.raises(StoreOlder, match="5 readiness events where it once had 105"):
        await SqliteStore(after).restore("test")


async def test_a_bit_that_flips_in_the_log_is_noticed(path: Path) -> None:
    """SQLite takes what comes before it, calls that whole, and forgets the rest in silence."""
    after = await killed(path)
    log = after.with_name("reactor.db-wal")
    body = bytearray(log.read_bytes())
    body[len(body) // 2] ^= 1
    log.write_bytes(body)
    with closing(sqlite3.connect(after)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    with pytest.raises(StoreOlder, match="readiness events where it once had 105"):
        await SqliteStore(after).restore("test")


async def test_it_is_noted_while_the_service_lives_too(path: Path) -> None:
    life = await Life(path).begin()
    await life.commit(7)
    await life.store.checkpoint()
    assert b'"readiness":7' in path.with_name("reactor.db.mark").read_bytes()
    await life.store.close()


async def test_a_database_that_was_removed_is_no_fresh_one(path: Path) -> None:
    await lived(path, 5)
    path.unlink()
    for name in ("-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
    with pytest.raises(StoreOlder, match="0 readiness events where it once had 5"):
        await SqliteStore(path).restore("test")


async def test_an_engine_that_was_killed_is_no_reason_for_alarm(path: Path) -> None:
    for _ in range(3):
        life = await Life(path).begin()
        await life.commit(10)
        path = await life.crash()
    store = SqliteStore(path)
    restored = await store.restore("test")
    await store.close()
    assert (restored.epoch, restored.next_seq) == (4, 31)


async def test_a_mark_that_cannot_be_read_is_not_taken_for_none(path: Path) -> None:
    await lived(path, 5)
    path.with_name("reactor.db.mark").write_text('{"starts": "many"}')
    with pytest.raises(StoreOlder, match=r"how far it had come cannot be read from .*reactor\.db\.mark"):
        await SqliteStore(path).restore("test")
    assert await accept_restored(path, WHY)
    await lived(path, 1)


async def test_it_cannot_be_accepted_under_a_running_engine(path: Path) -> None:
    life = await Life(path).begin()
    with pytest.raises(StoreBusy):
        await accept_restored(path, WHY)
    await life.store.close()


async def test_what_is_not_there_did_not_go_back(path: Path) -> None:
    with pytest.raises(NotFound):
        await went_back(path)
