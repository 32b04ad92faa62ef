"""The text of a .proto file, parsed by a library and written down as the descriptor that Protobuf's compiler would make of it."""

from typing import Any, NoReturn

from google.protobuf import descriptor_pb2 as pb

from reactor.model.schema import SchemaError
from reactor.schemas.extras import need

Node = Any  # type: ignore[explicit-any]  # of the parser's tree: the library may be absent, and its types with it
LIMIT = 1024 * 1024
"""Characters: the parser is thorough, and slow."""
_MAX = 2**29 - 1
"""The greatest number of a field."""
_SCALARS = {
    name.removeprefix("TYPE_").lower(): value
    for name, value in pb.FieldDescriptorProto.Type.items()
    if name not in ("TYPE_GROUP", "TYPE_MESSAGE", "TYPE_ENUM")
}


def parse(text: str, name: str) -> pb.FileDescriptorProto:
    """The descriptor of a file, its types not yet resolved.

    Raises:
        SchemaError: it is no .proto file, or has more than a million characters.
    """
    if len(text) > LIMIT:
        raise SchemaError(f"A .proto file of more than {LIMIT} characters is not read.")
    parser = need("proto_schema_parser.parser", "Protobuf text")
    try:
        found = parser.Parser(setup_lexer=_strict, setup_parser=_strict).parse(text)
    except (ValueError, AttributeError, RecursionError) as error:
        raise SchemaError(f"It is no .proto file: {error}.") from error
    file = pb.FileDescriptorProto(name=name, syntax="proto3" if found.syntax == "proto3" else "proto2")
    for node in found.file_elements:
        match _kind(node):
            case "Package":
                file.package = node.name
            case "Import":
                file.dependency.append(node.name)
            case "Message":
                _message(node, file.message_type.add(), file.syntax)
            case "Enum":
                _enum(node, file.enum_type.add())
            case _:
                pass  # services, options, extensions and comments describe no columns
    return file


def _strict(recognizer: Node) -> None:
    """The parser mends what is wrong and goes on; here the first wrong thing is an error."""
    base: type = need("antlr4.error.ErrorListener", "Protobuf text").ErrorListener

    def refuse(_: object, __: object, ___: object, line: int, column: int, message: str, ____: object) -> NoReturn:
        raise SchemaError(f"It is no .proto file: line {line}, column {column}: {message}.")

    recognizer.removeErrorListeners()
    recognizer.addErrorListener(type("Strict", (base,), {"syntaxError": refuse})())


def _kind(node: Node) -> str:
    return type(node).__name__


def _message(node: Node, into: pb.DescriptorProto, syntax: str) -> None:
    into.name = node.name
    for part in node.elements:
        _part(part, into, syntax)
    # Presence that was asked for in proto3 is a oneof of one, and stands behind those that were written.
    for field in into.field:
        if field.proto3_optional:
            field.oneof_index = len(into.oneof_decl)
            into.oneof_decl.add(name=f"_{field.name}")


def _part(part: Node, into: pb.DescriptorProto, syntax: str) -> None:
    match _kind(part):
        case "Field":
            _field(part, into.field.add(), syntax)
        case "MapField":
            _map(part, into)
        case "Group":
            _group(part, into, syntax)
        case "OneOf":
            index = len(into.oneof_decl)
            into.oneof_decl.add(name=part.name)
            for inner in part.elements:
                before = len(into.field)
                _part(inner, into, "oneof")
                for field in into.field[before:]:
                    field.oneof_index = index
        case "Message":
            _message(part, into.nested_type.add(), "proto2" if syntax == "oneof" else syntax)
        case "Enum":
            _enum(part, into.enum_type.add())
        case "Reserved":
            into.reserved_name.extend(part.names)
            for low, high in map(_range, part.ranges):
                into.reserved_range.add(start=low, end=high + 1)
        case _:
            pass  # options, extensions and comments


def _field(node: Node, into: pb.FieldDescriptorProto, syntax: str) -> None:
    into.name, into.number = node.name, node.number
    cardinality = getattr(node.cardinality, "value", node.cardinality)
    into.label = pb.FieldDescriptorProto.Label.Value(f"LABEL_{cardinality or 'OPTIONAL'}")
    if syntax == "proto3" and cardinality == "OPTIONAL":
        into.proto3_optional = True
    _typed(node.type, into)


def _typed(name: str, into: pb.FieldDescriptorProto) -> None:
    if name in _SCALARS:
        into.type = _SCALARS[name]
    else:
        into.type_name = name  # a message or an enum: the pool will see


def _map(node: Node, into: pb.DescriptorProto) -> None:
    """A map is a list of messages with a key and a value, which the compiler makes up."""
    name = "".join(part[:1].upper() + part[1:] for part in node.name.split("_")) + "Entry"
    entry = into.nested_type.add(name=name)
    entry.options.map_entry = True
    for number, (called, kind) in enumerate((("key", node.key_type), ("value", node.value_type)), start=1):
        _typed(kind, entry.field.add(name=called, number=number, label=pb.FieldDescriptorProto.LABEL_OPTIONAL))
    into.field.add(name=node.name, number=node.number, label=pb.FieldDescriptorProto.LABEL_REPEATED, type_name=name)


def _group(node: Node, into: pb.DescriptorProto, syntax: str) -> None:
    _message(node, into.nested_type.add(), syntax)
    cardinality = getattr(node.cardinality, "value", node.cardinality)
    label = pb.FieldDescriptorProto.Label.Value(f"LABEL_{cardinality or 'OPTIONAL'}")
    field = into.field.add(name=node.name.lower(), number=node.number, label=label, type_name=node.name)
    field.type = pb.FieldDescriptorProto.TYPE_GROUP


def _enum(node: Node, into: pb.EnumDescriptorProto) -> None:
    into.name = node.name
    for part in node.elements:
        if _kind(part) == "EnumValue":
            into.value.add(name=part.name, number=part.number)
        elif _kind(part) == "Option" and part.name == "allow_alias" and part.value:
            into.options.allow_alias = True


def _range(text: str) -> tuple[int, int]:
    """`4`, `9 to 11`, `100 to max`."""
    low, _, high = (word.strip() for word in text.partition("to"))
    return int(low, 0), _MAX if high == "max" else int(high or low, 0)
