"""Schemas made by chance: of one dialect, small enough that two of them have something in common."""

import functools

from hypothesis import strategies as st
from msgspec import structs

from reactor.model.schema.types import (
    ANY,
    NULL,
    Basis,
    Bytes,
    Decimal,
    Dialect,
    Enum,
    Field,
    Fixed,
    ListOf,
    MapOf,
    Opaque,
    Record,
    Scalar,
    Schema,
    Text,
    Time,
    Timestamp,
    Type,
    Union,
)

NAMES = ("id", "amount", "note", "a b", "x.y")
SCALARS = [
    Scalar(n)
    for n in (
        "boolean", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float32", "float64", "date", "uuid",
    )
]  # fmt: skip
lengths = st.sampled_from([None, 2, 5])
leaves: st.SearchStrategy[Type] = st.one_of(
    st.sampled_from([*SCALARS, ANY, NULL]),
    st.builds(Text, lengths),
    st.builds(Bytes, lengths),
    st.builds(Fixed, st.sampled_from([2, 5]), st.just("")),
    st.sampled_from([Decimal(), Decimal(5, 2), Decimal(7, 2), Decimal(7, 4), Decimal(20, 0)]),
    st.builds(Time, st.sampled_from(["ms", "us"]), st.booleans()),
    st.builds(Timestamp, st.sampled_from(["ms", "us", "ns"]), st.booleans()),
    st.builds(Enum, st.lists(st.sampled_from(["a", "b", "long"]), min_size=1, max_size=3, unique=True).map(tuple)),
    st.sampled_from([Opaque("point"), Opaque("line")]),
)


def fields(types: st.SearchStrategy[Type], proto: bool) -> st.SearchStrategy[Field]:
    number = st.integers(1, 4) if proto else st.none()
    wire = st.sampled_from(["", "zigzag", "fixed"]) if proto else st.just("")
    origin = st.none() if proto else st.one_of(st.none(), st.integers(1, 3))
    aliases = st.sampled_from([(), ("id",), ("note",)])
    return st.builds(Field, st.sampled_from(NAMES), types, st.booleans(), st.booleans(), number, wire, origin, aliases)


def records(types: st.SearchStrategy[Type], dialect: Dialect) -> st.SearchStrategy[Record]:
    proto = dialect is Dialect.PROTOBUF
    inside = st.lists(fields(types, proto), max_size=4, unique_by=lambda f: f.name).map(tuple)
    names = st.sampled_from(["A", "B"]) if dialect is Dialect.AVRO else st.just("")
    reserved = st.sampled_from([(), ("name:note",), ("2-3",)]) if proto else st.just(())
    return st.builds(Record, inside, names, reserved)


@functools.cache
def types(dialect: Dialect) -> st.SearchStrategy[Type]:
    def deeper(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
        field = fields(inner, dialect is Dialect.PROTOBUF)
        return st.one_of(
            records(inner, dialect),
            st.builds(ListOf, field),
            st.builds(MapOf, st.just(Field("key", Text())), field),
            st.builds(Union, st.lists(inner, min_size=2, max_size=3, unique_by=str).map(tuple)),
        )

    return st.recursive(leaves, deeper, max_leaves=4)


@functools.cache
def schemas(dialect: Dialect, basis: Basis = Basis.CONTRACT) -> st.SearchStrategy[Schema]:
    def made(record: Record) -> Schema:
        return Schema(record.fields, dialect, basis, record.name, record.reserved)

    return records(types(dialect), dialect).map(made)


WIDER: dict[str, Type] = {
    "int8": Scalar("int16"), "int16": Scalar("int32"), "int32": Scalar("int64"), "int64": Scalar("float64"),
    "float32": Scalar("float64"), "uint8": Scalar("uint16"), "boolean": Scalar("int32"), "string": Bytes(), "bytes": Text(),
    "null": Text(), "date": ANY, "decimal(5,2)": Decimal(7, 2), "string(2)": Text(5),
}  # fmt: skip


@st.composite
def close(draw: st.DrawFn, dialect: Dialect, count: int) -> tuple[Schema, ...]:
    """Schemas of which each has most of its fields from the one before: two by chance would nearly always be breaking."""
    made = [draw(schemas(dialect))]
    while len(made) < count:
        last, other = made[-1], draw(schemas(dialect))
        steps = draw(st.lists(st.integers(0, 15), min_size=len(last.fields), max_size=len(last.fields)))
        kept = [altered(f, step) for f, step in zip(last.fields, steps, strict=True) if step]
        more = [f for f in other.fields if f.name not in {k.name for k in kept}] if draw(st.booleans()) else []
        reserved = draw(st.sampled_from([last.reserved, other.reserved]))
        made.append(Schema((*kept, *more), dialect, Basis.CONTRACT, last.name, reserved))
    return tuple(made)


def altered(field: Field, step: int) -> Field:
    """The bits of the step say what happens to it."""
    return structs.replace(
        field,
        type=WIDER.get(str(field.type), field.type) if step & 1 else field.type,
        nullable=field.nullable or bool(step & 2),
        has_default=field.has_default != bool(step & 4 and step & 8),
    )
