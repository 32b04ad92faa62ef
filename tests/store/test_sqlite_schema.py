"""The schema: every old one is brought to the newest, and the words in its CHECKs are those of the model."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum
from pathlib import Path

import pytest

from reactor.model.commands import AlertKind
from reactor.model.events import Dispose, Status
from reactor.model.ids import AssetName, PartitionKey
from reactor.model.run import TRANSITIONS, Reason, RunState
from reactor.store.base import Wanted
from reactor.store.sqlite import SqliteStore, load, look, schema
from reactor.store.sqlite.db import CHUNKS, _keyed
from reactor.store.sqlite.forget import OLD_RUNS, OLD_SPANS
from reactor.store.sqlite.write import MOVE, RUN_PLACED


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        schema.convert(connection)
        schema.migrate(connection, schema.migrations(), "x.db")
        yield connection


def described(db: sqlite3.Connection) -> list[tuple[str, str]]:
    return db.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name").fetchall()


def words(db: sqlite3.Connection, table: str, column: str) -> set[str]:
    sql: str = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    found = re.search(rf"CHECK \({column} IN \((.*?)\)\)", sql, re.DOTALL)
    assert found is not None
    return set(re.findall(r"'(.*?)'", found[1]))


@pytest.mark.parametrize(
    ("table", "column", "enum"),
    [
        ("run", "state", RunState),
        ("run", "reason", Reason),
        ("readiness", "status", Status),
        ("disposition", "outcome", Dispose),
        ("alert", "kind", AlertKind),
    ],
)
def test_the_database_knows_the_words_of_the_model(
    db: sqlite3.Connection, table: str, column: str, enum: type[StrEnum]
) -> None:
    assert words(db, table, column) == {e.value for e in enum}


def test_the_states_are_those_of_the_transition_table(db: sqlite3.Connection) -> None:
    reached = {to.value for moves in TRANSITIONS.values() for to in moves.values()}
    assert words(db, "run", "state") == reached == {s.value for s in TRANSITIONS}


def test_migrations_are_numbered_without_a_hole() -> None:
    folder = Path(schema.__file__).parent / "migrations"
    names = sorted(p.name for p in folder.glob("*.sql"))
    assert [int(n[:4]) for n in names] == list(range(1, len(names) + 1))


@pytest.mark.parametrize("version", range(len(schema.migrations()) + 1))
async def test_every_older_schema_is_brought_to_the_newest(
    tmp_path: Path, db: sqlite3.Connection, version: int
) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        schema.convert(old)
        schema.migrate(old, schema.migrations()[:version], "old.db") if version else None
    store = SqliteStore(path)
    await store.restore("test")
    await store.close()
    with closing(sqlite3.connect(path)) as now:
        assert described(now) == described(db)
        assert now.execute("PRAGMA user_version").fetchone()[0] == len(schema.migrations())


def test_what_a_table_held_is_there_when_it_was_made_anew(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as old:
        schema.convert(old)
        schema.migrate(old, schema.migrations()[:1], "old.db")
        old.execute("INSERT INTO disposition VALUES (7, 't', 'filtered', 'why', 8)")
        old.execute("INSERT INTO alert VALUES (3, 'k', 'late', 'o', 's', 't', 9)")
        old.execute("INSERT INTO slot VALUES ('a', 'p', 1, 2, 'e', 3, x'7b7d', 'r', NULL)")
        schema.migrate(old, schema.migrations(), "old.db")
        assert old.execute("SELECT * FROM disposition").fetchall() == [(7, "t", "filtered", "why", 8)]
        assert old.execute("SELECT * FROM alert").fetchall()[0][:7] == (3, "k", "late", "o", "s", "t", 9)
        assert load.load(old, Wanted(slots=[(AssetName("a"), PartitionKey("p"))])).slots[0].held is None
        old.execute("INSERT INTO alert (key, kind, owner, subject, text, at) VALUES ('l', 'held', 'o', 's', 't', 9)")
        assert old.execute("SELECT max(id) FROM alert").fetchone() == (4,)


def test_a_migration_that_fails_leaves_the_schema_as_it_was(db: sqlite3.Connection) -> None:
    before = described(db)
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(db, [*schema.migrations(), "CREATE TABLE more (a);\nCREATE TABLE more (a);\n"], "x.db")
    assert described(db) == before
    assert schema.check(db, schema.migrations(), "x.db") == len(schema.migrations())


def test_the_audit_log_only_grows(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO audit (at, actor, action, object, detail) VALUES (1, 'eve', 'cancel', 'x', '')")
    for sql in ("DELETE FROM audit", "UPDATE audit SET actor = 'adam'"):
        with pytest.raises(sqlite3.IntegrityError, match="only grows"):
            db.execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        *(_keyed(sql, 2, CHUNKS[0]) for sql in (load.SLOTS, load.WAITS, load.SEEN)),
        _keyed(load.RUNS, 1, 1),
        _keyed(look.DISPOSITIONS, 1, 1),
        load.OPEN_RUNS,
        load.HELD,
        load.FILES,
        look.LAST,
        look.SLOTS,
        look.HELD,
        look.RECORDS,
        look.ALERTS,
        look.EVENTS + "e.asset = ? AND e.seq > ? ORDER BY e.seq LIMIT ?",
        look.RUNS + "r.state = ? ORDER BY r.ord DESC LIMIT ?",
        OLD_RUNS,
        OLD_SPANS,
        MOVE,
        RUN_PLACED,
    ],
)
def test_what_is_asked_often_never_reads_a_whole_table(db: sqlite3.Connection, sql: str) -> None:
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?"))]
    assert not [step for step in plan if step.startswith("SCAN") and "CONSTANT ROW" not in step and step != "SCAN k"], (
        plan
    )
