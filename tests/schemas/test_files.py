"""The schema of real files: Parquet by pyarrow, Avro by fastavro, CSV, JSON lines; and of what is broken, or none at all."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reactor.model.schema import Basis, Compatibility, Schema, SchemaError, diff
from reactor.schemas import rows
from reactor.schemas.files import schema_of_file, schema_of_file_async
from reactor.schemas.rows import of_lines


def columns(schema: Schema) -> dict[str, str]:
    return {f.name: f.content for f in schema.fields}


def parquet(path: Path, **arrays: pa.Array) -> Path:
    pq.write_table(pa.table(arrays), path)
    return path


def test_parquet(tmp_path: Path) -> None:
    monday = schema_of_file(parquet(tmp_path / "a.parquet", id=pa.array([1], pa.int32()), amount=pa.array([1.5])))
    assert (columns(monday), monday.basis) == ({"id": "int32?", "amount": "float64?"}, Basis.LANDED)
    same = schema_of_file(
        parquet(tmp_path / "b.parquet", id=pa.array([], pa.int32()), amount=pa.array([], pa.float64()))
    )
    assert same.digest == monday.digest
    wider = schema_of_file(
        parquet(tmp_path / "c.parquet", id=pa.array([1]), amount=pa.array([1.5]), note=pa.array(["x"]))
    )
    assert diff(monday, wider).lines == (
        "column id: int32 -> int64 (widening)",
        "column note: added, string? (additive)",
    )
    broken = schema_of_file(parquet(tmp_path / "d.parquet", id=pa.array([1], pa.int32()), amount=pa.array(["1.5"])))
    assert str(diff(monday, broken)) == "breaking: column amount: float64 -> string (breaking)"


def avro(path: Path, *fields: dict[str, Any]) -> Path:
    with path.open("wb") as file:
        fastavro.writer(file, {"type": "record", "name": "R", "fields": list(fields)}, [])
    return path


def test_avro(tmp_path: Path) -> None:
    day = {"name": "day", "type": {"type": "int", "logicalType": "date"}}
    monday = schema_of_file(avro(tmp_path / "a.avro", {"name": "id", "type": "int"}, day))
    assert (columns(monday), monday.name, monday.basis) == ({"id": "int32", "day": "date"}, "R", Basis.LANDED)
    wider = schema_of_file(avro(tmp_path / "b.avro", {"name": "id", "type": "long"}, day))
    assert diff(monday, wider).lines == ("column id: int32 -> int64 (widening)",)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (b"id,amount\n1,2\n", ("id", "amount")),
        (b"\xef\xbb\xbfid;amount\r\n1;2\r\n", ("id", "amount")),
        (b'id\t"a, b"\n', ("id", "a, b")),
        (b'id,"two\nlines"\n1,2\n', ("id", "two\nlines")),
        ("größe|preis".encode(), ("größe", "preis")),
        (b",id\n0,1\n", ("", "id")),
        (b"id\n", ("id",)),
    ],
)
def test_the_header_of_a_csv_file(text: bytes, names: tuple[str, ...]) -> None:
    schema = schema_of_file(text, "csv")
    assert (schema.names, schema.names_only) == (names, True)
    assert schema_of_file(gzip.compress(text), "csv") == schema


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "its first line is empty"),
        (b"\nid\n", "its first line is empty"),
        (b"id,id\n", "Two columns are called 'id'"),
        (b"\xff\xfe\x00", "no header of a CSV file"),
        (b"x" * (rows.HEADER_LIMIT + 1), "more than 1048576 bytes"),
    ],
)
def test_a_csv_file_without_a_header(text: bytes, why: str) -> None:
    with pytest.raises(SchemaError, match=why):
        schema_of_file(text, "csv")


def lines(*found: object) -> Schema:
    return schema_of_file("".join(json.dumps(row) + "\n" for row in found).encode(), "jsonl")


def test_json_lines_tell_what_all_rows_have_in_common() -> None:
    schema = lines(
        {"id": 1, "amount": 1, "note": None, "to": {"zip": 1}, "tags": [], "odd": 1},
        {"id": 2, "amount": 1.5, "note": "x", "to": {"zip": 1, "city": "x"}, "tags": ["a", None], "odd": "x"},
        {"id": 2**70, "amount": 2, "note": None, "to": None, "tags": ["a"], "odd": True, "more": False},
    )
    assert (columns(schema), schema.basis) == (
        {
            "id": "decimal",
            "amount": "float64",
            "note": "string?",
            "to": "struct<city: string = default, zip: int64>?",
            "tags": "list<string?>",
            "odd": "union<boolean | int64 | string>",
            "more": "boolean = default",
        },
        Basis.SEEN,
    )


def test_a_change_in_the_last_of_many_lines_is_seen() -> None:
    many = [{"id": n, "amount": 1} for n in range(20_000)]
    assert columns(lines(*many))["amount"] == "int64"
    assert columns(lines(*many, {"id": 1, "amount": "free"}))["amount"] == "union<int64 | string>"


def test_a_list_that_is_empty_today_is_no_change() -> None:
    assert columns(lines({"tags": []})) == {"tags": "list<null>"}
    assert diff(lines({"tags": ["a"]}), lines({"tags": []})).changes == ()
    assert diff(lines({"tags": []}), lines({"tags": ["a"]})).compatibility is Compatibility.WIDENING


def test_rows_that_are_all_different_cost_no_more_than_rows_that_are_alike() -> None:
    """Every line lacks other keys. Time is not measured here; with a schema per shape this would not end."""
    some = [{f"k{bit}": 1 for bit in range(16) if n >> bit & 1} for n in range(1, 2**14)]
    found = lines(*some)
    assert columns(found) == {f"k{bit}": "int64 = default" for bit in range(14)}


def test_a_day_with_less_in_it_is_no_change() -> None:
    monday, tuesday = lines({"id": 1, "x": 1.5}, {"id": 1, "x": None}), lines({"id": 1, "x": 2})
    assert diff(monday, tuesday).changes == ()
    assert diff(monday, lines({"id": 1})).compatibility is Compatibility.BREAKING


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "no line in it"),
        (b'{"a": 1}\n[1]\n', "Line 2 is no JSON object"),
        (b'{"a": 1}\n\n{"a": \n', "Line 3 is no JSON"),
        (b'{"a": "\xff"}', "Line 1 is no JSON"),
        (b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", "nested more than 64 levels"),
        (b'{"a": ' * 5000 + b"1" + b"}" * 5000, "no JSON|nested more than"),
        (json.dumps({f"k{n}": 1 for n in range(2_001)}).encode(), "they are data, not columns"),
        (b"\n".join(json.dumps({"by": {f"k{n}": 1}}).encode() for n in range(2_001)), "they are data, not columns"),
    ],
)
def test_lines_that_have_no_schema(text: bytes, why: str) -> None:
    with pytest.raises(SchemaError, match=why):
        schema_of_file(text, "jsonl")


def test_lines_beyond_the_limit_are_refused_rather_than_guessed() -> None:
    with pytest.raises(SchemaError, match="more than 20 bytes of JSON lines"):
        of_lines(io.BytesIO(b'{"a": 1}\n{"a": 2}\n{"a": 3}\n'), limit=20)
    assert of_lines(io.BytesIO(b'{"a": 1}\n{"a": 2}\n'), limit=18).names == ("a",)


def test_files_that_are_schemas(tmp_path: Path) -> None:
    record = {"type": "record", "name": "R", "fields": [{"name": "id", "type": "long"}]}
    for name, found in (
        ("a.avsc", record),
        ("b.json", record),
        ("c.json", {"properties": {"id": {"type": "integer"}}, "required": ["id"]}),
    ):
        (tmp_path / name).write_text(json.dumps(found))
        assert columns(schema_of_file(tmp_path / name)) == {"id": "int64"}


async def test_in_async_code_a_thread_reads(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"id,amount\n"))
    assert (await schema_of_file_async(tmp_path / "a.csv.gz")).names == ("id", "amount")


@pytest.mark.parametrize("kind", ["parquet", "avro", "jsonl", "avsc", "json"])
@pytest.mark.parametrize(
    "body", [b"", b"PAR1", b"PAR1" + b"\0" * 40 + b"PAR1", b"Obj\x01", b"\x1f\x8b broken", b"\0" * 100], ids=repr
)
def test_what_is_broken_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(SchemaError):
        schema_of_file(body, kind)


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    whole = parquet(tmp_path / "a.parquet", id=pa.array(range(1000))).read_bytes()
    with pytest.raises(SchemaError, match=r"The file has no schema that could be read\. It is no Parquet file"):
        schema_of_file(whole[: len(whole) // 2], "parquet")
    half = avro(tmp_path / "a.avro", {"name": "id", "type": "int"}).read_bytes()[:30]
    with pytest.raises(SchemaError, match="It is no Avro file"):
        schema_of_file(half, "avro")


def test_a_file_of_which_nothing_is_known(tmp_path: Path) -> None:
    with pytest.raises(
        SchemaError, match=r"orders.dat is cannot be told from its name. Say the format: parquet, avro, csv"
    ):
        schema_of_file("orders.dat")
    with pytest.raises(SchemaError, match=r"There is no format 'parket'. Did you mean 'parquet'\?"):
        schema_of_file(b"", "parket")
    with pytest.raises(SchemaError, match=r"a.csv cannot be read: No such file or directory\."):
        schema_of_file(tmp_path / "a.csv")
