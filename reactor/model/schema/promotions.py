"""Which type may become which without that a value is lost: the tables, and the few rules for types with parameters.

Law: literal tables, one per dialect. Each is closed: what may become a type may become whatever that type may become.

`widening` means that every value that the old type could hold can be read as the new type. Where a standard says what can, its rule is
the one here:

- Avro 1.11, "Schema Resolution": int to long, float, double; long to float, double; float to double; string to bytes and back. Logical
  types, names and sizes must match.
- JSON Schema 2020-12, Validation 6.1 and 6.3: an integer is a number; a greater `maxLength`; more values of an `enum`. Core 10.2: more
  members of `anyOf`.
- Protocol Buffers, language guide, "Updating A Message Type": int32, uint32, int64, uint64 and bool are written alike, and so are sint32
  and sint64, string and bytes, enums and the integers. Only the direction of each pair that cuts off nothing is here; the other can be
  read, but not without loss.
- Common: what keeps every value exactly. Integers of more bits, floats whose mantissa holds the integer, decimals with as many digits
  on both sides of the point, finer units of time, longer strings.
"""

from collections.abc import Mapping

from reactor.model.schema.types import UNITS, Bytes, Decimal, Dialect, Enum, Fixed, Scalar, Text, Time, Timestamp, Type

_EXACT: Mapping[str, str] = {
    "int8": "int16 int32 int64 float16 float32 float64",
    "int16": "int32 int64 float32 float64",
    "int32": "int64 float64",
    "uint8": "uint16 uint32 uint64 int16 int32 int64 float16 float32 float64",
    "uint16": "uint32 uint64 int32 int64 float32 float64",
    "uint32": "uint64 int64 float64",
    "float16": "float32 float64",
    "float32": "float64",
}
PROMOTIONS: Mapping[Dialect, Mapping[str, str]] = {
    Dialect.COMMON: _EXACT,
    Dialect.JSON: {**_EXACT, "int64": "float64", "uint64": "float64"},
    Dialect.AVRO: {
        "int32": "int64 float32 float64",
        "int64": "float32 float64",
        "float32": "float64",
        "string": "bytes",
        "bytes": "string",
    },
    Dialect.PROTOBUF: {
        "boolean": "int32 int64 uint32 uint64",
        "int32": "int64",
        "uint32": "int64 uint64",
        "string": "bytes",
    },
}
"""A type's text, and what it may become."""
DIGITS: Mapping[str, int] = {
    "int8": 3, "int16": 5, "int32": 10, "int64": 19, "uint8": 3, "uint16": 5, "uint32": 10, "uint64": 20,
}  # fmt: skip
"""Decimal digits that an integer may have."""


def promotes(old: Type, new: Type, dialect: Dialect) -> bool:
    """Whether every value of the one type, which has no parts, is a value of the other. A type does not promote to itself."""
    if str(old) == str(new):
        return False
    if str(old) == "null" or str(new) == "any":
        return True
    if str(new) in PROMOTIONS[dialect].get(str(old), "").split():
        return True
    if dialect is Dialect.PROTOBUF:
        return isinstance(old, Enum) and str(new) in ("int32", "int64")
    return dialect is not Dialect.AVRO and _grows(old, new)


def _grows(old: Type, new: Type) -> bool:
    """The parameters hold all that they held, and more."""
    match old, new:
        case Text(), Text():
            return _room(old.length, new.length)
        case Bytes() | Fixed(), Bytes():
            return _room(old.length, new.length)
        case Enum(), Text():
            return _room(max(map(len, old.values), default=0), new.length)
        case Decimal(), Decimal():
            return _holds(new, None if old.precision is None else old.precision - old.scale, old.scale)
        case Scalar(), Decimal():
            return old.name in DIGITS and _holds(new, DIGITS[old.name], 0)
        case Time(), Time():
            return old.tz == new.tz and _finer(old.unit, new.unit)
        case Timestamp(), Timestamp():
            return old.tz == new.tz and _finer(old.unit, new.unit)
        case _:
            return False


def _room(old: int | None, new: int | None) -> bool:
    return new is None or (old is not None and old <= new)


def _finer(old: str, new: str) -> bool:
    return UNITS.index(old) < UNITS.index(new)


def _holds(new: Decimal, whole: int | None, scale: int) -> bool:
    """Digits before and behind the point; None: of any number."""
    if new.precision is None:
        return True
    return whole is not None and new.precision - new.scale >= whole and new.scale >= scale
