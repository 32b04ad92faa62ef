"""A polled query on real SQLite files: every row once, in order, or a clear word why not."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import cast
from uuid import UUID

import msgspec
import pytest

from reactor.model.errors import DefinitionError
from reactor.model.events import Json, RawEvent, Row
from reactor.model.source import Connection, Table
from reactor.sources.base import ONLY_LANE, Condition, LaneStart
from reactor.sources.query import BadAnswer, Query
from reactor.sources.table import TableSource, over_db_api
from reactor.sources.values import pack, plain, unpack
from tests.clock import MachineClock
from tests.sources.conformance import ReachConformance

NAIVE = datetime(2026, 11, 20, 6, 0, 0, 5)  # noqa: DTZ001 - many databases know no zone
QUERY = "select id, day, amount from closings where id > :cursor order by id"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    write(tmp_path, "create table closings (id integer primary key, day text, amount real, at text)")
    return tmp_path


def write(base: Path, *statements: str) -> None:
    with closing(sqlite3.connect(base / "shop.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def closings(base: Path, ids: range, *, at: str = "") -> None:
    with closing(sqlite3.connect(base / "shop.db")) as connection, connection:
        connection.executemany("insert into closings values (?, '2026-11-20', 1.5, ?)", [(i, at) for i in ids])


def table(query: str = QUERY, cursor: str = "id", begin: Json = 0) -> Table:
    return Table("shop.db", query, cursor, begin, every="10ms")


def over(spec: Table, base: Path) -> TableSource:
    return TableSource(spec, over_db_api(spec, base), MachineClock())


def test_rows_come_by_column_name_with_their_cursor(base: Path) -> None:
    closings(base, range(1, 3))
    page = Query(table(), base).after(0)
    assert page.rows == [({"id": i, "day": "2026-11-20", "amount": 1.5}, i) for i in (1, 2)]


@pytest.mark.parametrize("parameter", [":cursor", "?", "@cursor", "$cursor"])
def test_the_parameter_is_written_as_the_driver_wants_it(base: Path, parameter: str) -> None:
    closings(base, range(1, 4))
    query = Query(table(QUERY.replace(":cursor", parameter)), base)
    assert [cursor for _, cursor in query.after(1).rows] == [2, 3]


def test_a_backlog_comes_in_pages_and_no_page_ends_between_equal_cursors(base: Path) -> None:
    for hour in range(5):
        closings(base, range(hour * 400, hour * 400 + 400), at=f"2026-11-20T{hour:02}")
    query = Query(table("select id, at from closings where at > :cursor order by at, id", "at", ""), base)
    first, second = query.after(""), query.after("2026-11-20T01")
    assert [len(first.rows), len(second.rows)] == [800, 800]
    assert len(query.after("2026-11-20T03").rows) == 400


BAD = [
    (QUERY.replace("id, day", "day"), "id", "gives no column 'id' to go on from; it gives day, amount"),
    (QUERY, "ids", "Did you mean 'id'"),
    (QUERY.replace(">", ">="), "id", "Compare with `>`"),
    (QUERY + " desc", "id", "Put `order by id` at its end"),
    (QUERY.replace("amount", "id"), "id", "twice"),
    ("select id, null as n from closings where id > :cursor", "n", "NoneType"),
    ("select id, 'x' as n from closings where id > :cursor", "n", "no order"),
    ("select 7 as n from closings where id > :cursor", "n", "More than 1000 rows have n = 7"),
]


@pytest.mark.parametrize(("query", "cursor", "why"), BAD)
def test_an_answer_that_would_lose_rows_or_never_end_is_refused(base: Path, query: str, cursor: str, why: str) -> None:
    closings(base, range(1_100))
    with pytest.raises(BadAnswer, match=why.replace("(", "\\(").replace("`", "`")):
        Query(table(query, cursor), base).after(0)


def test_a_query_without_a_cursor_is_refused_when_it_is_made(base: Path) -> None:
    with pytest.raises(DefinitionError, match="no parameter for the cursor"):
        Query(table("select * from closings"), base)


def test_it_reads_and_never_writes(base: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        Query(table("insert into closings values (:cursor, '', 0, '') returning id"), base).after(1)


@pytest.mark.parametrize(
    "value",
    [7, 2**70, 1.5, "text", date(2026, 11, 20), NAIVE, datetime(2026, 11, 20, tzinfo=UTC),
     Decimal("1.20"), UUID(int=5), b"\x00\xff"],
)  # fmt: skip
def test_a_cursor_leads_back_to_the_very_same_value(value: object) -> None:
    back = unpack(pack(value))
    assert (back, type(back)) == (value, type(value))


@pytest.mark.parametrize("value", [None, True, float("nan"), Decimal("NaN"), [1], object()])
def test_what_has_no_order_is_no_cursor(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be a cursor"):
        pack(value)


def test_every_value_can_be_written_as_json() -> None:
    odd = {
        "d": Decimal("1.20"),
        "t": NAIVE,
        "b": b"\xff",
        "n": float("nan"),
        "l": [date(2026, 1, 1)],
        "u": UUID(int=1),
    }
    assert msgspec.json.decode(msgspec.json.encode(plain(odd))) == {
        "d": "1.20", "t": "2026-11-20T06:00:00.000005", "b": "/w==", "n": None, "l": ["2026-01-01"],
        "u": str(UUID(int=1)),
    }  # fmt: skip


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)


async def first_error(source: TableSource) -> str:
    await source.start({})
    reading = asyncio.ensure_future(anext(source.batches()))
    await until(lambda: source.health().error is not None)
    health = source.health()
    await source.stop()
    with pytest.raises(StopAsyncIteration):
        await reading
    assert health.condition is Condition.BROKEN
    return health.error or ""


async def test_a_database_that_is_not_there_is_named(base: Path) -> None:
    spec = Table("shopp.db", QUERY, "id", every="10ms")
    error = await first_error(over(spec, base))
    assert "shopp.db cannot be read" in error


async def test_a_query_that_the_database_refuses_is_told_in_its_words(base: Path) -> None:
    error = await first_error(over(table(QUERY.replace("closings", "closing")), base))
    assert "no such table: closing" in error


async def test_a_locked_database_is_asked_again(base: Path) -> None:
    closings(base, range(1, 4))
    source = over(table(), base)
    with closing(sqlite3.connect(base / "shop.db")) as other:
        other.execute("begin exclusive")
        await source.start({})
        reading = asyncio.ensure_future(anext(source.batches()))
        await until(lambda: "locked" in (source.health().error or ""))
        other.rollback()
    batch = await asyncio.wait_for(reading, 10)
    await source.stop()
    assert len(batch.events) == 3


async def test_it_goes_on_behind_the_cursor_of_the_ledger(base: Path) -> None:
    closings(base, range(1, 6))
    source = over(table(), base)
    await source.start({ONLY_LANE: LaneStart(40, "3")})
    batch = await asyncio.wait_for(anext(source.batches()), 10)
    await source.stop()
    assert [(e.position, cast(Row, e.payload)["id"]) for e in batch.events] == [(40, 4), (41, 5)]
    assert (batch.until, batch.cursor, batch.keep) == (42, "5", True)


async def test_any_connection_will_do(base: Path) -> None:
    closings(base, range(1, 3))

    def connect() -> Connection:
        return cast(Connection, sqlite3.connect(base / "shop.db"))

    source = over(Table(connect, QUERY, "id", label="shop"), base)
    await source.start({})
    batch = await asyncio.wait_for(anext(source.batches()), 10)
    await source.stop()
    assert (source.name, len(batch.events)) == ("table:shop", 2)


class TableHarness:
    ordered = True

    def __init__(self, base: Path) -> None:
        self.base = base
        self.made = 0

    def make(self) -> TableSource:
        return over(table(), self.base)

    async def produce(self, count: int) -> list[str]:
        ids = range(self.made + 1, self.made + count + 1)
        self.made += count
        closings(self.base, ids)
        return [str(i) for i in ids]

    def label(self, event: RawEvent) -> str:
        return str(cast(Row, event.payload)["id"])

    async def break_it(self) -> None:
        (self.base / "shop.db").rename(self.base / "away.db")

    async def heal_it(self) -> None:
        (self.base / "away.db").rename(self.base / "shop.db")


class TestTableConformance(ReachConformance):
    @pytest.fixture
    async def harness(self, base: Path) -> TableHarness:
        return TableHarness(base)
