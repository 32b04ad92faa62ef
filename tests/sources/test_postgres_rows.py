"""A polled table of a real PostgreSQL."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
import pytest

from reactor.model.errors import DefinitionError
from reactor.model.events import RawEvent, Row
from reactor.model.source import POSTGRES, Table
from reactor.sources.base import Condition, Source
from reactor.sources.postgres.rows import over_postgres
from reactor.sources.query import BadAnswer
from reactor.sources.table import TableSource
from tests.clock import MachineClock
from tests.services.postgres import Postgres, PostgresServer
from tests.services.wait import eventually
from tests.sources.conformance import ReachConformance

QUERY = "select id, day, amount from closings where id > $1 order by id"
MAKE = "create table closings (id bigint primary key, day date, amount numeric(10, 2), at timestamptz)"


def table(query: str = QUERY, cursor: str = "id", begin: object = 0) -> Table:
    return Table(POSTGRES, query, cursor, begin, every="10ms")


@pytest.fixture
async def dsn(postgres: Postgres) -> str:
    made = await postgres.new_database()
    await postgres.execute(MAKE, dsn=made)
    return made


async def closings(dsn: str, ids: range) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        at = datetime(2026, 11, 20, 6, tzinfo=UTC)
        rows = [(i, at.date(), Decimal("1.50"), at.replace(microsecond=i)) for i in ids]
        await connection.copy_records_to_table("closings", records=rows)
    finally:
        await connection.close()


async def test_rows_come_by_column_name_as_json(dsn: str) -> None:
    await closings(dsn, range(1, 3))
    page = await over_postgres(table(), dsn)(0)
    assert page.rows == [({"id": i, "day": "2026-11-20", "amount": "1.50"}, i) for i in (1, 2)]


async def test_a_time_is_a_cursor_that_comes_back_as_it_was(dsn: str) -> None:
    await closings(dsn, range(1, 4))
    ask = over_postgres(table("select id, at from closings where at > $1 order by at", "at"), dsn)
    first = (await ask(datetime(2026, 1, 1, tzinfo=UTC))).rows
    assert [row["id"] for row, _ in first] == [1, 2, 3]
    assert [row["id"] for row, _ in (await ask(first[0][1])).rows] == [2, 3]


async def test_a_backlog_comes_in_pages(dsn: str) -> None:
    await closings(dsn, range(1, 2_501))
    ask = over_postgres(table(), dsn)
    assert [len((await ask(at)).rows) for at in (0, 1_000, 2_000, 2_500)] == [1_000, 1_000, 500, 0]


async def test_a_query_without_the_cursor_or_with_a_wrong_one_is_refused(dsn: str) -> None:
    await closings(dsn, range(1, 3))
    with pytest.raises(DefinitionError, match="no parameter for the cursor"):
        over_postgres(table("select id from closings"), dsn)
    with pytest.raises(BadAnswer, match="Did you mean 'id'"):
        await over_postgres(table(cursor="ids"), dsn)(0)


async def test_nothing_can_be_written_through_it(dsn: str) -> None:
    ask = over_postgres(
        table("with gone as (delete from closings where id > $1 returning id) select id from gone"), dsn
    )
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await ask(0)


async def test_a_table_that_is_not_there_is_shown_and_asked_again(postgres: Postgres) -> None:
    dsn = await postgres.new_database()
    source = TableSource(table(), over_postgres(table(), dsn), MachineClock())
    await source.start({})
    batches = source.batches()
    waiting = asyncio.ensure_future(anext(batches))
    await eventually(lambda: source.health().condition is Condition.BROKEN)
    assert 'relation "closings" does not exist' in (source.health().error or "")
    await postgres.execute(MAKE, dsn=dsn)
    await closings(dsn, range(1, 2))
    assert [e.position for e in (await waiting).events] == [0]
    await source.stop()


class PostgresHarness:
    ordered = True

    def __init__(self, server: PostgresServer, dsn: str) -> None:
        self._server, self._dsn, self._made = server, dsn, 0

    def make(self) -> Source:
        return TableSource(table(), over_postgres(table(), self._dsn), MachineClock())

    async def produce(self, count: int) -> list[str]:
        first = self._made + 1
        self._made += count
        await closings(self._dsn, range(first, self._made + 1))
        return [str(i) for i in range(first, self._made + 1)]

    def label(self, event: RawEvent) -> str:
        assert isinstance(event.payload, Row)
        return str(event.payload["id"])

    async def break_it(self) -> None:
        await self._server.stop()

    async def heal_it(self) -> None:
        await self._server.start()


class TestPostgresTable(ReachConformance):
    @pytest.fixture
    async def harness(self, own_postgres: PostgresServer) -> PostgresHarness:
        await own_postgres.start()
        dsn = await own_postgres.new_database()
        await own_postgres.execute(MAKE, dsn=dsn)
        return PostgresHarness(own_postgres, dsn)
