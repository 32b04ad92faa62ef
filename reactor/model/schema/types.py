"""Schemas: what the columns of some data are, in one small vocabulary over all kinds of schema.

Law: frozen values, the standard library and msgspec. Nothing is read here: `reactor.schemas` turns each kind of schema into
this vocabulary, and `diff.py` beside this file says what a change of it means.

A type's text is canonical: fields, values and members are sorted, names that are no plain words are quoted. So two schemas
of one dialect have the same text, and the same digest, exactly where nothing that can matter to anybody differs.
"""

import hashlib
import json
import re
from enum import StrEnum
from typing import TypeAlias

import msgspec

from reactor.model.errors import ReactorError

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
SCALARS = frozenset(("boolean", *_INTEGERS, "float16", "float32", "float64", "date", "uuid", "null", "any"))
"""`null`: no other value was ever seen. `any`: every value is allowed."""
UNITS = ("s", "ms", "us", "ns")
"""Units of time, the coarsest first."""
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SchemaError(ReactorError):
    """Something that should be a schema, or have one, cannot be read as such."""

    exit_code = 65


class Dialect(StrEnum):
    """Whose rules say what may become what."""

    COMMON = "common"
    """Tables and files: SQL, Arrow, Parquet, CSV."""
    AVRO = "avro"
    JSON = "json"
    """JSON Schema, pydantic models, JSON lines."""
    PROTOBUF = "protobuf"


class Basis(StrEnum):
    """Where the knowledge comes from, which says how much a difference means."""

    CONTRACT = "contract"
    """It says what may come: a model, a registered schema, a table."""
    LANDED = "landed"
    """It says exactly how some data was written: the footer of a Parquet file, the header of an Avro file."""
    SEEN = "seen"
    """It was put together from the values that were there: JSON lines. What was not seen may still come."""
    NAMES = "names"
    """The names are known and the types are not: the header of a CSV file."""


class Scalar(msgspec.Struct, frozen=True, tag="scalar"):
    """A type without parameters: one of `SCALARS`."""

    name: str

    def __post_init__(self) -> None:
        if self.name not in SCALARS:
            raise SchemaError(f"{self.name!r} is no type without parameters. Those are: {', '.join(sorted(SCALARS))}.")

    def __str__(self) -> str:
        return self.name


class Text(msgspec.Struct, frozen=True, tag="string"):
    """Characters, at most `length` of them where it is said."""

    length: int | None = None

    def __str__(self) -> str:
        return "string" if self.length is None else f"string({self.length})"


class Bytes(msgspec.Struct, frozen=True, tag="bytes"):
    """Bytes, at most `length` of them where it is said."""

    length: int | None = None

    def __str__(self) -> str:
        return "bytes" if self.length is None else f"bytes({self.length})"


class Fixed(msgspec.Struct, frozen=True, tag="fixed"):
    """Exactly so many bytes. The name is part of an Avro type."""

    length: int
    name: str = ""

    def __str__(self) -> str:
        return f"fixed{_named(self.name)}({self.length})"


class Decimal(msgspec.Struct, frozen=True, tag="decimal"):
    """Exact numbers of `precision` digits, `scale` of them behind the point; without them, of any size."""

    precision: int | None = None
    scale: int = 0

    def __str__(self) -> str:
        return "decimal" if self.precision is None else f"decimal({self.precision},{self.scale})"


class Time(msgspec.Struct, frozen=True, tag="time"):
    """A time of day."""

    unit: str = "us"
    tz: bool = False

    def __str__(self) -> str:
        return f"time({self.unit}{', tz' if self.tz else ''})"


class Timestamp(msgspec.Struct, frozen=True, tag="timestamp"):
    """With `tz` an instant, however its zone is spelled; without it, what some wall clock shows."""

    unit: str = "us"
    tz: bool = False

    def __str__(self) -> str:
        return f"timestamp({self.unit}{', tz' if self.tz else ''})"


class Enum(msgspec.Struct, frozen=True, tag="enum"):
    """One of these values. The name is part of an Avro type."""

    values: tuple[str, ...]
    name: str = ""

    def __str__(self) -> str:
        return f"enum{_named(self.name)}({', '.join(_spelled(v) for v in sorted(set(self.values)))})"


class Opaque(msgspec.Struct, frozen=True, tag="opaque"):
    """A type outside this vocabulary, by its own name: equal to itself, and a change of it is breaking."""

    name: str

    def __str__(self) -> str:
        return f"other({_spelled(self.name)})"


class ListOf(msgspec.Struct, frozen=True, tag="list"):
    """Any number of values of one type; the item's own name does not matter."""

    item: "Field"

    def __str__(self) -> str:
        return f"list<{self.item.content}>"


class MapOf(msgspec.Struct, frozen=True, tag="map"):
    """Values by key."""

    key: "Field"
    value: "Field"

    def __str__(self) -> str:
        return f"map<{self.key.content}, {self.value.content}>"


class Record(msgspec.Struct, frozen=True, tag="struct"):
    """Named fields. `reserved` are the numbers and names that no later field may use (Protobuf); the name is part of an Avro type."""

    fields: tuple["Field", ...]
    name: str = ""
    reserved: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        seen = set[str]()
        for field in self.fields:
            if field.name in seen:
                raise SchemaError(
                    f"Two columns are called {field.name!r}, so neither can be told from the other. Rename one of them."
                )
            seen.add(field.name)

    def __str__(self) -> str:
        fields = sorted(self.fields, key=lambda f: f.name)
        parts = [f"{quoted(f.name)}: {f.content}" for f in fields]
        parts += [f"reserved {_spelled(r)}" for r in sorted(set(self.reserved))]
        return f"struct{_named(self.name)}<{', '.join(parts)}>"


class Union(msgspec.Struct, frozen=True, tag="union"):
    """A value of one of these types. None is no member: the field is nullable instead."""

    members: tuple["Type", ...]

    def __str__(self) -> str:
        return f"union<{' | '.join(sorted({str(m) for m in self.members}))}>"


Type: TypeAlias = (
    Scalar | Text | Bytes | Fixed | Decimal | Time | Timestamp | Enum | Opaque | ListOf | MapOf | Record | Union
)


class Field(msgspec.Struct, frozen=True, omit_defaults=True):
    """A column, or a field of a struct. In lists and maps, what stands inside them."""

    name: str
    type: Type
    nullable: bool = False
    has_default: bool = False
    """A row may come without it."""
    number: int | None = None
    """What Protobuf knows it by."""
    wire: str = ""
    """How Protobuf writes it, where that is not said by its type."""
    origin: int | None = None
    """What the source knows it by, whatever it is called: tells a renamed column from one that went and one that came."""
    aliases: tuple[str, ...] = ()
    """What it was called before."""

    @property
    def content(self) -> str:
        """All but its name, as text."""
        return (
            f"{self.type}{'?' if self.nullable else ''}{' = default' if self.has_default else ''}"
            f"{f' #{self.number}' if self.number is not None else ''}{f' [{self.wire}]' if self.wire else ''}"
        )


class Schema(msgspec.Struct, frozen=True, omit_defaults=True):
    """The columns of some data, in their order."""

    fields: tuple[Field, ...]
    dialect: Dialect = Dialect.COMMON
    basis: Basis = Basis.CONTRACT
    name: str = ""
    """The name of an Avro record."""
    reserved: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            self.text.encode()
        except UnicodeEncodeError as error:
            raise SchemaError(
                "A name in it is no valid text (it has half a character), so it cannot be kept."
            ) from error

    @property
    def names_only(self) -> bool:
        """The types are not known, so only names can be compared."""
        return self.basis is Basis.NAMES

    @property
    def record(self) -> Record:
        return Record(self.fields, self.name, self.reserved)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns, in order."""
        return tuple(f.name for f in self.fields)

    @property
    def text(self) -> str:
        """The canonical text: the same for two schemas of one dialect exactly where they are identical."""
        record = self.record  # which refuses two columns of one name
        if self.names_only:
            return f"names<{', '.join(quoted(n) for n in sorted(self.names))}>"
        return f"{self.dialect} {record}"

    @property
    def digest(self) -> str:
        """A fingerprint of the canonical text: 32 hexadecimal digits."""
        return hashlib.blake2b(self.text.encode(), digest_size=16).hexdigest()


def names_of(*names: str) -> Schema:
    """A schema of which only the names are known."""
    return Schema(tuple(Field(n, ANY, nullable=True) for n in names), basis=Basis.NAMES)


def quoted(name: str) -> str:
    """The name as it stands in a text: as it is where it is a plain word."""
    return name if _PLAIN.fullmatch(name) else _spelled(name)


def _spelled(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _named(name: str) -> str:
    return f" {name}" if name else ""


ANY, NULL = Scalar("any"), Scalar("null")
