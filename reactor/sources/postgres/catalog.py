"""What a database says of its tables: the log that our triggers write, and the catalogue, which is the truth."""

from fnmatch import fnmatchcase
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from reactor.model.events import Json

if TYPE_CHECKING:
    from asyncpg import Connection
else:
    Connection = object

CHANNEL = "reactor_schema"
PAGE = 1_000
HAS_LOG = "SELECT to_regclass('reactor.schema_log') IS NOT NULL"
NEWEST = "SELECT coalesce(max(id), 0) FROM reactor.schema_log"
LOG = "SELECT id, at, command, name, columns FROM reactor.schema_log WHERE id > $1 ORDER BY id LIMIT $2"
TABLES = """
SELECT n.nspname || '.' || k.relname AS name, (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'nullable', NOT a.attnotnull,
        'has_default', a.atthasdef OR a.attidentity <> '', 'position', a.attnum,
        'labels', (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = a.atttypid)) ORDER BY a.attnum), '[]')
    FROM pg_attribute a WHERE a.attrelid = k.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
FROM pg_class k JOIN pg_namespace n ON n.oid = k.relnamespace
WHERE k.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('information_schema', 'reactor') AND n.nspname !~ '^pg_'
ORDER BY 1"""


class Seen(NamedTuple):
    """A table as it was seen. `columns` is None where it is gone."""

    name: str
    columns: Json
    command: str


def install_sql() -> str:
    """What `reactor schema install` runs or prints."""
    return (resources.files(__package__) / "install.sql").read_text("utf-8")


async def has_log(connection: "Connection") -> bool:
    """Whether our triggers were installed there."""
    return bool(await connection.fetchval(HAS_LOG))


async def newest(connection: "Connection") -> int:
    """The number of the log's last line."""
    return int(await connection.fetchval(NEWEST))


async def logged(connection: "Connection", after: int, pattern: str) -> tuple[list[Seen], int, bool]:
    """What the log holds behind a line: the changes of our tables, the last line that was looked at, and whether there may be more."""
    rows = await connection.fetch(LOG, after, PAGE)
    found = [Seen(r["name"], _decoded(r["columns"]), r["command"]) for r in rows if fnmatchcase(r["name"], pattern)]
    return found, rows[-1]["id"] if rows else after, len(rows) == PAGE


async def standing(connection: "Connection", pattern: str) -> dict[str, Json]:
    """The columns of every table that the pattern names, as they are now."""
    rows = await connection.fetch(TABLES)
    return {r["name"]: _decoded(r["columns"]) for r in rows if fnmatchcase(r["name"], pattern)}


def _decoded(columns: str | None) -> Json:
    return None if columns is None else msgspec.json.decode(columns)
