"""Changes of tables in a real PostgreSQL: by our triggers, after an absence, and by comparing where there are no rights."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from reactor.model.events import RawEvent, SchemaChange
from reactor.model.source import PostgresSchema
from reactor.sources.base import Condition, Source
from reactor.sources.postgres.catalog import install_sql
from reactor.sources.postgres.changes import SchemaSource
from tests.clock import MachineClock
from tests.services.postgres import Postgres, PostgresServer
from tests.sources.conformance import Harness, Ledger, ReachConformance, Reading

Seen = tuple[str, str, list[str] | None]


@pytest.fixture
async def dsn(postgres: Postgres) -> str:
    """A database with our triggers in it."""
    made = await postgres.new_database()
    await postgres.execute(install_sql(), dsn=made)
    return made


def spec(every: str = "1h") -> PostgresSchema:
    """By default so seldom compared that what comes soon comes by the triggers."""
    return PostgresSchema("public.*", every)


def seen(event: RawEvent) -> Seen:
    change = event.payload
    assert isinstance(change, SchemaChange)
    columns = None if change.body is None else [f"{c['name']} {c['type']}" for c in change.body]
    return change.command, change.name, columns


class Watch:
    """A source on one database with what it told; it can be ended and begun again from what is durable."""

    def __init__(self, dsn: str, every: str = "1h") -> None:
        self._dsn, self._every = dsn, every
        self.ledger = Ledger(str)
        self.told: list[Seen] = []
        self.source = SchemaSource(spec(every), dsn, MachineClock())

    async def begin(self) -> "Watch":
        self.source = SchemaSource(spec(self._every), self._dsn, MachineClock())
        self._reading = await Reading(self.source, self.ledger).start()
        return self

    async def next(self) -> list[Seen]:
        batch = await self._reading.batch()
        self.ledger.take(batch)
        return [seen(e) for e in batch.events]

    async def end(self) -> None:
        await self._reading.stop()


@pytest.fixture
async def watch(dsn: str) -> AsyncIterator[Watch]:
    made = await Watch(dsn).begin()
    assert await made.next() == []
    yield made
    await made.end()


async def test_every_change_is_told_with_the_columns_after_it(watch: Watch, dsn: str, postgres: Postgres) -> None:
    for statement, told in (
        ("create table orders (id int primary key, note text)", ["id integer", "note text"]),
        ("alter table orders alter id type bigint", ["id bigint", "note text"]),
        ("alter table orders rename note to remark", ["id bigint", "remark text"]),
        (
            "alter table orders add amount numeric(10,2) not null default 0",
            ["id bigint", "remark text", "amount numeric(10,2)"],
        ),
        ("alter table orders drop remark", ["id bigint", "amount numeric(10,2)"]),
    ):
        await postgres.execute(statement, dsn=dsn)
        command = " ".join(statement.split()[:2]).upper()
        assert await watch.next() == [(command, "public.orders", told)]
    await postgres.execute("drop table orders", dsn=dsn)
    assert await watch.next() == [("DROP TABLE", "public.orders", None)]


async def test_what_no_reader_of_a_table_meets_is_not_told(watch: Watch, dsn: str, postgres: Postgres) -> None:
    await postgres.execute("create table a (id int)", dsn=dsn)
    assert [s[1] for s in await watch.next()] == ["public.a"]
    await postgres.execute(
        "create index on a (id)", "comment on table a is 'x'", "create table reactor.mine (n int)", dsn=dsn
    )
    connection = await asyncpg.connect(dsn)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("alter table a add b int")
    await transaction.rollback()
    await connection.execute("create temp table t (n int)")
    await connection.execute("create table b (id int)")
    await connection.close()
    assert await watch.next() == [("CREATE TABLE", "public.b", ["id integer"])]


async def test_what_happened_during_an_absence_comes_step_by_step(watch: Watch, dsn: str, postgres: Postgres) -> None:
    await watch.end()
    await postgres.execute("create table a (id int)", "alter table a add b int", "alter table a drop b", dsn=dsn)
    await watch.begin()
    assert [c for _, _, c in await watch.next()] == [["id integer"], ["id integer", "b integer"], ["id integer"]]


async def test_where_there_are_no_triggers_the_catalogue_is_compared(postgres: Postgres) -> None:
    dsn = await postgres.new_database()
    await postgres.execute("create table old (id int)", dsn=dsn)
    watch = await Watch(dsn, "50ms").begin()
    assert await watch.next() == [("compared", "public.old", ["id integer"])]
    assert "reactor schema install" in watch.source.health().detail
    await postgres.execute("alter table old add b text", dsn=dsn)
    assert await watch.next() == [("compared", "public.old", ["id integer", "b text"])]
    await postgres.execute("drop table old", dsn=dsn)
    assert await watch.next() == [("compared", "public.old", None)]
    await watch.end()


async def test_a_change_that_the_triggers_missed_is_found_by_comparing(dsn: str, postgres: Postgres) -> None:
    watch = await Watch(dsn, "50ms").begin()
    assert await watch.next() == []
    await postgres.execute("alter event trigger reactor_changes disable", "create table a (id int)", dsn=dsn)
    assert await watch.next() == [("compared", "public.a", ["id integer"])]
    await watch.end()


async def test_what_goes_wrong_in_a_trigger_never_fails_a_statement(dsn: str, postgres: Postgres) -> None:
    await postgres.execute("drop table reactor.schema_log", "create table a (id int)", "drop table a", dsn=dsn)


async def test_a_user_without_rights_on_the_log_makes_tables_and_is_noted(
    watch: Watch, dsn: str, postgres: Postgres
) -> None:
    name = dsn.rpartition("/")[2]
    await postgres.execute(f"create role {name} login", f"grant create on schema public to {name}", dsn=dsn)
    await postgres.execute("create table theirs (id int)", dsn=dsn.replace("postgres@", f"{name}@"))
    assert await watch.next() == [("CREATE TABLE", "public.theirs", ["id integer"])]


async def test_installing_twice_changes_nothing(dsn: str, postgres: Postgres) -> None:
    await postgres.execute("create table a (id int)", install_sql(), dsn=dsn)
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("select count(*) from reactor.schema_log") == 1
    await connection.close()


async def test_a_wrong_password_is_shown_without_it(postgres: Postgres) -> None:
    dsn = (await postgres.new_database()).replace("postgres@", "nobody:s3cret@")
    source = SchemaSource(spec("50ms"), dsn, MachineClock())
    reading = await Reading(source, Ledger(str)).start()
    await reading.until(lambda: source.health().condition is Condition.BROKEN, "broken")
    assert 'role "nobody" does not exist' in (source.health().error or "")
    assert "s3cret" not in (source.health().error or "")
    await reading.stop()


class SchemaHarness:
    ordered = True

    def __init__(self, server: PostgresServer, dsn: str) -> None:
        self._server, self._dsn, self._made = server, dsn, 0

    def make(self) -> Source:
        return SchemaSource(PostgresSchema("public.*", "200ms"), self._dsn, MachineClock())

    async def produce(self, count: int) -> list[str]:
        names = [f"t{self._made + n:06}" for n in range(count)]
        self._made += count
        await self._server.execute(*(f"create table {n} (id int)" for n in names), dsn=self._dsn)
        return names

    def label(self, event: RawEvent) -> str:
        return seen(event)[1].removeprefix("public.")

    async def break_it(self) -> None:
        await self._server.stop()

    async def heal_it(self) -> None:
        await self._server.start()


class TestPostgresSchema(ReachConformance):
    @pytest.fixture
    async def harness(self, own_postgres: PostgresServer) -> Harness:
        await own_postgres.start()
        dsn = await own_postgres.new_database()
        await own_postgres.execute(install_sql(), dsn=dsn)
        return SchemaHarness(own_postgres, dsn)
