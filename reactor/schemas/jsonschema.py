"""JSON Schema, drafts 4 to 2020-12: the structure of what it allows, not the ranges and patterns of values.

| JSON Schema | here |
|---|---|
| `properties`, `required` | a struct; what is not required may be left out |
| `additionalProperties` without properties | a map |
| `type: [..., "null"]`, `null` among `anyOf`, `oneOf`, `enum` | nullable |
| `anyOf`, `oneOf`, several types | a union |
| `allOf` | all of it put together |
| `integer`, `number` | int64, float64; int32 and float32 where `format` says so, as OpenAPI has it |
| `format: date, date-time, time, uuid, duration, byte` | the type, for JSON itself has none |
| true, `{}` | any |

A schema that contains itself is followed once. What is referred to is never fetched: it is inside, or given.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import unquote

import msgspec

from reactor.model.events import Json
from reactor.model.schema import Basis, Dialect, Field, Schema, SchemaError
from reactor.model.schema.types import (
    ANY,
    NULL,
    Bytes,
    Enum,
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

_FORMATS: Mapping[str, Type] = {
    "date": Scalar("date"),
    "date-time": Timestamp("us", True),
    "time": Time("us", True),
    "uuid": Scalar("uuid"),
    "duration": Opaque("duration"),
    "byte": Bytes(),
    "binary": Bytes(),
}
_NUMBERS: Mapping[tuple[str, str], Type] = {
    ("integer", "int32"): Scalar("int32"),
    ("number", "float"): Scalar("float32"),
}
_SIMPLE: Mapping[str, Type] = {
    "boolean": Scalar("boolean"),
    "integer": Scalar("int64"),
    "number": Scalar("float64"),
    "null": NULL,
}
Part = tuple[Type, bool]
Node = Mapping[str, Json]


def of_json_schema(schema: Json, *, references: Mapping[str, Json] | None = None) -> Schema:
    """A JSON Schema, as text or as the JSON value of it. One that is no object has one column, `value`.

    `references` are the schemas that it refers to, by the name that it uses for them.
    """
    kind, nullable = part_of(parsed(schema), references)
    fields = kind.fields if isinstance(kind, Record) else (Field("value", kind, nullable),)
    return Schema(fields, Dialect.JSON, Basis.CONTRACT)


def part_of(schema: Json, references: Mapping[str, Json] | None = None) -> Part:
    """The type that a schema describes, and whether it may be null."""
    return _Reader(schema, references or {}).part(schema)


def parsed(schema: Json) -> Json:
    """The JSON value of a text."""
    if not isinstance(schema, str | bytes):
        return schema
    try:
        return msgspec.json.decode(schema)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise SchemaError(f"This is no JSON Schema, because it is no JSON: {error}.") from error


class _Reader:
    def __init__(self, root: Json, references: Mapping[str, Json]) -> None:
        self._walk = Walk("JSON Schema")
        self._references = {name: parsed(text) for name, text in references.items()}
        self._root = root
        self._open: list[tuple[int, str]] = []

    def part(self, node: Json) -> Part:
        with self._walk.deeper():
            if node is True:
                return ANY, True
            if node is False:
                return Opaque("nothing"), False
            if not isinstance(node, dict):
                raise SchemaError(f"This is no JSON Schema: {node!r:.80} stands where a schema should.")
            if "$ref" in node:
                return self._referred(node)
            if "allOf" in node:
                return self.part(self._together(node))
            return self._read(node)

    def _read(self, node: Node) -> Part:
        for key in ("anyOf", "oneOf"):
            if key in node:
                shared = {k: v for k, v in node.items() if k in ("type", "properties", "required")}
                return _union([self.part({"allOf": [shared, n]} if shared else n) for n in _list(node, key)])
        if "const" in node or "enum" in node:
            return _values(node["enum"] if "enum" in node else [node["const"]])
        kinds = node.get("type", _implied(node))
        if kinds is None:
            return ANY, True
        return _union([self._typed(kind, node) for kind in (kinds if isinstance(kinds, list) else [kinds])])

    def _typed(self, kind: Json, node: Node) -> Part:
        match kind:
            case "string":
                return _text(node), False
            case "array":
                return self._array(node), False
            case "object":
                return self._object(node), False
            case str() if kind in _SIMPLE:
                return _NUMBERS.get((kind, str(node.get("format"))), _SIMPLE[kind]), kind == "null"
        raise SchemaError(f"This is no JSON Schema: there is no type {kind!r:.40}.")

    def _object(self, node: Node) -> Type:
        properties, more = node.get("properties"), node.get("additionalProperties", True)
        if not isinstance(properties, dict) or not properties:
            value = self._field("value", more if isinstance(more, dict) else True, False)
            return Record(()) if more is False else MapOf(Field("key", Text()), value)
        needed = node.get("required")
        required = needed if isinstance(needed, list) else []
        return Record(tuple(self._field(n, s, n not in required) for n, s in properties.items()))

    def _array(self, node: Node) -> Type:
        rows = node.get("prefixItems", node.get("items", True))
        if isinstance(rows, list):  # places with a type each
            return Record(tuple(self._field(str(i), s, False) for i, s in enumerate(rows)))
        return ListOf(self._field("item", rows, False))

    def _field(self, name: str, node: Json, optional: bool) -> Field:
        kind, nullable = self.part(node)
        return Field(name, kind, nullable, optional)

    def _referred(self, node: Node) -> Part:
        place = str(node["$ref"])
        document, _, inside = place.partition("#")
        root = self._document(document)
        at = (id(root), inside)
        if at in self._open:
            return Opaque(f"{place}, which contains itself"), False
        beside = {k: v for k, v in node.items() if k in ("properties", "required", "type")}
        with self._within(at, root):
            target = _at(root, inside, place)
            return self.part({"allOf": [target, beside]} if beside else target)

    @contextmanager
    def _within(self, at: tuple[int, str], root: Json) -> Iterator[None]:
        before, self._root = self._root, root
        self._open.append(at)
        try:
            yield
        finally:
            self._open.pop()
            self._root = before

    def _document(self, name: str) -> Json:
        if not name or (isinstance(self._root, dict) and self._root.get("$id") == name):
            return self._root
        if name not in self._references:
            raise SchemaError(
                f"The JSON Schema refers to {name!r}, which is not inside it. Nothing is fetched: give it as a reference."
            )
        return self._references[name]

    def _together(self, node: Node) -> Json:
        """What all parts of `allOf` say, as one schema."""
        whole: dict[str, Json] = {k: v for k, v in node.items() if k != "allOf"}
        for part in _list(node, "allOf"):
            with self._walk.deeper():
                part = self._resolved(part)
                for key, value in part.items() if isinstance(part, dict) else ():
                    whole[key] = _both(key, whole[key], value) if key in whole else value
        return whole

    def _resolved(self, node: Json) -> Json:
        """Through references of its own document, and nested `allOf`."""
        seen = 0
        while isinstance(node, dict) and ("$ref" in node or "allOf" in node):
            seen += 1
            place = str(node.get("$ref", ""))
            if seen > 20 or (place and not place.startswith("#")):
                raise SchemaError(
                    f"The JSON Schema has an allOf over {place or 'itself'}, which cannot be put together."
                )
            if not place:
                node = self._together(node)
                continue
            target = _at(self._root, place[1:], place)
            beside = {k: v for k, v in node.items() if k != "$ref"}
            node = {"allOf": [target, beside]} if beside else target
        return node


def _both(key: str, a: Json, b: Json) -> Json:
    if key == "properties" and isinstance(a, dict) and isinstance(b, dict):
        return {**a, **{k: {"allOf": [a[k], v]} if k in a else v for k, v in b.items()}}
    if key == "required" and isinstance(a, list) and isinstance(b, list):
        return [*a, *b]
    if key == "type" and a == "number" and b == "integer":
        return b
    return a


def _at(root: Json, pointer: str, place: str) -> Json:
    """What a JSON pointer (RFC 6901) points to."""
    found = root
    for step in unquote(pointer).split("/")[1:] if pointer.strip("/") else []:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        elif isinstance(found, dict) and step in found:
            found = found[step]
        else:
            raise SchemaError(f"The JSON Schema refers to {place!r}, which is not there.")
    if pointer and not pointer.startswith("/"):
        raise SchemaError(f"The JSON Schema refers to {place!r} by an anchor; only paths such as '#/$defs/x' are read.")
    return found


def _union(parts: list[Part]) -> Part:
    some: dict[str, Type] = {str(kind): kind for kind, _ in parts if kind != NULL}
    nullable = any(null for _, null in parts)
    if not some:
        return NULL, True
    if "any" in some:
        return ANY, nullable
    if "int64" in some and "float64" in some:
        del some["int64"]
    return (next(iter(some.values())) if len(some) == 1 else Union(tuple(some.values()))), nullable


def _values(values: Json) -> Part:
    """Of an enum. Values that are no texts have no type here that would keep them apart, so they are a type of their own."""
    some = [v for v in values if v is not None] if isinstance(values, list) else [values]
    nullable = isinstance(values, list) and None in values
    if not some:
        return NULL, True
    if all(isinstance(v, str) for v in some):
        return Enum(tuple(some)), nullable
    if all(isinstance(v, bool) for v in some) and len(set(some)) == 2:
        return Scalar("boolean"), nullable
    return Opaque(f"one of {json.dumps(some, sort_keys=True, ensure_ascii=False)}"), nullable


def _text(node: Node) -> Type:
    known = _FORMATS.get(str(node.get("format")))
    if known is not None:
        return known
    if node.get("contentEncoding") in ("base64", "base64url"):
        return Bytes()
    most = node.get("maxLength")
    return Text(most if isinstance(most, int) else None)


def _implied(node: Node) -> str | None:
    """The type that its other words speak of."""
    if any(k in node for k in ("properties", "required", "additionalProperties")):
        return "object"
    return "array" if "items" in node or "prefixItems" in node else None


def _list(node: Node, key: str) -> list[Json]:
    found = node[key]
    if not isinstance(found, list):
        raise SchemaError(f"This is no JSON Schema: {key} is no list.")
    return found
