"""PyArrow schemas, and with them the footers of Parquet files.

Dictionaries and run-end encodings are ways to write a type, so they are that type; so are `large_` and view types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from reactor.model.schema import Basis, Dialect, Field, Schema
from reactor.model.schema.types import (
    NULL,
    Bytes,
    Decimal,
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
)
from reactor.schemas.bounds import Walk
from reactor.schemas.extras import need

if TYPE_CHECKING:
    import pyarrow

_NAMES: Mapping[str, Type] = {
    "null": NULL,
    "bool": Scalar("boolean"),
    "halffloat": Scalar("float16"),
    "float": Scalar("float32"),
    "double": Scalar("float64"),
    "date32[day]": Scalar("date"),
    "date64[ms]": Scalar("date"),
    "string": Text(),
    "large_string": Text(),
    "string_view": Text(),
    "binary": Bytes(),
    "large_binary": Bytes(),
    "binary_view": Bytes(),
    "extension<arrow.uuid>": Scalar("uuid"),
    **{n: Scalar(n) for n in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
}


def of_arrow(schema: pyarrow.Schema, *, basis: Basis = Basis.CONTRACT) -> Schema:
    """A PyArrow schema."""
    need("pyarrow", "an Arrow schema")
    walk = Walk("Arrow schema")
    return Schema(tuple(_field(f, f.name, walk) for f in schema), Dialect.COMMON, basis)


def _field(field: pyarrow.Field, name: str, walk: Walk) -> Field:
    return Field(name, _type(field.type, walk), field.nullable)


def _type(kind: pyarrow.DataType, walk: Walk) -> Type:
    import pyarrow.types as is_  # noqa: PLC0415 - heavy

    with walk.deeper():
        if str(kind) in _NAMES:
            return _NAMES[str(kind)]
        if is_.is_decimal(kind):
            return Decimal(kind.precision, kind.scale)
        if is_.is_timestamp(kind):
            return Timestamp(kind.unit, kind.tz is not None)
        if is_.is_time(kind):
            return Time(kind.unit)
        if is_.is_fixed_size_binary(kind):
            return Fixed(kind.byte_width)
        if is_.is_dictionary(kind) or is_.is_run_end_encoded(kind):
            return _type(kind.value_type, walk)
        return _nested(kind, walk)


def _nested(kind: pyarrow.DataType, walk: Walk) -> Type:
    import pyarrow.types as is_  # noqa: PLC0415 - heavy

    if is_.is_struct(kind):
        return Record(tuple(_field(f, f.name, walk) for f in kind.fields))
    if is_.is_map(kind):
        return MapOf(_field(kind.key_field, "key", walk), _field(kind.item_field, "value", walk))
    if is_.is_fixed_size_list(kind):
        return Opaque(str(kind))
    if hasattr(kind, "value_field"):
        return ListOf(_field(kind.value_field, "item", walk))
    if hasattr(kind, "storage_type"):
        return _type(kind.storage_type, walk)
    return Opaque(str(kind))
