"""What this package needs of a connection, so that the very SQL that runs through aiosqlite also runs under the power-cut tests.

A connection hands every statement to SQLite as it stands: it opens no transaction of its own (`isolation_level=None`).
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Protocol, TypeVar

from reactor.model.events import Json

Value = int | str | bytes | None
Row = Json
"""A row as SQLite gives it: a tuple whose columns have the types that the schema names."""
T = TypeVar("T")


class Cursor(Protocol):
    def fetchall(self) -> list[Row]: ...
    def fetchone(self) -> Row: ...
    def fetchmany(self, size: int, /) -> list[Row]: ...


class Db(Protocol):
    @property
    def in_transaction(self) -> bool: ...
    def execute(self, sql: str, parameters: Sequence[Value] = ..., /) -> Cursor: ...
    def executemany(self, sql: str, rows: Iterable[Sequence[Value]], /) -> object: ...


def transact(db: Db, work: Callable[[], T]) -> T:
    """Does the work in one transaction: all of it is durable when this returns, and nothing of it is left where this raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work()
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return result


ROWS_AT_ONCE = 1024
"""Rows that one statement writes at most. Python's lock is let go of with each statement, and has to be won back from an event loop that is
busy: with one row in each, a commit would wait thousands of times."""


def put(db: Db, sql: str, rows: Sequence[Sequence[Value]]) -> None:
    """Writes many rows in few statements: the one row of parameters at the end of `sql` is repeated. The first value of a row must not be None. A
    statement that does not end with such a row is run once for each."""
    if not sql.endswith(ROW_END):
        if rows:
            db.executemany(sql, rows)
        return
    at = 0
    while at < len(rows):
        size = _size(len(rows) - at)
        part = rows[at : at + size]
        make = _repeated if len(part) == size else _padded
        db.execute(make(sql, size), _flat(part, size))
        at += size


def change(db: Db, sql: str, rows: Sequence[Sequence[Value]]) -> None:
    """Changes many rows. In `sql`, `{keys}` stands for the rows' values as a table, as in `select_keyed`."""
    at = 0
    while at < len(rows):
        size = _size(len(rows) - at)
        part = rows[at : at + size]
        db.execute(_keyed(sql, len(part[0]), size), _flat(part, size))
        at += size


def _size(left: int) -> int:
    """Powers of two, so that the compiled statements are used again; a little too large rather than two statements."""
    size = min(1 << (left - 1).bit_length(), ROWS_AT_ONCE)
    return size if size - left <= max(size // 8, 8) else size // 2


def _flat(rows: Sequence[Sequence[Value]], size: int) -> list[Value]:
    """The values of all rows, filled up with None to so many rows."""
    values = list(chain.from_iterable(rows))
    if len(rows) < size:
        values += [None] * (len(rows[0]) * (size - len(rows)))
    return values


def changes(db: Db) -> int:
    """How many rows this connection has changed since it was opened."""
    total: int = db.execute("SELECT total_changes()").fetchone()[0]
    return total


CHUNKS = (256, 16, 1)


def select_keyed(db: Db, sql: str, width: int, keys: Sequence[Sequence[Value]]) -> list[Row]:
    """The rows that `sql` finds for these keys. In it, `{keys}` stands for a table whose columns are column1, column2 and so on.

    A few fixed sizes, so that SQLite's compiled statements are used again; what is left over is filled with NULL, which matches nothing.
    """
    found: list[Row] = []
    at = 0
    while at < len(keys):
        left = len(keys) - at
        size = next(c for c in CHUNKS if left > c // 16)
        part = keys[at : at + size]
        values = [v for key in part for v in key]
        values += [None] * (width * (size - len(part)))
        found += db.execute(_keyed(sql, width, size), values).fetchall()
        at += size
    return found


ROW_END = ", ?)"
_MADE: dict[tuple[str, int, int], str] = {}


def _repeated(sql: str, size: int) -> str:
    made = _MADE.get((sql, 0, size))
    if made is None:
        begin = sql.rindex("(")
        made = sql[:begin] + ", ".join([sql[begin:]] * size)
        _MADE[sql, 0, size] = made
    return made


def _padded(sql: str, size: int) -> str:
    """As `_repeated`, for rows of which the last ones are filled up with None."""
    made = _MADE.get((sql, -1, size))
    if made is None:
        begin = sql.rindex("VALUES")
        rows = ", ".join([sql[begin + len("VALUES") :]] * size)
        made = f"{sql[:begin]}SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL"
        _MADE[sql, -1, size] = made
    return made


def _keyed(sql: str, width: int, size: int) -> str:
    made = _MADE.get((sql, width, size))
    if made is None:
        one = f"({', '.join('?' * width)})"
        made = sql.replace("{keys}", f"(VALUES {', '.join([one] * size)})")
        _MADE[sql, width, size] = made
    return made


class Scrubbed:
    """A connection that writes what is no valid Unicode as `?`: half a surrogate pair in somebody's error message must not stop an engine."""

    def __init__(self, db: Db) -> None:
        self._db = db

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def execute(self, sql: str, parameters: Sequence[Value] = (), /) -> Cursor:
        return self._db.execute(sql, [_valid(v) for v in parameters])

    def executemany(self, sql: str, rows: Iterable[Sequence[Value]], /) -> object:
        return self._db.executemany(sql, [[_valid(v) for v in row] for row in rows])


def _valid(value: Value) -> Value:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
