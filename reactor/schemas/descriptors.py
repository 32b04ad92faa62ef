"""Protobuf's own descriptor pool: what it has accepted and resolved, as plain values."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from reactor.model.errors import nearest
from reactor.model.schema import SchemaError
from reactor.schemas.extras import need

if TYPE_CHECKING:
    from google.protobuf import descriptor_pb2 as pb

_OWN = (
    "any",
    "api",
    "descriptor",
    "duration",
    "empty",
    "field_mask",
    "source_context",
    "struct",
    "timestamp",
    "type",
    "wrappers",
)
"""The files that come with Protobuf: `google/protobuf/NAME.proto`."""


class Slot(NamedTuple):
    """One field of a message, with its type resolved."""

    name: str
    number: int
    kind: str
    """The name of a scalar, or the full name of a message or an enum."""
    repeated: bool
    required: bool
    presence: bool
    """Whether it can be told apart from its default that it is absent."""
    oneof: str
    group: bool


class Message(NamedTuple):
    """One message."""

    slots: tuple[Slot, ...]
    reserved: tuple[str, ...]
    is_map: bool


class Pool:
    """Files of messages, each added after those that it imports."""

    def __init__(self) -> None:
        need("google.protobuf.descriptor_pool", "Protobuf schemas")
        from google.protobuf.descriptor_pool import DescriptorPool  # noqa: PLC0415 - heavy

        self._pool = DescriptorPool()
        self._offered: dict[str, str] = {}
        self._added: set[str] = set()
        self.messages: dict[str, Message] = {}
        self.enums: dict[str, tuple[str, ...]] = {}

    def offer(self, name: str, text: str) -> None:
        """A file that others may import."""
        self._offered[name] = text

    def add(self, text: str, name: str = "schema.proto") -> list[str]:
        """A .proto file, after all that it imports and that is known. Returns the full names of its messages, in order."""
        from reactor.schemas.prototext import parse  # noqa: PLC0415 - heavy

        self._added.add(name)
        file = parse(text, name)
        imports = [i for i in file.dependency if self._import(i)]
        missing = [i for i in file.dependency if i not in imports]
        del file.dependency[:], file.public_dependency[:]
        file.dependency.extend(imports)
        hint = (
            f" Of what it imports, {', '.join(missing)} is not known here: give it as a reference." if missing else ""
        )
        return self._accept(file, hint)

    def add_compiled(self, body: bytes) -> list[str]:
        """A serialized set of files, or one alone. Returns the full names of the messages of the last one."""
        tops: list[str] = []
        for file in _files(body):
            for name in file.dependency:
                self._import(name)
            self._added.add(file.name)
            tops = self._accept(file, "")
        return tops

    def find(self, name: str, tops: Iterable[str]) -> str:
        """The full name of a message that was given by it, or by its end."""
        known = [m for m in self.messages if m == name or m.endswith(f".{name}")]
        if not known:
            raise SchemaError(
                f"There is no message {name!r} in it.{nearest(name, self.messages)} There are: {', '.join(tops)}."
            )
        return known[0]

    def _import(self, name: str) -> bool:
        """Adds a file that is known; whether it is."""
        if name in self._added:
            return True
        own = name.removeprefix("google/protobuf/").removesuffix(".proto")
        if name.startswith("google/protobuf/") and own in _OWN:
            self._added.add(name)
            module = importlib.import_module(f"google.protobuf.{own}_pb2")
            for file in _files(module.DESCRIPTOR.serialized_pb):
                for other in file.dependency:
                    self._import(other)
                self._accept(file, "")
        elif name in self._offered:
            self.add(self._offered[name], name)
        return name in self._added

    def _accept(self, file: pb.FileDescriptorProto, hint: str) -> list[str]:
        from google.protobuf import descriptor_pb2 as pb  # noqa: PLC0415 - heavy

        try:
            self._pool.AddSerializedFile(file.SerializeToString())
            resolved = pb.FileDescriptorProto()
            self._pool.FindFileByName(file.name).CopyToProto(resolved)
        except (TypeError, KeyError, ValueError) as error:
            raise SchemaError(f"Protobuf does not accept it: {str(error).strip()}.{hint}") from error
        package = f"{resolved.package}." if resolved.package else ""
        for enum in resolved.enum_type:
            self._enum(enum, package)
        for message in resolved.message_type:
            self._message(message, package, resolved.syntax == "proto3")
        return [f"{package}{m.name}" for m in resolved.message_type]

    def _message(self, message: pb.DescriptorProto, outer: str, implicit: bool) -> None:
        name = f"{outer}{message.name}"
        for enum in message.enum_type:
            self._enum(enum, f"{name}.")
        for nested in message.nested_type:
            self._message(nested, f"{name}.", implicit)
        slots = tuple(_slot(f, message, implicit) for f in message.field)
        ranges = ((r.start, r.end - 1) for r in message.reserved_range)
        reserved = [f"{a}" if a == b else f"{a}-{b}" for a, b in ranges] + [f"name:{n}" for n in message.reserved_name]
        self.messages[name] = Message(slots, tuple(reserved), message.options.map_entry)

    def _enum(self, enum: pb.EnumDescriptorProto, outer: str) -> None:
        self.enums[f"{outer}{enum.name}"] = tuple(f"{v.name}={v.number}" for v in enum.value)


def _slot(field: pb.FieldDescriptorProto, message: pb.DescriptorProto, implicit: bool) -> Slot:
    inside = field.HasField("oneof_index")
    named = field.type_name.lstrip(".")
    kind = named or type(field).Type.Name(field.type).removeprefix("TYPE_").lower()
    is_message = field.type in (field.TYPE_MESSAGE, field.TYPE_GROUP)
    return Slot(
        field.name,
        field.number,
        kind,
        field.label == field.LABEL_REPEATED,
        field.label == field.LABEL_REQUIRED,
        field.label == field.LABEL_OPTIONAL and (not implicit or is_message or inside),
        message.oneof_decl[field.oneof_index].name if inside and not field.proto3_optional else "",
        field.type == field.TYPE_GROUP,
    )


def _files(body: bytes) -> list[pb.FileDescriptorProto]:
    """A set, or one file: the two cannot be mistaken, for the first field of a file is its name."""
    from google.protobuf import descriptor_pb2 as pb  # noqa: PLC0415 - heavy
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - heavy

    for read in (pb.FileDescriptorProto, pb.FileDescriptorSet):
        try:
            found = read.FromString(body)
        except DecodeError:
            continue
        if isinstance(found, pb.FileDescriptorSet) and found.file:
            return list(found.file)
        if isinstance(found, pb.FileDescriptorProto) and found.name.endswith(".proto"):
            return [found]
    raise SchemaError(
        "These bytes are no compiled Protobuf descriptor. Make one with protoc --include_imports -o FILE."
    )
