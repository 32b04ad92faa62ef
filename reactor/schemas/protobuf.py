"""Protobuf messages: as text (a registry's .proto), or as compiled descriptors.

Text is parsed by a library and handed to Protobuf's own descriptor pool, so what the compiler would refuse (a number used twice, a
reserved name, a type that is nowhere) is refused here. How the language guide's rules ("Updating A Message Type", "Deleting Fields")
map to the four classes:

| Protobuf | class |
|---|---|
| a field is added; a number or name is reserved | additive |
| a value is added to an enum; an enum becomes int32 or int64 | widening |
| bool becomes an integer, int32 int64, uint32 int64 or uint64, string bytes | widening |
| a field gets explicit presence (`optional`) | widening: it may now be absent |
| the same pairs backwards: readable, but truncated, or not always text | breaking |
| int32 to sint32 or sfixed32, and all that is written otherwise; fields into and out of a oneof | breaking |
| a number changes, or one that was reserved is used, or is reserved no more | breaking |
| a field goes, or is renamed (found by its number) | breaking: see `reactor.model.schema.diff` |

Names of messages and enums are not compared: they are not written. Options, features of editions, extensions and services are not read.
A message that contains itself is followed once.
"""

from collections.abc import Mapping

from reactor.model.schema import Dialect, Field, Schema, SchemaError
from reactor.model.schema.types import Bytes, Enum, ListOf, MapOf, Opaque, Record, Scalar, Text, Timestamp, Type
from reactor.schemas.bounds import Walk
from reactor.schemas.descriptors import Message, Pool, Slot

_SCALARS: Mapping[str, tuple[Type, str]] = {
    "double": (Scalar("float64"), ""),
    "float": (Scalar("float32"), ""),
    "int64": (Scalar("int64"), ""),
    "uint64": (Scalar("uint64"), ""),
    "int32": (Scalar("int32"), ""),
    "uint32": (Scalar("uint32"), ""),
    "fixed64": (Scalar("uint64"), "fixed"),
    "fixed32": (Scalar("uint32"), "fixed"),
    "sfixed32": (Scalar("int32"), "fixed"),
    "sfixed64": (Scalar("int64"), "fixed"),
    "sint32": (Scalar("int32"), "zigzag"),
    "sint64": (Scalar("int64"), "zigzag"),
    "bool": (Scalar("boolean"), ""),
    "string": (Text(), ""),
    "bytes": (Bytes(), ""),
}
_KNOWN: Mapping[str, Type] = {
    "google.protobuf.Timestamp": Timestamp("ns", True),
    "google.protobuf.Duration": Opaque("duration"),
    "google.protobuf.Struct": Opaque("google.protobuf.Struct"),
    "google.protobuf.Value": Opaque("google.protobuf.Value"),
    "google.protobuf.ListValue": Opaque("google.protobuf.ListValue"),
    "google.protobuf.Any": Opaque("google.protobuf.Any"),
}


def of_proto(text: str, *, message: str = "", references: Mapping[str, str] | None = None) -> Schema:
    """A message of a .proto file; without a name its first one, as a registry takes it.

    `references` are the files that it imports, by the name in the import. Protobuf's own need not be given.
    """
    pool = Pool()
    for name, reference in (references or {}).items():
        pool.offer(name, reference)
    return _schema(pool, pool.add(text), message)


def of_descriptor(descriptor: bytes, *, message: str = "") -> Schema:
    """A message of a serialized `FileDescriptorSet` (of `protoc --include_imports -o`), or of a `FileDescriptorProto` alone. Without a
    name, the first one of the last file.
    """
    pool = Pool()
    return _schema(pool, pool.add_compiled(descriptor), message)


def _schema(pool: Pool, tops: list[str], message: str) -> Schema:
    if not tops:
        raise SchemaError("There is no message in it, so it describes no columns.")
    found = tops[0] if not message else pool.find(message, tops)
    record = _Reader(pool).record(pool.messages[found], found)
    return Schema(record.fields, Dialect.PROTOBUF, reserved=record.reserved)


class _Reader:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._walk = Walk("Protobuf message")
        self._open: list[str] = []

    def record(self, message: Message, name: str) -> Record:
        with self._walk.deeper():
            self._open.append(name)
            fields = tuple(self._field(slot) for slot in message.slots)
            self._open.pop()
            return Record(fields, reserved=message.reserved)

    def _field(self, slot: Slot) -> Field:
        entry = self._pool.messages.get(slot.kind)
        if entry is not None and entry.is_map:
            key, value = (self._inside(s) for s in entry.slots)
            return Field(slot.name, MapOf(key, value), False, True, slot.number)
        if slot.repeated:
            return Field(slot.name, ListOf(self._inside(slot)), False, True, slot.number)
        kind, wire = self._type(slot)
        wire = " ".join(w for w in (wire, f"oneof {slot.oneof}" if slot.oneof else "") if w)
        return Field(slot.name, kind, slot.presence, not slot.required, slot.number, wire)

    def _inside(self, slot: Slot) -> Field:
        """What stands in a list or a map."""
        kind, wire = self._type(slot)
        return Field(slot.name, kind, wire=wire)

    def _type(self, slot: Slot) -> tuple[Type, str]:
        if slot.kind in _SCALARS:
            return _SCALARS[slot.kind]
        if slot.kind in _KNOWN:
            return _KNOWN[slot.kind], ""
        if slot.kind in self._pool.enums:
            return Enum(self._pool.enums[slot.kind]), ""
        if slot.kind in self._open:
            return Opaque(f"{slot.kind}, which contains itself"), ""
        return self.record(self._pool.messages[slot.kind], slot.kind), "group" if slot.group else ""
