"""Avro schemas, as of the Avro 1.11 specification ("Schema Declaration", "Logical Types").

How its rules ("Schema Resolution") map to the four classes, from the view of a reader of the new schema and data of the old one:

| Avro | class |
|---|---|
| a field with a default is added | additive |
| a field without one is added, also where it may be null: "error is signalled" | breaking |
| int to long, float, double; long to float, double; float to double; string to bytes and back | widening |
| a type becomes a union that has it, a union gets a branch; an enum gets a symbol | widening |
| a type of a record, enum or fixed is called otherwise (its name without namespace) | breaking |
| a decimal of other precision or scale, a fixed of other size, another logical type | breaking |
| a field goes (legal there: its value is ignored), or is renamed with an alias | breaking: see `reactor.model.schema.diff` |

A type that contains itself is followed once.
"""

from collections.abc import Mapping, Sequence

import msgspec

from reactor.model.events import Json
from reactor.model.schema import Basis, Dialect, Field, Schema, SchemaError
from reactor.model.schema.types import (
    NULL,
    Bytes,
    Decimal,
    Enum,
    Fixed,
    ListOf,
    MapOf,
    Opaque,
    Record,
    Scalar,
    Text,
    Time,
    Timestamp,
    Type,
    Union,
)
from reactor.schemas.bounds import Walk

_PRIMITIVES: Mapping[str, Type] = {
    "null": NULL,
    "boolean": Scalar("boolean"),
    "int": Scalar("int32"),
    "long": Scalar("int64"),
    "float": Scalar("float32"),
    "double": Scalar("float64"),
    "bytes": Bytes(),
    "string": Text(),
}
_LOGICAL: Mapping[tuple[str, str], Type] = {
    ("int", "date"): Scalar("date"),
    ("int", "time-millis"): Time("ms"),
    ("long", "time-micros"): Time("us"),
    ("long", "timestamp-millis"): Timestamp("ms", True),
    ("long", "timestamp-micros"): Timestamp("us", True),
    ("long", "timestamp-nanos"): Timestamp("ns", True),
    ("long", "local-timestamp-millis"): Timestamp("ms"),
    ("long", "local-timestamp-micros"): Timestamp("us"),
    ("long", "local-timestamp-nanos"): Timestamp("ns"),
    ("string", "uuid"): Scalar("uuid"),
    ("fixed", "uuid"): Scalar("uuid"),
    ("bytes", "big-decimal"): Decimal(),
    ("fixed", "duration"): Opaque("duration"),
}
Part = tuple[Type, bool]
"""A type, and whether it may be null."""


def of_avro(schema: Json, *, references: Sequence[Json] = (), basis: Basis = Basis.CONTRACT) -> Schema:
    """An Avro schema, as text or as the JSON value of it. A schema that is no record has one column, `value`.

    `references` are schemas whose names it uses, each after those that it uses itself.
    """
    reader = _Reader()
    for reference in references:
        reader.part(_parsed(reference), "")
    kind, nullable = reader.part(_parsed(schema), "")
    if isinstance(kind, Record):
        return Schema(kind.fields, Dialect.AVRO, basis, kind.name)
    return Schema((Field("value", kind, nullable),), Dialect.AVRO, basis)


class _Reader:
    def __init__(self) -> None:
        self._walk = Walk("Avro schema")
        self._names: dict[str, tuple[Json, str]] = {}
        self._open: list[str] = []

    def part(self, node: Json, space: str) -> Part:
        with self._walk.deeper():
            match node:
                case str():
                    return self._named(node, space)
                case list():
                    return self._union(node, space)
                case {"type": dict() | list() as inner}:
                    return self.part(inner, space)
                case {"type": str() as kind}:
                    return self._complex(kind, node, space)
                case _:
                    raise SchemaError(
                        f"This is no Avro schema: {_shown(node)} is neither a name, a union nor an object with a type."
                    )

    def _named(self, name: str, space: str) -> Part:
        if name in _PRIMITIVES:
            return _PRIMITIVES[name], name == "null"
        full = name if "." in name or f"{space}.{name}" not in self._names or not space else f"{space}.{name}"
        if full not in self._names:
            raise SchemaError(
                f"The Avro schema uses {name!r}, which is neither a type of Avro nor named before. If another schema defines it, "
                "give that one as a reference."
            )
        if full in self._open:
            return Opaque(f"{full}, which contains itself"), False
        node, outer = self._names[full]
        return self._complex(node["type"], node, outer)

    def _union(self, nodes: list[Json], space: str) -> Part:
        parts = [self.part(node, space) for node in nodes]
        some = tuple(kind for kind, _ in parts if kind != NULL)
        nullable = any(null for _, null in parts)
        if not some:
            return NULL, True
        return (some[0] if len(some) == 1 else Union(some)), nullable

    def _complex(self, kind: str, node: Mapping[str, Json], space: str) -> Part:
        match kind:
            case "record" | "error":
                return self._record(node, space), False
            case "enum":
                return Enum(tuple(map(str, _list(node, "symbols"))), self._register(node, space)[0]), False
            case "fixed":
                size, name = node.get("size"), self._register(node, space)[0]
                if not isinstance(size, int):
                    raise SchemaError(f"The Avro type {name!r} is fixed, but has no size.")
                return _logical(kind, node) or Fixed(size, name), False
            case "array":
                return ListOf(self._inner("item", node.get("items"), space)), False
            case "map":
                return MapOf(Field("key", Text()), self._inner("value", node.get("values"), space)), False
            case _:
                logical = _logical(kind, node)
                return self._named(kind, space) if logical is None else (logical, False)

    def _record(self, node: Mapping[str, Json], space: str) -> Record:
        name, full, inner = self._register(node, space)
        self._open.append(full)
        fields = tuple(self._field(field, inner) for field in _list(node, "fields"))
        self._open.pop()
        return Record(fields, name)

    def _field(self, node: Json, space: str) -> Field:
        if not isinstance(node, dict) or not isinstance(node.get("name"), str):
            raise SchemaError(f"A field of an Avro record has no name: {_shown(node)}.")
        kind, nullable = self.part(node.get("type"), space)
        aliases = tuple(map(str, node.get("aliases") or ()))
        return Field(node["name"], kind, nullable, "default" in node, aliases=aliases)

    def _inner(self, name: str, node: Json, space: str) -> Field:
        kind, nullable = self.part(node, space)
        return Field(name, kind, nullable)

    def _register(self, node: Mapping[str, Json], space: str) -> tuple[str, str, str]:
        """The name without its namespace, the full name, and the namespace for what is inside."""
        name = node.get("name")
        if not isinstance(name, str) or not name:
            raise SchemaError(f"An Avro {node.get('type')} has no name: {_shown(node)}.")
        inner, _, short = name.rpartition(".")
        inner = inner or (node["namespace"] if isinstance(node.get("namespace"), str) else space)
        full = f"{inner}.{short}" if inner else short
        self._names[full] = (node, space)
        return short, full, inner


def _logical(kind: str, node: Mapping[str, Json]) -> Type | None:
    """What a logical type makes of it; None where there is none, or one that is not valid: those are to be ignored."""
    logical = node.get("logicalType")
    if logical == "decimal" and kind in ("bytes", "fixed"):
        precision, scale = node.get("precision"), node.get("scale", 0)
        if isinstance(precision, int) and isinstance(scale, int) and 0 <= scale <= precision:
            return Decimal(precision, scale)
    return _LOGICAL.get((kind, logical)) if isinstance(logical, str) else None


def _list(node: Mapping[str, Json], key: str) -> list[Json]:
    found = node.get(key)
    if not isinstance(found, list):
        raise SchemaError(f"The Avro {node.get('type')} {node.get('name')!r} has no list of {key}.")
    return found


def _parsed(schema: Json) -> Json:
    """A text is the schema as JSON, or the bare name of a type."""
    if not isinstance(schema, str | bytes) or schema in _PRIMITIVES:
        return schema
    try:
        return msgspec.json.decode(schema)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise SchemaError(f"This is no Avro schema, because it is no JSON: {error}.") from error


def _shown(node: Json) -> str:
    text = repr(node)
    return text if len(text) <= 80 else f"{text[:80]}..."
