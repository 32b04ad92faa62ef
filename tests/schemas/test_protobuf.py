"""Protobuf messages, as a registry holds them: text."""

import pytest

from reactor.model.schema import Compatibility, Dialect, Schema, SchemaError, diff
from reactor.schemas.protobuf import of_proto

REFUND = """
syntax = "proto3";
package shop.v1;
import "google/protobuf/timestamp.proto";
import "money.proto";
option java_package = "com.example";

message Refund {
  reserved 4, 9 to 11;
  reserved "old";
  string id = 1;
  sint64 cents = 2;
  optional int32 n = 3;
  repeated sfixed32 codes = 5 [packed = false];
  map<string, Line> lines = 6;
  oneof pay { string card = 7; int64 iban = 8; }
  google.protobuf.Timestamp at = 12;
  Status status = 13;
  Line line = 14;
  bank.Money total = 15;
  message Line { int32 count = 1; Refund parent = 2; }
  enum Status { UNKNOWN = 0; OPEN = 1; }
}
message Other { bool x = 1; }
service Refunds { rpc Get (Other) returns (Refund); }
"""
MONEY = 'syntax = "proto3"; package bank; message Money { int64 units = 1; }'


@pytest.fixture(autouse=True)
def _parser() -> None:
    pytest.importorskip("proto_schema_parser")


def columns(schema: Schema) -> dict[str, str]:
    return {f.name: f.content for f in schema.fields}


def test_the_first_message_of_a_file() -> None:
    schema = of_proto(REFUND, references={"money.proto": MONEY})
    assert (schema.dialect, schema.reserved) == (Dialect.PROTOBUF, ("4", "9-11", "name:old"))
    assert columns(schema) == {
        "id": "string = default #1",
        "cents": "int64 = default #2 [zigzag]",
        "n": "int32? = default #3",
        "codes": "list<int32 [fixed]> = default #5",
        "lines": 'map<string, struct<count: int32 = default #1, parent: other("shop.v1.Refund, which contains itself")? = default #2>>'
        " = default #6",
        "card": "string? = default #7 [oneof pay]",
        "iban": "int64? = default #8 [oneof pay]",
        "at": "timestamp(ns, tz)? = default #12",
        "status": 'enum("OPEN=1", "UNKNOWN=0") = default #13',
        "line": 'struct<count: int32 = default #1, parent: other("shop.v1.Refund, which contains itself")? = default #2>? = default #14',
        "total": "struct<units: int64 = default #1>? = default #15",
    }


def test_another_message_by_its_name() -> None:
    given = {"money.proto": MONEY}
    for name in ("Other", "shop.v1.Other"):
        assert columns(of_proto(REFUND, message=name, references=given)) == {"x": "boolean = default #1"}
    with pytest.raises(SchemaError, match=r"no message 'Otter' in it.*There are: shop.v1.Refund, shop.v1.Other"):
        of_proto(REFUND, message="Otter", references=given)


def test_proto2_with_groups_and_required_fields() -> None:
    text = """
        message A {
          required int32 a = 1;
          optional string b = 2 [default = "x"];
          repeated group G = 3 { optional bool c = 1; }
          extensions 100 to max;
          enum E { option allow_alias = true; X = 0; Y = 0; }
          optional E e = 4;
        }
    """
    assert columns(of_proto(text)) == {
        "a": "int32 #1",
        "b": "string? = default #2",
        "g": "list<struct<c: boolean? = default #1> [group]> = default #3",
        "e": 'enum("X=0", "Y=0")? = default #4',
    }


def message(fields: str) -> Schema:
    return of_proto(
        f'syntax = "proto3"; message M {{ {fields} }} message X {{ enum E {{ A = 0; }} }} message Y {{ enum E {{ A = 0; B = 1; }} }}'
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("int32 a = 1;", "int32 a = 1; string b = 2;", "additive"),
        ("int32 a = 1;", "int32 a = 1; reserved 2;", "additive"),
        ("int32 a = 1;", "int64 a = 1;", "widening"),
        ("bool a = 1;", "uint32 a = 1;", "widening"),
        ("sint32 a = 1;", "sint64 a = 1;", "widening"),
        ("string a = 1;", "bytes a = 1;", "widening"),
        ("X.E a = 1;", "Y.E a = 1;", "widening"),
        ("X.E a = 1;", "int32 a = 1;", "widening"),
        ("int32 a = 1;", "optional int32 a = 1;", "widening"),
        ("int64 a = 1;", "int32 a = 1;", "breaking"),
        ("int32 a = 1;", "sint32 a = 1;", "breaking"),
        ("fixed32 a = 1;", "fixed64 a = 1;", "breaking"),
        ("float a = 1;", "double a = 1;", "breaking"),
        ("bytes a = 1;", "string a = 1;", "breaking"),
        ("int32 a = 1;", "int32 a = 2;", "breaking"),
        ("int32 a = 1;", "int32 b = 1;", "breaking"),
        ("int32 a = 1;", "repeated int32 a = 1;", "breaking"),
        ("int32 a = 1;", "oneof o { int32 a = 1; }", "breaking"),
        ("int32 a = 1;", "", "breaking"),
        ("reserved 2;", "", "breaking"),
        ("int32 a = 1; int32 b = 2;", "int32 b = 2; int32 a = 1;", "identical"),
        ("repeated int32 a = 1;", "repeated int32 a = 1 [packed = false];", "identical"),
    ],
)
def test_a_new_version_of_a_message(old: str, new: str, expected: str) -> None:
    found = diff(message(old), message(new))
    assert found.compatibility is Compatibility(expected), found.lines


def test_a_renamed_field_is_found_by_its_number() -> None:
    assert diff(message("int32 a = 1;"), message("int32 b = 1;")).lines == ("column a: renamed to b (breaking)",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no message in it"),
        ("garbage", "line 1, column 0"),
        ('syntax = "proto3"; message A { int32 a = ; }', "line 1, column"),
        ('syntax = "proto3"; message A { int32 a = 1 }', "line 1, column"),
        ('syntax = "proto3"; message A { int32 a = 1; int32 b = 1; }', "Protobuf does not accept it"),
        ('syntax = "proto3"; message A { Nowhere a = 1; }', "Nowhere"),
        (
            'syntax = "proto3"; import "x.proto"; message A { X a = 1; }',
            "x.proto is not known here: give it as a reference",
        ),
        ("message A {" * 2_000 + "}" * 2_000, "no .proto file|does not accept"),
    ],
)
def test_what_is_no_proto_file(text: str, why: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SchemaError, match=why):
        of_proto(text)
    assert capfd.readouterr() == ("", "")


def test_an_import_that_no_field_needs_may_be_missing() -> None:
    text = 'syntax = "proto3"; import "confluent/meta.proto"; message A { int32 a = 1 [(confluent.field_meta).doc = "x"]; }'
    assert columns(of_proto(text)) == {"a": "int32 = default #1"}
