"""A polled table of PostgreSQL: the same pages and the same refusals as over DB-API, asked for on the loop."""

from reactor.model.source import Table
from reactor.sources.postgres.connect import connected
from reactor.sources.query import PAGE, Page, Paging
from reactor.sources.table import Ask


def over_postgres(spec: Table, dsn: str) -> Ask:
    """Asks on a fresh connection each time, read-only: no transaction is held open between polls. The cursor is `$1`."""
    paging = Paging(spec)

    async def ask(cursor: object) -> Page:
        async with connected(dsn) as connection, connection.transaction(readonly=True):
            asked = await connection.prepare(spec.query)
            names = [attribute.name for attribute in asked.get_attributes()]
            found = await (await asked.cursor(cursor)).fetch(PAGE + 1)
            return paging.page(cursor, names, [tuple(row) for row in found])

    return ask
