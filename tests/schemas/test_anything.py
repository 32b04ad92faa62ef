"""Readers are given what strangers wrote: whatever it is, they answer with a schema, or with an error of ours."""

import contextlib
import io

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reactor.model.schema import Schema, SchemaError, diff
from reactor.schemas.avro import of_avro
from reactor.schemas.files import Format, schema_of_file
from reactor.schemas.jsonschema import of_json_schema
from reactor.schemas.rows import of_lines
from reactor.schemas.sql import of_information_schema, sql_type

KEYS = [
    "type", "name", "fields", "items", "values", "symbols", "size", "logicalType", "precision", "scale", "aliases", "default",
    "namespace", "properties", "required", "anyOf", "allOf", "oneOf", "$ref", "$defs", "enum", "const", "format", "prefixItems",
    "additionalProperties", "maxLength", "a",
]  # fmt: skip
WORDS = [
    "record", "enum", "fixed", "array", "map", "null", "int", "long", "string", "bytes", "decimal", "object", "integer", "number",
    "#", "#/$defs/a", "#/properties/a", "a", "x.json", "date", "", "a.b", "\ud800",
]  # fmt: skip
leaf = st.one_of(st.none(), st.booleans(), st.integers(-3, 99), st.floats(allow_nan=False), st.sampled_from(WORDS))
anything = st.recursive(
    leaf, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)),
    max_leaves=25,
)  # fmt: skip
many = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


def usable(schema: Schema) -> None:
    assert diff(schema, schema).changes == ()
    assert schema.digest and msgspec.json.encode(schema.text)


@given(anything)
@many
def test_json_schema(node: object) -> None:
    with contextlib.suppress(SchemaError):
        usable(of_json_schema(node))


@given(anything)
@many
def test_avro(node: object) -> None:
    with contextlib.suppress(SchemaError):
        usable(of_avro(node))


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), anything, max_size=5), min_size=1, max_size=5))
@many
def test_json_lines(rows: list[dict[str, object]]) -> None:
    body = b"\n".join(msgspec.json.encode(row) for row in rows if "\\ud800" not in repr(row))
    with contextlib.suppress(SchemaError):
        schema = of_lines(io.BytesIO(body))
        usable(schema)
        for line in body.splitlines():
            assert diff(schema, of_lines(io.BytesIO(line))).compatibility == "identical"


@pytest.mark.parametrize("kind", [f for f in Format if f is not Format.PROTOBUF_SCHEMA])
@given(
    body=st.one_of(
        st.binary(max_size=60),
        st.binary(max_size=40).map(lambda b: b"Obj\x01" + b),
        st.text(max_size=40).map(str.encode),
    )
)
@settings(many, max_examples=60)
def test_files(kind: Format, body: bytes) -> None:
    with contextlib.suppress(SchemaError):
        usable(schema_of_file(body, kind))


@given(st.text(alphabet="intvarch()[],0123456789 numerictmesp", max_size=30))
@many
def test_sql_types(text: str) -> None:
    assert str(sql_type(text))


@given(
    st.dictionaries(st.sampled_from(["column_name", "data_type", "udt_name", "is_nullable", "numeric_precision"]), leaf)
)
@many
def test_rows_of_information_schema(row: dict[str, object]) -> None:
    with contextlib.suppress(SchemaError):
        usable(of_information_schema([row]))
