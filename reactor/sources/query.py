"""Asking a database for the rows beyond a cursor: blocking calls, meant for a thread. Knows DB-API 2.0 and nothing
of time.

A page either moves the cursor forward or is refused with the reason: it never loops and never skips a row in
silence.
"""

import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, cast
from urllib.parse import quote

from reactor.model.errors import DefinitionError, ReactorError, nearest
from reactor.model.events import Json
from reactor.model.source import Connection, Table
from reactor.sources.values import pack, plain

PAGE = 1_000
LOCKED_FOR = 1.0
"""Seconds that SQLite waits for a lock; then the poll is tried again later."""

_NAMED = re.compile(r"[:@$]cursor\b|%\(cursor\)s")
_PLACED = re.compile(r"\?|%s|:1\b|\$1\b")


class BadAnswer(ReactorError):
    """The database answered, and going on from its answer would lose rows or never end."""


class Page(NamedTuple):
    """Rows in the order of the cursor: values by column name, and each row's cursor as JSON text (see
    `values.pack`).
    """

    rows: list[tuple[dict[str, Json], object]]


class Query:
    """One table's query over DB-API 2.0. Raises DefinitionError where the query never asks for rows beyond a cursor."""

    def __init__(self, spec: Table, base: Path) -> None:
        self._spec = spec
        self._paging = Paging(spec)
        self._connect = _connector(spec.connect, base)
        self._named = _NAMED.search(spec.query) is not None

    def after(self, cursor: object) -> Page:
        """Up to `PAGE` rows beyond the cursor. Raises BadAnswer, or whatever the driver raises."""
        with closing(self._connect()) as connection:
            asked = connection.cursor()
            asked.execute(self._spec.query, {"cursor": cursor} if self._named else (cursor,))
            names = [str(column[0]) for column in asked.description or ()]
            return self._paging.page(cursor, names, asked.fetchmany(PAGE + 1))


class Paging:
    """What an answer must be so that going on from it loses nothing and ends. Knows no database."""

    def __init__(self, spec: Table) -> None:
        self._spec = spec
        if _NAMED.search(spec.query) is None and _PLACED.search(spec.query) is None:
            raise DefinitionError(
                f"Table {spec.name}: the query has no parameter for the cursor, so every row would come again at "
                "each poll. "
                f"Write `where {spec.cursor} > :cursor order by {spec.cursor}` (or ?, %s, %(cursor)s, $1, as the "
                "driver wants it)."
            )

    def page(self, cursor: object, names: list[str], found: Sequence[Sequence[object]]) -> Page:
        """What `PAGE` + 1 rows that were asked for beyond the cursor come to. Raises BadAnswer."""
        place = self._column(names)
        self._moves_on(cursor, found, place)
        whole = _whole(list(found), place, self._spec)
        return Page([(dict(zip(names, map(plain, row), strict=True)), row[place]) for row in whole])

    def _column(self, names: list[str]) -> int:
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise BadAnswer(
                f"The query gives the column {twice[0]!r} twice, so one would hide the other. Rename one: `... as "
                "other`."
            )
        if self._spec.cursor not in names:
            known = nearest(self._spec.cursor, names)
            raise BadAnswer(
                f"The query gives no column {self._spec.cursor!r} to go on from; it gives "
                f"{', '.join(names) or 'none'}.{known} "
                "Select that column, or name another one in Table(cursor=...)."
            )
        return names.index(self._spec.cursor)

    def _moves_on(self, asked: object, rows: Sequence[Sequence[object]], place: int) -> None:
        before = asked
        for number, row in enumerate(rows):
            value = row[place]
            try:
                pack(value)
            except TypeError as error:
                raise BadAnswer(
                    f"Column {self._spec.cursor!r}: {error}. Order by a number, a text, a date or a time."
                ) from None
            self._compare(before, value, first=number == 0)
            before = value

    def _compare(self, before: object, value: object, *, first: bool) -> None:
        name = self._spec.cursor
        if first and value == before:
            raise BadAnswer(
                f"The query gave a row with {name} = {value!r}, although rows beyond {value!r} were asked for: it "
                "would come again for "
                f"ever. Compare with `>`, not with `>=`."
            )
        if isinstance(value, str) and isinstance(before, str):
            return  # only the database knows the order of its texts
        try:
            backwards = value < before  # type: ignore[operator]
        except TypeError:
            raise BadAnswer(
                f"Column {name!r} gave {value!r} after {before!r}, and these two have no order. Keep one type in "
                "the column, and give "
                "Table(begin=...) the same type."
            ) from None
        if backwards:
            raise BadAnswer(f"The query gave {name} = {value!r} after {before!r}. Put `order by {name}` at its end.")


def _whole(rows: list[Sequence[object]], place: int, spec: Table) -> list[Sequence[object]]:
    """All rows, or of a page that is full those whose cursor value certainly has no more rows behind the page's end."""
    if len(rows) <= PAGE:
        return rows
    last = rows[-1][place]
    whole = [row for row in rows[:PAGE] if row[place] != last]
    if not whole:
        raise BadAnswer(
            f"More than {PAGE} rows have {spec.cursor} = {last!r}, and a poll cannot stop between them without "
            "losing some. Use a column "
            "that grows with every row, such as an id."
        )
    return whole


def _connector(connect: str | Callable[[], Connection], base: Path) -> Callable[[], Connection]:
    if not isinstance(connect, str):
        return connect
    path = base / connect

    def open_sqlite() -> Connection:
        if not path.exists():
            raise FileNotFoundError(2, "there is no such file", str(path))
        uri = f"file:{quote(str(path))}?mode=ro"
        return cast(Connection, sqlite3.connect(uri, uri=True, timeout=LOCKED_FOR))

    return open_sqlite
