"""The schema of rows that carry none: the header of a CSV file, and JSON lines, all of them.

A sample would miss what changes in the last line, so every line is read, up to a size; a larger file is refused rather than guessed.
"""

import csv
import itertools
import re
from collections.abc import Iterator
from typing import IO

import msgspec

from reactor.model.events import Json
from reactor.model.schema import Basis, Dialect, Field, Schema, SchemaError
from reactor.model.schema.compare import Rules
from reactor.model.schema.fit import join_records, join_types
from reactor.model.schema.types import NULL, Decimal, ListOf, Record, Scalar, Text, Type, names_of
from reactor.schemas.bounds import DEPTH

HEADER_LIMIT = 1024 * 1024
"""Bytes that the header of a CSV file may have."""
LINES_LIMIT = 256 * 1024 * 1024
"""Bytes of JSON lines that are read."""
COLUMNS_LIMIT = 2_000
"""Keys that the objects of one place may have between them: with more, the keys are data."""
_DELIMITERS = (",", ";", "\t", "|")
_QUOTED = re.compile(r'"[^"]*"')
_RULES = Rules(Dialect.JSON)
_decoder = msgspec.json.Decoder()


def of_header(file: IO[bytes], *, delimiter: str | None = None) -> Schema:
    """The names in the first line of a CSV file. Types are not known: what they look like in one file proves nothing for the next.

    Without a delimiter it is the one of `, ; tab |` that is there most often.
    """
    line = file.readline(HEADER_LIMIT)
    while line.count(b'"') % 2 and len(line) < HEADER_LIMIT:  # a name with a line break in it
        more = file.readline(HEADER_LIMIT - len(line))
        if not more:
            break
        line += more
    if len(line) >= HEADER_LIMIT:
        raise SchemaError(f"The first line has more than {HEADER_LIMIT} bytes, so it is no header of a CSV file.")
    try:
        text = line.decode("utf-8-sig").strip("\r\n")
        names = next(csv.reader([text], delimiter=delimiter or _delimiter(text), strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise SchemaError(f"The first line is no header of a CSV file: {error}.") from error
    if not any(name.strip() for name in names):
        raise SchemaError("The file has no header: its first line is empty. Write the names of the columns there.")
    return names_of(*(name.strip() for name in names))


def of_lines(file: IO[bytes], *, limit: int = LINES_LIMIT) -> Schema:
    """What the objects of all lines have in common, and in what they differ: a key that some lack may be left out.

    Raises:
        SchemaError: a line is no JSON object, or there are more than `limit` bytes.
    """
    shapes = set[Type]()
    order: dict[str, None] = {}
    whole: Record | None = None
    for number, line in _lines(file, limit):
        row = _row(number, line)
        shape = _shape(row)
        if shape in shapes:
            continue
        shapes.add(shape)
        order.update(dict.fromkeys(row))
        whole = shape if whole is None else join_records(whole, shape, _RULES)
        _bounded(whole, number)
    if whole is None:
        raise SchemaError("There is no line in it, so nothing can be said of its columns.")
    found = {f.name: f for f in whole.fields}
    return Schema(tuple(found[name] for name in order), Dialect.JSON, Basis.SEEN)


def _lines(file: IO[bytes], limit: int) -> Iterator[tuple[int, bytes]]:
    read = 0
    for number in itertools.count(1):
        line = file.readline(limit - read + 1)
        read += len(line)
        if read > limit:
            raise SchemaError(
                f"There are more than {limit} bytes of JSON lines, and a part of them would not tell what is in the rest. "
                "Write smaller files, or Parquet, which says what it holds."
            )
        if not line:
            return
        if line.strip():
            yield number, line


def _row(number: int, line: bytes) -> dict[str, Json]:
    try:
        row = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SchemaError(f"Line {number} is no JSON: {error}.") from error
    if not isinstance(row, dict):
        raise SchemaError(f"Line {number} is no JSON object, so it has no columns.")
    return row


def _shape(value: dict[str, Json], depth: int = 0) -> Record:
    if depth > DEPTH:
        raise SchemaError(f"A row is nested more than {DEPTH} levels deep, so its columns cannot be compared.")
    return Record(tuple(_field(key, value[key], depth) for key in sorted(value)))


def _field(name: str, value: Json, depth: int) -> Field:
    return Field(name, _type(value, depth), nullable=value is None)


def _type(value: Json, depth: int) -> Type:
    match value:
        case None:
            return NULL
        case bool():
            return Scalar("boolean")
        case int():
            return Scalar("int64") if -(2**63) <= value < 2**63 else Decimal()
        case float():
            return Scalar("float64")
        case str():
            return Text()
        case dict():
            return _shape(value, depth + 1)
        case _:
            return _list(value, depth)


def _list(values: list[Json], depth: int) -> ListOf:
    if depth > DEPTH:
        raise SchemaError(f"A row is nested more than {DEPTH} levels deep, so its columns cannot be compared.")
    kind: Type = NULL
    shapes = {_type(v, depth + 1) for v in values}
    for shape in sorted(shapes, key=str):
        kind = join_types(kind, shape, _RULES)
    return ListOf(Field("item", kind, nullable=None in values))


def _bounded(record: Record, number: int) -> None:
    """No object with more keys than a table has columns."""
    if len(record.fields) > COLUMNS_LIMIT:
        raise SchemaError(
            f"Up to line {number} there are more than {COLUMNS_LIMIT} keys in objects of one place, such as {record.fields[-1].name!r:.80}: "
            "they are data, not columns. Write them as values."
        )
    for field in record.fields:
        inner = field.type.item.type if isinstance(field.type, ListOf) else field.type
        if isinstance(inner, Record):
            _bounded(inner, number)


def _delimiter(text: str) -> str:
    bare = _QUOTED.sub("", text)
    return max(_DELIMITERS, key=bare.count)
