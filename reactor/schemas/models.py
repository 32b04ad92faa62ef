"""Pydantic models, by their annotations: what JSON Schema would lose (the digits of a Decimal, whole seconds) is kept.

A `datetime` says nothing of zones, so it is both kinds of timestamp; `AwareDatetime` and `NaiveDatetime` say which. What is unknown here is
asked of pydantic itself, as JSON Schema.
"""

import datetime
import decimal
import enum
import types
import typing
import uuid
from collections.abc import Iterable, Mapping

from pydantic import AwareDatetime, BaseModel, NaiveDatetime, RootModel, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError
from pydantic.fields import FieldInfo

from reactor.model.schema import Basis, Dialect, Field, Schema
from reactor.model.schema.types import (
    ANY,
    NULL,
    Bytes,
    Decimal,
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
from reactor.schemas.jsonschema import part_of

_BOTH = Union((Timestamp("us"), Timestamp("us", True)))
_KNOWN: Mapping[object, Type] = {
    bool: Scalar("boolean"),
    int: Scalar("int64"),
    float: Scalar("float64"),
    datetime.date: Scalar("date"),
    datetime.datetime: _BOTH,
    AwareDatetime: Timestamp("us", True),
    NaiveDatetime: Timestamp("us"),
    datetime.time: Time("us"),
    datetime.timedelta: Opaque("duration"),
    uuid.UUID: Scalar("uuid"),
    type(None): NULL,
}
_LISTS = (list, set, frozenset)
Part = tuple[Type, bool]


def of_model(model: type[BaseModel]) -> Schema:
    """A pydantic model. Columns are called as its validation calls them: by their alias where they have one."""
    kind, nullable = _Reader().part(model, ())
    fields = kind.fields if isinstance(kind, Record) else (Field("value", kind, nullable),)
    return Schema(fields, Dialect.JSON, Basis.CONTRACT)


class _Reader:
    def __init__(self) -> None:
        self._walk = Walk("pydantic model")
        self._open: list[object] = []

    def part(self, hint: object, facts: tuple[object, ...]) -> Part:
        """An annotation, with the constraints that stand beside it."""
        with self._walk.deeper():
            if hint is typing.Any or hint is object:
                return ANY, True
            try:
                if hint in _KNOWN:
                    return _KNOWN[hint], hint is type(None)
            except TypeError:  # an annotation that cannot be looked up
                return self._asked(hint)
            if isinstance(hint, type) and typing.get_origin(hint) is None:
                return self._class(hint, facts)
            return self._generic(hint, facts)

    def _class(self, hint: type, facts: tuple[object, ...]) -> Part:
        if issubclass(hint, BaseModel):
            return self._model(hint)
        if issubclass(hint, enum.Enum):
            return _values([m.value for m in hint])
        if hint in (str, bytes):
            most = _fact(facts, "max_length")
            return (Text(most) if hint is str else Bytes(most)), False
        if hint is decimal.Decimal:
            digits, scale = _fact(facts, "max_digits"), _fact(facts, "decimal_places")
            return (Decimal() if digits is None or scale is None else Decimal(digits, scale)), False
        if hint in _LISTS:
            return ListOf(Field("item", ANY, True)), False
        if hint is dict:
            return MapOf(Field("key", ANY), Field("value", ANY, True)), False
        return self._asked(hint)

    def _generic(self, hint: object, facts: tuple[object, ...]) -> Part:
        origin, inside = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Annotated:
            return self.part(inside[0], (*facts, *inside[1:]))
        if origin in (typing.Union, types.UnionType):
            return _union([self.part(one, facts) for one in inside])
        if origin is typing.Literal:
            return _values(inside)
        if origin in _LISTS or (origin is tuple and inside[1:] == (...,)):
            return ListOf(self._field("item", inside[0])), False
        if origin is tuple:
            return Record(tuple(self._field(str(i), one) for i, one in enumerate(inside))), False
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return MapOf(self._field("key", inside[0]), self._field("value", inside[1])), False
        if isinstance(origin, type) and issubclass(origin, Iterable) and len(inside) == 1:
            return ListOf(self._field("item", inside[0])), False
        named = getattr(hint, "__supertype__", None) or getattr(hint, "__value__", None)
        return self.part(named, facts) if named is not None else self._asked(hint)

    def _model(self, model: type[BaseModel]) -> Part:
        if model in self._open:
            return Opaque(f"{model.__name__}, which contains itself"), False
        self._open.append(model)
        try:
            if issubclass(model, RootModel):
                root = model.model_fields["root"]
                return self.part(root.annotation, tuple(root.metadata))
            return Record(tuple(self._column(n, f) for n, f in model.model_fields.items())), False
        finally:
            self._open.pop()

    def _column(self, name: str, info: FieldInfo) -> Field:
        kind, nullable = self.part(info.annotation, tuple(info.metadata))
        alias = info.validation_alias if isinstance(info.validation_alias, str) else info.alias
        return Field(alias or name, kind, nullable, not info.is_required())

    def _field(self, name: str, hint: object) -> Field:
        kind, nullable = self.part(hint, ())
        return Field(name, kind, nullable)

    def _asked(self, hint: object) -> Part:
        """What pydantic itself says of it."""
        try:
            return part_of(TypeAdapter(hint).json_schema())  # type: ignore[arg-type]  # any annotation at all
        except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError):
            return Opaque(getattr(hint, "__qualname__", str(hint))), False


def _fact(facts: tuple[object, ...], name: str) -> int | None:
    found = [getattr(fact, name, None) for fact in facts]
    return next((value for value in found if isinstance(value, int)), None)


def _values(values: Iterable[object]) -> Part:
    return part_of({"enum": list(values)})


def _union(parts: list[Part]) -> Part:
    some = {str(kind): kind for kind, _ in parts if kind != NULL}
    nullable = any(null for _, null in parts)
    kinds = tuple(some.values())
    return (kinds[0] if len(kinds) == 1 else Union(kinds) if kinds else NULL), nullable
