"""Columns of SQL tables: PostgreSQL's types as `format_type` spells them, and what other databases call the same.

`COLUMNS` is the question to PostgreSQL whose rows `of_columns` reads. `of_information_schema` reads rows of
`information_schema.columns`, for those who may not look into the catalog.
"""

import re
from collections.abc import Iterable, Mapping

import msgspec

from reactor.model.events import Json
from reactor.model.schema import Basis, Dialect, Field, Schema, SchemaError
from reactor.model.schema.types import Bytes, Decimal, Enum, ListOf, Opaque, Scalar, Text, Time, Timestamp, Type

COLUMNS = """
select a.attname as name,
       format_type(a.atttypid, a.atttypmod) as type,
       not a.attnotnull as nullable,
       a.atthasdef or a.attidentity <> '' as has_default,
       a.attnum as position,
       (select array_agg(e.enumlabel::text order by e.enumsortorder) from pg_enum e where e.enumtypid = a.atttypid) as labels
  from pg_attribute a
 where a.attrelid = $1::text::regclass and a.attnum > 0 and not a.attisdropped
 order by a.attnum
"""
"""The columns of one table, `$1` its name; run by whoever holds a connection."""

_INTEGERS = {
    "int16": "smallint int2 smallserial",
    "int32": "integer int int4 serial",
    "int64": "bigint int8 bigserial",
    "int8": "tinyint",
}
_PLAIN: Mapping[str, Type] = {
    **{word: Scalar(name) for name, words in _INTEGERS.items() for word in words.split()},
    "boolean": Scalar("boolean"),
    "bool": Scalar("boolean"),
    "real": Scalar("float32"),
    "float4": Scalar("float32"),
    "double precision": Scalar("float64"),
    "float8": Scalar("float64"),
    "float64": Scalar("float64"),
    "float": Scalar("float64"),
    "double": Scalar("float64"),
    "int64": Scalar("int64"),
    "date": Scalar("date"),
    "uuid": Scalar("uuid"),
    "bytea": Bytes(),
    "blob": Bytes(),
    "text": Text(),
    "string": Text(),
    "name": Text(63),
}
_SIZED = re.compile(r"([a-z][a-z0-9_ ]*?)\s*\(\s*(\d+)\s*(?:,\s*(-?\d+)\s*)?\)(.*)", re.IGNORECASE)
_TEXTS = ("character varying", "varchar", "character", "char", "bpchar", "nvarchar")
_NUMBERS = ("numeric", "decimal", "number")
_ZONED = {
    "timestamp with time zone": True,
    "timestamptz": True,
    "timestamp_tz": True,
    "timestamp without time zone": False,
    "timestamp": False,
    "timestamp_ntz": False,
    "datetime": False,
}


class Column(msgspec.Struct, frozen=True):
    """One column of a table. `position` is what the database knows it by, also after it was renamed."""

    name: str
    type: str
    nullable: bool = True
    has_default: bool = False
    position: int | None = None
    labels: tuple[str, ...] | None = None
    """The values of an enum."""


def of_columns(columns: Iterable[Column | Mapping[str, Json]], *, basis: Basis = Basis.CONTRACT) -> Schema:
    """The columns of a table: `Column`s, or rows with their fields, such as those that `COLUMNS` asks for."""
    return Schema(tuple(_field(_column(c)) for c in columns), Dialect.COMMON, basis)


def of_information_schema(rows: Iterable[Mapping[str, Json]]) -> Schema:
    """Rows of `information_schema.columns`. Enums have no labels there, so they are known by their name alone."""
    return of_columns(_spelled(dict(row)) for row in rows)


def sql_type(text: str) -> Type:
    """What a database calls a type. One that is not known here is a type of its own name."""
    name = " ".join(text.lower().split())
    if name.endswith("[]"):
        return ListOf(Field("item", sql_type(name[:-2]), nullable=True))
    if name in _PLAIN:
        return _PLAIN[name]
    sized = _SIZED.fullmatch(name)
    base = f"{sized[1].strip()}{sized[4]}".strip() if sized else name
    size, scale = (int(sized[2]), int(sized[3] or 0)) if sized else (None, 0)
    if base in _TEXTS:
        return Text(1 if size is None and base in ("character", "char") else size)
    if base in _NUMBERS:
        return Decimal(size, scale)
    if base in _ZONED:
        return Timestamp(_unit(size), _ZONED[base])
    if base in ("time without time zone", "time", "time with time zone", "timetz"):
        return Time(_unit(size), base in ("time with time zone", "timetz"))
    return Opaque(name)


def _unit(digits: int | None) -> str:
    """The unit for so many digits of a second; PostgreSQL has six where nothing is said."""
    return "us" if digits is None else ("s", "ms", "us", "ns")[min(-(-digits // 3), 3)]


def _column(row: Column | Mapping[str, Json]) -> Column:
    if isinstance(row, Column):
        return row
    try:
        return msgspec.convert(dict(row), Column)
    except msgspec.ValidationError as error:
        raise SchemaError(f"This row does not describe a column: {error}.") from error


def _field(column: Column) -> Field:
    if column.labels is not None:
        return Field(column.name, Enum(column.labels), column.nullable, column.has_default, origin=column.position)
    return Field(column.name, sql_type(column.type), column.nullable, column.has_default, origin=column.position)


def _spelled(row: dict[str, Json]) -> Column:
    if not isinstance(row.get("column_name"), str) or not isinstance(row.get("data_type"), str):
        raise SchemaError(f"This row of information_schema.columns has no column_name or no data_type: {row!r:.120}.")
    kind, udt = str(row["data_type"]), str(row.get("udt_name") or "")
    length, digits = row.get("character_maximum_length"), row.get("numeric_precision")
    if kind == "ARRAY":
        kind = f"{udt.removeprefix('_')}[]"
    elif kind == "USER-DEFINED":
        kind = udt
    elif length is not None:
        kind = f"{kind}({length})"
    elif kind == "numeric" and digits is not None:
        kind = f"numeric({digits},{row.get('numeric_scale') or 0})"
    elif kind.startswith("time") and row.get("datetime_precision") is not None:
        first, _, rest = kind.partition(" ")
        kind = f"{first}({row['datetime_precision']}) {rest}".strip()
    given = (
        row.get("column_default") is not None or row.get("is_identity") == "YES" or row.get("is_generated") == "ALWAYS"
    )
    return Column(str(row["column_name"]), kind, row.get("is_nullable") != "NO", given, row.get("ordinal_position"))
