"""The schema of a landed file: a Parquet footer, an Avro header, the header of a CSV file, JSON lines; and of files that are schemas.

Parquet and Avro are read at their ends alone, however large they are.
"""

import asyncio
import gzip
import io
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import IO, cast

import msgspec

from reactor.model.errors import nearest
from reactor.model.events import Json
from reactor.model.schema import Basis, Schema, SchemaError
from reactor.schemas.arrow import of_arrow
from reactor.schemas.avro import of_avro
from reactor.schemas.extras import need
from reactor.schemas.jsonschema import of_json_schema
from reactor.schemas.protobuf import of_proto
from reactor.schemas.rows import of_header, of_lines

SCHEMA_LIMIT = 16 * 1024 * 1024
"""Bytes that a file may have that is a schema itself."""
_GZIP = b"\x1f\x8b"


class Format(StrEnum):
    """How a file is written."""

    PARQUET = "parquet"
    AVRO = "avro"
    CSV = "csv"
    JSON_LINES = "jsonl"
    AVRO_SCHEMA = "avsc"
    JSON_SCHEMA = "json"
    PROTOBUF_SCHEMA = "proto"


_SUFFIXES: Mapping[str, Format] = {
    ".parquet": Format.PARQUET,
    ".pq": Format.PARQUET,
    ".avro": Format.AVRO,
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".jsonl": Format.JSON_LINES,
    ".ndjson": Format.JSON_LINES,
    ".avsc": Format.AVRO_SCHEMA,
    ".json": Format.JSON_SCHEMA,
    ".proto": Format.PROTOBUF_SCHEMA,
}


def schema_of_file(file: str | Path | bytes | IO[bytes], format: Format | str | None = None) -> Schema:
    """The schema of a file, given by its path, as bytes, or open for reading (and seeking).

    Without a format its suffix tells it: `orders.csv`, `orders.csv.gz`, `orders.parquet`.

    Raises:
        SchemaError: it cannot be read as such.
        ConfigError: a package is not installed that the format needs.
    """
    kind = _format(file, format)
    name = str(file) if isinstance(file, str | Path) else "The file"
    try:
        with ExitStack() as stack:
            return _READERS[kind](_opened(file, kind, stack))
    except SchemaError as error:
        raise SchemaError(f"{name} has no schema that could be read. {error}") from error
    except (OSError, EOFError) as error:
        raise SchemaError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


async def schema_of_file_async(file: str | Path | bytes | IO[bytes], format: Format | str | None = None) -> Schema:
    """The same in a thread: reading a file blocks."""
    return await asyncio.to_thread(schema_of_file, file, format)


def _format(file: object, format: Format | str | None) -> Format:
    if format is not None:
        if format not in list(Format):
            raise SchemaError(
                f"There is no format {format!r}.{nearest(str(format), [f.value for f in Format])} There are: {', '.join(Format)}."
            )
        return Format(format)
    suffix = ""
    if isinstance(file, str | Path):
        path = Path(file)
        suffix = Path(path.stem).suffix if path.suffix.lower() == ".gz" else path.suffix
        if suffix.lower() in _SUFFIXES:
            return _SUFFIXES[suffix.lower()]
    raise SchemaError(
        f"What {file if isinstance(file, str | Path) else 'the file'} is cannot be told from its name. "
        f"Say the format: {', '.join(Format)}; or use one of the suffixes {', '.join(_SUFFIXES)}."
    )


def _opened(file: str | Path | bytes | IO[bytes], kind: Format, stack: ExitStack) -> IO[bytes]:
    if isinstance(file, bytes):
        opened: IO[bytes] = io.BytesIO(file)
    elif isinstance(file, str | Path):
        opened = stack.enter_context(Path(file).open("rb"))  # noqa: SIM115 - the stack closes it
    else:
        opened = file
    if kind in (Format.CSV, Format.JSON_LINES):
        start = opened.tell()
        packed = opened.read(2) == _GZIP
        opened.seek(start)
        if packed:
            return cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=opened)))
    return opened


def _parquet(file: IO[bytes]) -> Schema:
    need("pyarrow", "Parquet")
    import pyarrow as pa  # noqa: PLC0415 - heavy
    import pyarrow.parquet as pq  # noqa: PLC0415 - heavy

    try:
        return of_arrow(pq.read_schema(file), basis=Basis.LANDED)
    except pa.ArrowException as error:
        raise SchemaError(f"It is no Parquet file: {error}.") from error


def _avro(file: IO[bytes]) -> Schema:
    fastavro = need("fastavro", "Avro files")
    try:
        header = fastavro.reader(file).metadata
        written = header["avro.schema"]
    except (ValueError, KeyError, TypeError, EOFError, IndexError) as error:
        raise SchemaError(f"It is no Avro file: {error}.") from error
    return of_avro(written, basis=Basis.LANDED)


def _whole(file: IO[bytes]) -> str:
    body = file.read(SCHEMA_LIMIT + 1)
    if len(body) > SCHEMA_LIMIT:
        raise SchemaError(f"A schema of more than {SCHEMA_LIMIT} bytes is not read.")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SchemaError(f"It is no UTF-8 text: {error.reason}.") from error


def _json(file: IO[bytes]) -> Schema:
    """A JSON Schema; or an Avro schema that is called .json."""
    text = _whole(file)
    try:
        found: Json = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise SchemaError(f"It is no JSON: {error}.") from error
    is_avro = isinstance(found, dict) and found.get("type") == "record" and "fields" in found
    return of_avro(found) if is_avro else of_json_schema(found)


_READERS: Mapping[Format, Callable[[IO[bytes]], Schema]] = {
    Format.PARQUET: _parquet,
    Format.AVRO: _avro,
    Format.CSV: of_header,
    Format.JSON_LINES: of_lines,
    Format.AVRO_SCHEMA: lambda file: of_avro(_whole(file)),
    Format.JSON_SCHEMA: _json,
    Format.PROTOBUF_SCHEMA: lambda file: of_proto(_whole(file)),
}
