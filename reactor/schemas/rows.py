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
from reactor.model.schema.types import NULL, Decimal, ListOf, Record, Scalar, Text, Type, Union, names_of
from reactor.schemas.bounds import DEPTH

HEADER_LIMIT = 1024 * 1024
"""Bytes that the header of a CSV file may have."""
LINES_LIMIT = 256 * 1024 * 1024
"""Bytes of JSON lines that are read."""
COLUMNS_LIMIT = 2_000
"""Keys that the objects of one place may have between them: with more, the keys are data."""
_DELIMITERS = (",", ";", "\t", "|")
_QUOTED = re.compile(r'"[^"]*"')
_SCALARS: dict[type, Type] = {bool: Scalar("boolean"), float: Scalar("float64"), str: Text()}
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
    seen = _Place()
    for number, line in _lines(file, limit):
        row = _row(number, line)
        try:
            seen.see(row)
        except SchemaError as error:
            raise SchemaError(f"Line {number}: {error}") from error
    if not seen.objects:
        raise SchemaError("There is no line in it, so nothing can be said of its columns.")
    return Schema(seen.record().fields, Dialect.JSON, Basis.SEEN)


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


class _Place:
    """All that was seen at one place of the rows: memory for what differs, not for what is there."""

    __slots__ = ("count", "fields", "huge", "item", "kinds", "objects")

    def __init__(self) -> None:
        self.kinds: set[type] = set()
        self.huge = False
        self.count = self.objects = 0
        self.fields: dict[str, _Place] = {}
        self.item: _Place | None = None

    def see(self, value: Json, depth: int = 0) -> None:
        kind = value.__class__
        self.count += 1
        self.kinds.add(kind)
        if kind is int:
            self.huge = self.huge or not -(2**63) <= value < 2**63
        elif kind is dict:
            self._object(value, depth + 1)
        elif kind is list:
            self._list(value, depth + 1)

    def record(self) -> Record:
        return Record(tuple(place._field(name, self.objects) for name, place in self.fields.items()))

    def _object(self, value: dict[str, Json], depth: int) -> None:
        self.objects += 1
        for key, inner in value.items():
            place = self.fields.get(key)
            if place is None:
                place = self.fields[key] = self._room(key, depth)
            place.see(inner, depth)

    def _list(self, values: list[Json], depth: int) -> None:
        if self.item is None:
            self.item = self._room("item", depth)
        for inner in values:
            self.item.see(inner, depth)

    def _room(self, key: str, depth: int) -> "_Place":
        if depth > DEPTH:
            raise SchemaError(f"It is nested more than {DEPTH} levels deep, so its columns cannot be compared.")
        if len(self.fields) >= COLUMNS_LIMIT:
            raise SchemaError(
                f"There are now more than {COLUMNS_LIMIT} keys in objects of one place, the last {key!r:.80}: they are data, not columns. "
                "Write them as values."
            )
        return _Place()

    def _field(self, name: str, objects: int) -> Field:
        return Field(name, self._type(), type(None) in self.kinds, has_default=self.count < objects)

    def _type(self) -> Type:
        parts: list[Type] = [_SCALARS[kind] for kind in _SCALARS if kind in self.kinds]
        if int in self.kinds and (self.huge or float not in self.kinds):
            parts.append(Decimal() if self.huge else Scalar("int64"))
        if dict in self.kinds:
            parts.append(self.record())
        if list in self.kinds:
            parts.append(ListOf(self.item._field("item", 0) if self.item is not None else Field("item", NULL)))
        return Union(tuple(parts)) if len(parts) > 1 else parts[0] if parts else NULL


def _delimiter(text: str) -> str:
    bare = _QUOTED.sub("", text)
    return max(_DELIMITERS, key=bare.count)
