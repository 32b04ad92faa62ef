"""Full disks, killed processes, locks of other programs: nothing that was acknowledged is lost, and work goes on once it can."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reactor.model.errors import StoreFull
from reactor.model.ids import Instant
from reactor.store.base import Reader, Transaction
from reactor.store.sqlite import SqliteReader, SqliteStore, keep
from tests.store.conftest import SqliteKeeper
from tests.store.values import event, item, move, run, slot, wait

KILLS = int(os.environ.get("REACTOR_STORE_KILLS", "12"))


def batch(first: int, count: int, epoch: int, *, new: bool = False) -> Transaction:
    """Events with a slot, a wait and a run each, whole or not at all."""
    events = [event(n, n, partition=f"p{n}") for n in range(first, first + count)]
    return Transaction(
        moves=[move(first, first + count, new=new, ready=count)],
        readiness=events,
        offered=[(e.seq, 2) for e in events],
        slots=[slot(e) for e in events],
        waits=[wait(item(e), key=e.partition, task="other") for e in events],
        runs=[run(e.seq, item(e), key=e.partition) for e in events],
        epoch=epoch,
    )


async def holds_together(reader: Reader, events: int) -> None:
    """The first `events` of the ledger are there, each with all that was written with it, and nothing else."""
    assert list(await reader.balance()) == []
    totals = await reader.totals()
    assert totals["readiness"] == {"events": events, "offered": 2 * events, "pending": events, "used": events}
    assert sum(totals["runs"].values()) == events
    lanes = await reader.lanes()
    assert [at.position for at in lanes] == ([events + 1] if events else [])


async def test_a_full_disk_undoes_the_transaction_whole_and_lets_it_be_tried_again(sqlite: SqliteKeeper) -> None:
    store, restored = await sqlite.engine()
    assert isinstance(store, SqliteStore)
    assert store._link is not None
    await store.commit(batch(1, 10, restored.epoch, new=True))
    pages = await store._link.run(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    await store._link.run(lambda db: db.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone())
    more = batch(11, 500, restored.epoch)
    for _ in range(3):
        with pytest.raises(StoreFull, match="nothing is lost"):
            await store.commit(more)
    reader = await sqlite.reader()
    await holds_together(reader, 10)
    await store._link.run(lambda db: db.execute("PRAGMA max_page_count = 1000000").fetchone())
    await store.commit(more)
    await holds_together(reader, 510)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


async def fits(store: SqliteStore, transaction: Transaction) -> bool:
    try:
        await store.commit(transaction)
    except StoreFull:
        return False
    return True


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
async def test_a_real_disk_that_fills_up_and_is_cleared(small_disk: Path) -> None:
    store = SqliteStore(small_disk / "reactor.db")
    epoch = (await store.restore("test")).epoch
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1 << 20))
    done = 0
    while await fits(store, batch(done + 1, 50, epoch, new=done == 0)):
        done += 50
    with pytest.raises(StoreFull):
        await store.commit(batch(done + 1, 50, epoch, new=done == 0))
    ballast.unlink()
    await store.commit(batch(done + 1, 50, epoch, new=done == 0))
    await store.close()
    reader = await SqliteReader.open(small_disk / "reactor.db")
    await holds_together(reader, done + 50)
    await reader.close()


LOOP = """
import asyncio, sys
from pathlib import Path
from reactor.store.sqlite import SqliteStore
from tests.store.test_sqlite_faults import batch

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    restored = await store.restore("child")
    seq, new = restored.next_seq, not restored.lanes
    while True:
        await store.commit(batch(seq, 20, restored.epoch, new=new))
        seq, new = seq + 20, False
        sys.stdout.write(f"{seq - 1}\\n")
        sys.stdout.flush()

asyncio.run(main())
"""


async def test_a_killed_engine_loses_nothing_that_it_reported(tmp_path: Path) -> None:
    """The child says after each commit how far it is; what it said last must be there, whole, and at most one commit more."""
    path = tmp_path / "reactor.db"
    there = 0
    for kill in range(KILLS):
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            LOOP,
            str(path),
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        )
        assert child.stdout is not None
        said = b""
        for _ in range(1 + kill % 5):
            said = await child.stdout.readline()
        child.kill()
        rest = (await child.communicate())[0].split()
        reported = int(rest[-1] if rest else said)
        reader = await SqliteReader.open(path)
        events = (await reader.totals())["readiness"]["events"]
        assert there < reported <= events <= reported + 20
        await holds_together(reader, events)
        await reader.close()
        there = events


async def test_a_program_that_locks_the_file_for_a_while_is_waited_for(sqlite: SqliteKeeper) -> None:
    store, restored = await sqlite.engine()
    with closing(sqlite3.connect(sqlite.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        commit = asyncio.create_task(store.commit(Transaction(meta={"a": "b"}, epoch=restored.epoch)))
        reader = await sqlite.reader()
        assert await reader.lanes() == []  # who reads is not kept waiting
        assert not commit.done()
        other.execute("ROLLBACK")
    await commit


async def test_the_log_is_moved_and_cut_while_commits_go_on(
    sqlite: SqliteKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep, "MOVE_EVERY", 1 << 18)
    monkeypatch.setattr(keep, "CUT_ABOVE", 1 << 20)
    store, restored = await sqlite.engine()
    sizes = []
    for n in range(40):
        await store.commit(batch(1 + n * 100, 100, restored.epoch, new=n == 0))
        sizes.append(sqlite.path.with_name("reactor.db-wal").stat().st_size)
        await asyncio.sleep(0)
    await store.checkpoint()
    assert max(sizes) < 8 << 20
    assert sqlite.path.stat().st_size > 1 << 20
    await holds_together(await sqlite.reader(), 4_000)


async def test_an_open_query_does_not_stop_retention_or_commits(sqlite: SqliteKeeper) -> None:
    store, restored = await sqlite.engine()
    await store.commit(batch(1, 100, restored.epoch, new=True))
    with closing(sqlite3.connect(sqlite.path, isolation_level=None)) as other:
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM readiness").fetchone() == (100,)
        await store.commit(batch(101, 100, restored.epoch))
        await store.checkpoint()
        await store.forget(Instant(10**9), Instant(0), 100)
        assert other.execute("SELECT count(*) FROM readiness").fetchone() == (100,)
    await holds_together(await sqlite.reader(), 200)
