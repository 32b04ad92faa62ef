"""Protobuf messages as their compiler writes them; and what a reader says whose package is not installed."""

import pytest
from google.protobuf import descriptor_pb2 as pb
from google.protobuf import timestamp_pb2, type_pb2

from reactor.model.errors import ConfigError
from reactor.model.schema import Schema, SchemaError
from reactor.schemas.extras import need
from reactor.schemas.protobuf import of_descriptor


def columns(schema: Schema) -> dict[str, str]:
    return {f.name: f.content for f in schema.fields}


def test_one_file() -> None:
    found = of_descriptor(timestamp_pb2.DESCRIPTOR.serialized_pb)
    assert columns(found) == {"seconds": "int64 = default #1", "nanos": "int32 = default #2"}


def test_a_set_of_files() -> None:
    at = pb.FieldDescriptorProto(
        name="at",
        number=1,
        type=pb.FieldDescriptorProto.TYPE_MESSAGE,
        label=pb.FieldDescriptorProto.LABEL_OPTIONAL,
        type_name=".google.protobuf.Timestamp",
    )
    file = pb.FileDescriptorProto(
        name="a.proto",
        syntax="proto3",
        dependency=["google/protobuf/timestamp.proto"],
        message_type=[pb.DescriptorProto(name="A", field=[at])],
    )
    own = pb.FileDescriptorProto.FromString(timestamp_pb2.DESCRIPTOR.serialized_pb)
    files = pb.FileDescriptorSet(file=[own, file])
    assert columns(of_descriptor(files.SerializeToString())) == {"at": "timestamp(ns, tz)? = default #1"}


def test_a_message_by_its_name() -> None:
    assert "oneofs" in columns(of_descriptor(type_pb2.DESCRIPTOR.serialized_pb, message="Type"))
    with pytest.raises(SchemaError, match=r"There is no message 'Tpye' in it"):
        of_descriptor(type_pb2.DESCRIPTOR.serialized_pb, message="Tpye")


@pytest.mark.parametrize("body", [b"", b"\xff\xff", b"hello"])
def test_what_is_no_descriptor(body: bytes) -> None:
    with pytest.raises(SchemaError, match="no compiled Protobuf descriptor"):
        of_descriptor(body)


def test_what_is_not_installed_is_named_with_its_extra() -> None:
    with pytest.raises(ConfigError, match=r"needs no-such-thing, .* pip install 'reactor-orchestrator\[schemas\]'"):
        need("no_such_thing.parser", "this")
