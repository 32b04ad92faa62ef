"""The standard workload: the store's own SQL and pragmas, from a file that is not there yet to a ledger that was filled, moved, forgotten and opened
again. What is acknowledged is a number of events; `check` opens what a cut left and says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

import apsw

from reactor.model.errors import ReactorError
from reactor.model.events import Json
from reactor.model.ids import Instant
from reactor.model.run import RunState
from reactor.store.base import Transaction
from reactor.store.sqlite import audit, forget, load, rows, schema
from reactor.store.sqlite.db import Value, transact
from reactor.store.sqlite.write import Known, remember, write
from tests.store.power.disk import Disk
from tests.store.test_sqlite_faults import batch
from tests.store.values import ended

FILE = "/reactor.db"
EVENTS = 4
"""In one commit."""
Instead = Mapping[str, Sequence[str]]
"""A defect that is planted: what runs in the place of a statement."""


class Found:
    def __init__(self, found: list[Json]) -> None:
        self._found = found

    def fetchall(self) -> list[Json]:
        return self.fetchmany(len(self._found))

    def fetchone(self) -> Json:
        return self._found.pop(0) if self._found else None

    def fetchmany(self, size: int, /) -> list[Json]:
        taken, self._found = self._found[:size], self._found[size:]
        return taken


class ApswDb:
    """An apsw connection as the store's SQL expects one."""

    def __init__(self, connection: apsw.Connection, instead: Instead) -> None:
        self._connection, self._instead = connection, instead

    @property
    def in_transaction(self) -> bool:
        return bool(self._connection.in_transaction)

    def execute(self, sql: str, parameters: Sequence[Value] = (), /) -> Found:
        found: list[Json] = []
        for statement in self._instead.get(sql, (sql,)):
            found = self._connection.execute(statement, tuple(parameters)).fetchall() or found
        return Found(found)

    def executemany(self, sql: str, many: Iterable[Sequence[Value]], /) -> None:
        self._connection.executemany(sql, [tuple(r) for r in many])


@contextmanager
def opened(disk: Disk, instead: Instead) -> Iterator[ApswDb]:
    """The ledger as the store opens it; exclusively, since a file system in Python has no shared memory for the log's index."""
    disk.create(FILE)
    with closing(apsw.Connection(FILE, vfs=disk.name)) as connection:
        connection.create_scalar_function("holds", rows.holds, 2, deterministic=True)  # type: ignore[arg-type]
        connection.create_scalar_function("place", rows.place, 2, deterministic=True)  # type: ignore[arg-type]
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        db = ApswDb(connection, instead)
        schema.prepare(db, FILE, (lambda: None) if "sync folder" in instead else disk.sync_folder)
        yield db


class Engine:
    """Commits one batch after the other."""

    def __init__(self, db: ApswDb, disk: Disk) -> None:
        self._db, self._disk = db, disk
        restored = load.take_lease(db, "test")
        self.epoch, self.next = restored.epoch, restored.next_seq
        self.known: Known = {run.id: run for run in restored.open_runs}

    def commit(self) -> None:
        tx = batch(self.next, EVENTS, self.epoch, new=self.next == 1)
        open_runs = [ended(r, RunState.SUCCEEDED, r.order) for r in list(self.known.values())[:EVENTS]]
        tx.runs = [*tx.runs, *open_runs]
        self.write(tx)
        self.next += EVENTS
        self._disk.acknowledge(self.next - 1)

    def write(self, tx: Transaction) -> None:
        transact(self._db, lambda: write(self._db, tx, self.known))
        remember(tx, self.known)

    def checkpoint(self, how: str) -> None:
        self._db.execute(f"PRAGMA wal_checkpoint({how})").fetchall()

    def forget(self, before: int) -> None:
        """What `Writer.forget` does of its own SQL: old runs, and the spans."""
        at = Instant(before)
        for find, remove in ((forget.find_runs, forget.remove_runs), (forget.find_spans, forget.fold_spans)):
            found = find(self._db, at, 100)
            forget.removed(self._db, remove, found, at, self.epoch)


class Patient(Engine):
    """A full disk is waited for, as the engine does: the same transaction is tried again once there is room."""

    def write(self, tx: Transaction) -> None:
        try:
            super().write(tx)
        except apsw.FullError:
            assert not self._db.in_transaction, "a full disk must undo the whole transaction"
            self._disk.fails = None
            super().write(tx)


def play(disk: Disk, instead: Instead, engine_of: type[Engine] = Engine, commits: int = 12) -> None:
    """Everything that happens to a database, in two lives of an engine."""
    for life in range(2):
        with opened(disk, instead) as db:
            engine = engine_of(db, disk)
            for number in range(commits // 2):
                engine.commit()
                if number == 2:
                    engine.checkpoint("PASSIVE")
                if number == 4:
                    engine.checkpoint("TRUNCATE" if life else "PASSIVE")
                    engine.forget(engine.next - EVENTS)


def check(disk: Disk, acknowledged: int) -> str | None:
    """What is wrong with what is left; None where every acknowledged event is there, whole, and a commit more can be made."""
    try:
        with opened(disk, {}) as db:
            return _wrong(db, acknowledged) or _goes_on(db, disk)
    except (apsw.Error, ReactorError) as error:
        return f"cannot be opened: {error}"


def _wrong(db: ApswDb, acknowledged: int) -> str | None:
    totals = audit.totals(db)
    there = totals["readiness"]["events"]
    if there < acknowledged:
        return f"lost: {acknowledged} events were acknowledged, {there} are there"
    lines = audit.balance(db)
    if lines:
        return f"torn: {lines[0]}"
    if there % EVENTS or totals["readiness"]["used"] != there or sum(totals["runs"].values()) != there:
        return f"torn: {totals}"
    return None


def _goes_on(db: ApswDb, disk: Disk) -> str | None:
    engine = Engine(db, disk)
    before = engine.next
    engine.commit()
    return None if load.lanes(db)[0].position == before + EVENTS else "the next commit is not there"
