"""Each kind of schema, turned into the one vocabulary, and one real change of each."""

import datetime as dt
import enum
import json
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType

import pyarrow as pa
import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, NaiveDatetime, RootModel
from pydantic import Field as Says

from reactor.model.errors import DefinitionError
from reactor.model.schema import Compatibility, Dialect, Schema, SchemaError, diff
from reactor.schemas.arrow import of_arrow
from reactor.schemas.avro import of_avro
from reactor.schemas.declared import schema_of
from reactor.schemas.jsonschema import of_json_schema
from reactor.schemas.models import of_model
from reactor.schemas.sql import Column, of_columns, of_information_schema, sql_type


def columns(schema: Schema) -> dict[str, str]:
    return {f.name: f.content for f in schema.fields}


# --- pydantic ----------------------------------------------------------------------------------------------------------------


class Kind(enum.StrEnum):
    FULL = "full"
    PART = "part"


class Level(enum.IntEnum):
    LOW = 1


class Line(BaseModel):
    sku: str
    price: Decimal = Says(max_digits=10, decimal_places=2)


class Node(BaseModel):
    parent: "Node | None" = None


class Tags(RootModel[list[str]]):
    pass


UserId = NewType("UserId", int)


class Refund(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    id: UserId
    key: uuid.UUID
    amount: Annotated[Decimal, Says(max_digits=12, decimal_places=2)]
    rate: float | None
    name: Annotated[str, Says(max_length=20)]
    raw: bytes = b""
    day: dt.date
    at: dt.datetime
    aware: AwareDatetime
    naive: NaiveDatetime
    took: dt.timedelta
    kind: Kind
    level: Level
    mode: Literal["a", "b"] | None = None
    lines: list[Line]
    pair: tuple[int, str]
    prices: dict[str, float]
    tags: Tags
    either: int | str
    anything: Any
    node: Node
    own: bool = Says(alias="isOwn")


def test_a_pydantic_model() -> None:
    schema = of_model(Refund)
    assert schema.dialect is Dialect.JSON
    assert columns(schema) == {
        "id": "int64",
        "key": "uuid",
        "amount": "decimal(12,2)",
        "rate": "float64?",
        "name": "string(20)",
        "raw": "bytes = default",
        "day": "date",
        "at": "union<timestamp(us) | timestamp(us, tz)>",
        "aware": "timestamp(us, tz)",
        "naive": "timestamp(us)",
        "took": 'other("duration")',
        "kind": 'enum("full", "part")',
        "level": 'other("one of [1]")',
        "mode": 'enum("a", "b")? = default',
        "lines": "list<struct<price: decimal(10,2), sku: string>>",
        "pair": 'struct<"0": int64, "1": string>',
        "prices": "map<string, float64>",
        "tags": "list<string>",
        "either": "union<int64 | string>",
        "anything": "any?",
        "node": 'struct<parent: other("Node, which contains itself")? = default>',
        "isOwn": "boolean",
    }


def test_a_model_that_asks_for_more() -> None:
    class Before(BaseModel):
        id: int

    class After(BaseModel):
        id: int
        note: str | None

    class Optional(BaseModel):
        id: int
        note: str | None = None

    assert diff(of_model(Before), of_model(After)).compatibility is Compatibility.BREAKING
    assert diff(of_model(Before), of_model(Optional)).compatibility is Compatibility.ADDITIVE


def test_a_model_and_its_json_schema_say_the_same() -> None:
    class Plain(BaseModel):
        id: int
        day: dt.date
        kind: Kind
        tags: list[str] = []
        rate: float | None = None
        to: dict[str, int]

    assert diff(of_model(Plain), of_json_schema(Plain.model_json_schema())).changes == ()


# --- JSON Schema -------------------------------------------------------------------------------------------------------------

SHOP = {
    "type": "object",
    "required": ["id", "lines", "at", "status", "self"],
    "properties": {
        "id": {"type": "integer"},
        "n": {"type": "integer", "format": "int32"},
        "at": {"type": "string", "format": "date-time"},
        "name": {"type": "string", "maxLength": 5},
        "status": {"enum": ["open", "paid", None]},
        "odd": {"enum": [1, "x"]},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
        "prices": {"type": "object", "additionalProperties": {"type": ["number", "null"]}},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]},
        "pair": {"prefixItems": [{"type": "integer"}, {"type": "string"}]},
        "free": {},
        "whole": {"allOf": [{"$ref": "#/$defs/line"}, {"properties": {"more": True}, "required": ["more"]}]},
        "self": {"$ref": "#"},
        "elsewhere": {"$ref": "money.json"},
    },
    "$defs": {"line": {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]}},
}
MONEY = {
    "type": "object",
    "properties": {"cents": {"$ref": "#/$defs/c"}},
    "required": ["cents"],
    "$defs": {"c": {"type": "integer"}},
}


def test_a_json_schema() -> None:
    assert columns(of_json_schema(json.dumps(SHOP), references={"money.json": json.dumps(MONEY)})) == {
        "id": "int64",
        "n": "int32 = default",
        "at": "timestamp(us, tz)",
        "name": "string(5) = default",
        "status": 'enum("open", "paid")?',
        "odd": 'other("one of [1, \\"x\\"]") = default',
        "lines": "list<struct<sku: string>>",
        "prices": "map<string, float64?> = default",
        "either": "union<int64 | string>? = default",
        "pair": 'struct<"0": int64, "1": string> = default',
        "free": "any? = default",
        "whole": "struct<more: any?, sku: string> = default",
        "self": "struct<at: timestamp(us, tz), either: union<int64 | string>? = default, elsewhere: struct<cents: int64> = default, "
        "free: any? = default, id: int64, lines: list<struct<sku: string>>, n: int32 = default, name: string(5) = default, "
        'odd: other("one of [1, \\"x\\"]") = default, pair: struct<"0": int64, "1": string> = default, '
        "prices: map<string, float64?> = default, "
        'self: other("#, which contains itself"), status: enum("open", "paid")?, whole: struct<more: any?, sku: string> = default>',
        "elsewhere": "struct<cents: int64> = default",
    }


def test_what_a_json_schema_refers_to_is_never_fetched() -> None:
    with pytest.raises(
        SchemaError, match=r"refers to 'https://example.com/x.json', which is not inside it. Nothing is fetched"
    ):
        of_json_schema({"$ref": "https://example.com/x.json"})
    with pytest.raises(SchemaError, match="which is not there"):
        of_json_schema({"$ref": "#/$defs/nowhere"})


def test_a_json_schema_that_grows_without_end_is_refused() -> None:
    defs: dict[str, object] = {"x0": {"type": "string"}}
    for n in range(1, 30):
        defs[f"x{n}"] = {"type": "object", "properties": {k: {"$ref": f"#/$defs/x{n - 1}"} for k in "abc"}}
    with pytest.raises(SchemaError, match="too large to be compared"):
        of_json_schema({"$ref": "#/$defs/x29", "$defs": defs})
    with pytest.raises(SchemaError, match=r"too large|cannot be put together"):
        of_json_schema({"allOf": [{"$ref": "#"}]})


@pytest.mark.parametrize(
    "text", ["", "[", "3", '"x"', '{"type": "strnig"}', '{"anyOf": 3}', '{"properties": {"a": 3}}']
)
def test_what_is_no_json_schema(text: str) -> None:
    with pytest.raises(SchemaError, match="no JSON Schema"):
        of_json_schema(text)


# --- Avro --------------------------------------------------------------------------------------------------------------------

ORDER: dict[str, Any] = {
    "type": "record",
    "name": "Order",
    "namespace": "shop",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
        {"name": "wrong", "type": {"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 4}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "local", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "either", "type": ["int", "string"]},
        {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["OPEN", "PAID"]}},
        {"name": "before", "type": ["null", "Status"]},
        {"name": "hash", "type": {"type": "fixed", "name": "Md5", "size": 16}},
        {"name": "tags", "type": {"type": "array", "items": ["null", "string"]}},
        {"name": "prices", "type": {"type": "map", "values": "double"}},
        {"name": "parent", "type": ["null", "shop.Order"], "aliases": ["up"]},
    ],
}  # fmt: skip


def test_an_avro_schema() -> None:
    schema = of_avro(json.dumps(ORDER))
    assert (schema.dialect, schema.name) == (Dialect.AVRO, "Order")
    assert columns(schema) == {
        "id": "int64",
        "amount": "decimal(10,2)",
        "wrong": "bytes",
        "day": "date",
        "at": "timestamp(ms, tz)",
        "local": "timestamp(us)",
        "note": "string? = default",
        "either": "union<int32 | string>",
        "status": 'enum Status("OPEN", "PAID")',
        "before": 'enum Status("OPEN", "PAID")?',
        "hash": "fixed Md5(16)",
        "tags": "list<string?>",
        "prices": "map<string, float64>",
        "parent": 'other("shop.Order, which contains itself")?',
    }


def record(*fields: dict[str, Any], name: str = "R") -> Schema:
    return of_avro({"type": "record", "name": name, "fields": list(fields)})


INT = {"name": "a", "type": "int"}


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ([INT, {"name": "b", "type": "int", "default": 0}], Compatibility.ADDITIVE),
        ([INT, {"name": "b", "type": ["null", "int"]}], Compatibility.BREAKING),
        ([{"name": "a", "type": "double"}], Compatibility.WIDENING),
        ([{"name": "a", "type": ["null", "int"]}], Compatibility.WIDENING),
        ([{"name": "a", "type": ["int", "string"]}], Compatibility.WIDENING),
        ([{"name": "a", "type": "string"}], Compatibility.BREAKING),
        ([{"name": "z", "type": "int", "aliases": ["a"]}], Compatibility.BREAKING),
        ([], Compatibility.BREAKING),
    ],
)
def test_a_new_version_of_an_avro_schema(new: list[dict[str, Any]], expected: Compatibility) -> None:
    assert diff(record(INT), record(*new)).compatibility is expected


def test_an_avro_record_that_is_called_otherwise() -> None:
    assert diff(record(INT), record(INT, name="other.R")).changes == ()
    assert diff(record(INT), record(INT, name="S")).lines == ("the schema: type is now called S, was R (breaking)",)


def test_avro_names_from_other_schemas() -> None:
    money = {"type": "record", "name": "shop.Money", "fields": [{"name": "cents", "type": "long"}]}
    order = {"type": "record", "name": "O", "namespace": "shop", "fields": [{"name": "total", "type": "Money"}]}
    assert columns(of_avro(order, references=[money])) == {"total": "struct Money<cents: int64>"}
    with pytest.raises(SchemaError, match="uses 'Money', which is neither a type of Avro nor named before"):
        of_avro(order)


def test_an_avro_schema_that_is_no_record() -> None:
    assert columns(of_avro('["null", "string"]')) == {"value": "string?"}
    assert columns(of_avro("string")) == {"value": "string"}


@pytest.mark.parametrize(
    "text", ["", "{", "3", '{"type": "record", "name": "R"}', '{"type": "record", "fields": []}', '"lnog"']
)
def test_what_is_no_avro_schema(text: str) -> None:
    with pytest.raises(SchemaError, match="Avro"):
        of_avro(text)


# --- Arrow -------------------------------------------------------------------------------------------------------------------


def test_an_arrow_schema() -> None:
    schema = pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False),
            ("u", pa.uint8()),
            ("h", pa.float16()),
            ("day", pa.date32()),
            ("at", pa.timestamp("ns", tz="Europe/Berlin")),
            ("naive", pa.timestamp("ms")),
            ("clock", pa.time64("us")),
            ("amount", pa.decimal128(10, 2)),
            ("text", pa.large_string()),
            ("view", pa.string_view()),
            ("code", pa.dictionary(pa.int32(), pa.string())),
            ("raw", pa.binary()),
            ("md5", pa.binary(16)),
            ("tags", pa.list_(pa.string())),
            ("pair", pa.list_(pa.int8(), 2)),
            ("prices", pa.map_(pa.string(), pa.float32())),
            ("to", pa.struct([pa.field("zip", pa.string(), nullable=False)])),
            ("took", pa.duration("s")),
            ("nothing", pa.null()),
            ("key", pa.uuid()),
        ]
    )
    assert columns(of_arrow(schema)) == {
        "id": "int64",
        "u": "uint8?",
        "h": "float16?",
        "day": "date?",
        "at": "timestamp(ns, tz)?",
        "naive": "timestamp(ms)?",
        "clock": "time(us)?",
        "amount": "decimal(10,2)?",
        "text": "string?",
        "view": "string?",
        "code": "string?",
        "raw": "bytes?",
        "md5": "fixed(16)?",
        "tags": "list<string?>?",
        "pair": 'other("fixed_size_list<item: int8>[2]")?',
        "prices": "map<string, float32?>?",
        "to": "struct<zip: string>?",
        "took": 'other("duration[s]")?',
        "nothing": "null?",
        "key": "uuid?",
    }


def test_arrow_columns_of_one_name_are_refused() -> None:
    with pytest.raises(SchemaError, match="Two columns are called 'a'"):
        of_arrow(pa.schema([("a", pa.int8()), ("a", pa.int8())]))


# --- SQL ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("integer", "int32"), ("bigint", "int64"), ("smallint", "int16"), ("numeric(10,2)", "decimal(10,2)"), ("numeric", "decimal"),
        ("numeric(5)", "decimal(5,0)"), ("character varying(20)", "string(20)"), ("character varying", "string"), ("text", "string"),
        ("character(3)", "string(3)"), ("boolean", "boolean"), ("double precision", "float64"), ("real", "float32"), ("date", "date"),
        ("timestamp without time zone", "timestamp(us)"), ("timestamp(3) with time zone", "timestamp(ms, tz)"),
        ("timestamp(0) without time zone", "timestamp(s)"), ("time without time zone", "time(us)"), ("uuid", "uuid"), ("bytea", "bytes"),
        ("integer[]", "list<int32?>"), ("character varying(5)[]", "list<string(5)?>"), ("jsonb", 'other("jsonb")'),
        ("interval", 'other("interval")'), ("geometry(Point,4326)", 'other("geometry(point,4326)")'), ("VARCHAR(7)", "string(7)"),
        ("NUMBER(38, 0)", "decimal(38,0)"), ("TIMESTAMP_NTZ(9)", "timestamp(ns)"),
    ],
)  # fmt: skip
def test_a_sql_type(text: str, kind: str) -> None:
    assert str(sql_type(text)) == kind


def test_columns_of_a_table() -> None:
    schema = of_columns(
        [
            Column("id", "bigint", nullable=False, has_default=True, position=1),
            {
                "name": "status",
                "type": "status",
                "nullable": True,
                "has_default": False,
                "position": 2,
                "labels": ["open", "paid"],
            },
        ]
    )
    assert columns(schema) == {"id": "int64 = default", "status": 'enum("open", "paid")?'}
    with pytest.raises(SchemaError, match="does not describe a column"):
        of_columns([{"nmae": "id"}])


def test_rows_of_information_schema() -> None:
    def row(name: str, kind: str, **more: Any) -> dict[str, Any]:
        return {"column_name": name, "data_type": kind, "is_nullable": "NO", "column_default": None, **more}

    rows = [
        row("id", "bigint", is_identity="YES", ordinal_position=1, numeric_precision=64, numeric_scale=0),
        row("amount", "numeric", numeric_precision=10, numeric_scale=2, is_nullable="YES"),
        row("name", "character varying", character_maximum_length=20, column_default="'x'"),
        row("tags", "ARRAY", udt_name="_text"),
        row("status", "USER-DEFINED", udt_name="status"),
        row("at", "timestamp with time zone", datetime_precision=3),
    ]
    assert columns(of_information_schema(rows)) == {
        "id": "int64 = default",
        "amount": "decimal(10,2)?",
        "name": "string(20) = default",
        "tags": "list<string?>",
        "status": 'other("status")',
        "at": "timestamp(ms, tz)",
    }


def test_a_table_that_was_altered() -> None:
    def columns_of(*rows: tuple[int, str, str, bool]) -> Schema:
        return of_columns([Column(name, kind, nullable, position=at) for at, name, kind, nullable in rows])

    before = columns_of((1, "id", "integer", False), (2, "total", "numeric(10,2)", True), (3, "note", "text", True))
    after = columns_of((1, "id", "bigint", False), (2, "amount", "numeric(10,2)", True), (4, "day", "date", True))
    assert set(diff(before, after).lines) == {
        "column id: int32 -> int64 (widening)",
        "column total: renamed to amount (breaking)",
        "column note: removed, was string? (breaking)",
        "column day: added, date? (additive)",
    }


# --- whatever was declared ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (Line, {"sku": "string", "price": "decimal(10,2)"}),
        (pa.schema([("id", pa.int8())]), {"id": "int8?"}),
        ({"type": "record", "name": "R", "fields": [INT]}, {"a": "int32"}),
        ({"type": "object", "properties": {"id": {"type": "integer"}}}, {"id": "int64 = default"}),
        (of_columns([Column("id", "bigint", nullable=False)]), {"id": "int64"}),
    ],
)
def test_what_an_asset_may_be_given_as_its_schema(given: object, found: dict[str, str]) -> None:
    assert columns(schema_of(given)) == found


@pytest.mark.parametrize("given", [None, "refund.avsc", 3, int, Line(sku="x", price=Decimal(1)), ["id"]])
def test_what_an_asset_may_not_be_given_as_its_schema(given: object) -> None:
    with pytest.raises(DefinitionError, match=r"is no schema\. Give a pydantic model"):
        schema_of(given)
