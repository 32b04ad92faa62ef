"""The proof that the ledger balances, and its sums. Streams: the memory that it takes does not grow with the ledger.

One read transaction, so that what is compared was true at the same moment.
"""

from collections.abc import Iterator, Mapping

from reactor.model.events import Json
from reactor.store import words
from reactor.store.base import Span
from reactor.store.moves import adds_up
from reactor.store.sqlite import rows
from reactor.store.sqlite.db import Db, Row

LANES = "SELECT source, lane, first, position, gone_ready, gone_dead FROM lane ORDER BY source, lane"
SPANS = f"SELECT {rows.SPAN} FROM span WHERE source = ? AND lane = ? ORDER BY first"
READY = "SELECT source, lane, sum(leads) FROM readiness GROUP BY 1, 2"
DEAD = "SELECT source, lane, sum(leads) FROM dead GROUP BY 1, 2"
UNACCOUNTED = """
SELECT * FROM (
    SELECT e.seq, e.asset, e.partition, e.offered, (
        SELECT count(*) FROM (
            SELECT d.task FROM disposition d WHERE d.seq = e.seq AND d.task <> ''
            UNION SELECT u.task FROM used u WHERE u.seq = e.seq
            UNION SELECT w.task FROM json_each(e.places) p CROSS JOIN wait w
                ON w.task = p.value ->> 0 AND w.key = p.value ->> 1 WHERE holds(w.items, e.seq) = 2)) AS found
    FROM readiness e)
WHERE found <> offered ORDER BY seq"""
AT_ONCE = 500


def balance(db: Db) -> list[str]:
    """See `Reader.balance`."""
    db.execute("BEGIN")
    try:
        lines: list[str] = []
        for kind in (_lanes(db), _unaccounted(db), _forgotten(db)):
            lines += _shortened(kind)
        return lines
    finally:
        db.execute("COMMIT")


def _shortened(lines: Iterator[str]) -> Iterator[str]:
    more = 0
    for number, line in enumerate(lines):
        if number < words.MOST_LINES:
            yield line
        else:
            more += 1
    if more:
        yield words.and_more(more)


def stream(db: Db, sql: str, *values: int | str) -> Iterator[Row]:
    """Rows as they are found, a few hundred in memory at once."""
    cursor = db.execute(sql, values)
    while some := cursor.fetchmany(AT_ONCE):
        yield from some


def _lanes(db: Db) -> Iterator[str]:
    ready: dict[tuple[str, str], int] = {(s, n): count for s, n, count in stream(db, READY)}
    dead: dict[tuple[str, str], int] = {(s, n): count for s, n, count in stream(db, DEAD)}
    for source, lane, first, position, gone_ready, gone_dead in db.execute(LANES).fetchall():
        whole = Span(source, lane, first, first)
        for row in stream(db, SPANS, source, lane):
            span = Span(*row)
            yield from _step(whole, span)
            whole = words_total(whole, span)
        if whole.until != position:
            yield words.short(source, lane, whole.until, position)
        found = ready.pop((source, lane), 0) + gone_ready
        if found != whole.ready:
            yield words.unequal(source, lane, "ready", whole.ready, found)
        found = dead.pop((source, lane), 0) + gone_dead
        if found != whole.dead:
            yield words.unequal(source, lane, "dead", whole.dead, found)
    for source, lane in sorted({*ready, *dead}):
        if source != words.OURSELVES:
            yield words.stray(source, lane)


def _step(whole: Span, span: Span) -> Iterator[str]:
    if span.first > whole.until:
        yield words.hole(span.source, span.lane, whole.until, span.first)
    if span.first < whole.until:
        yield words.overlap(span.source, span.lane, whole.until, span.first)
    if not adds_up(span):
        yield words.miscounted(span)


def _unaccounted(db: Db) -> Iterator[str]:
    return (words.unaccounted(*row) for row in stream(db, UNACCOUNTED))


def _forgotten(db: Db) -> Iterator[str]:
    gone = _gone(db)
    offered, accounted = gone.get("offered", 0), gone.get("accounted", 0)
    if offered != accounted:
        yield words.forgotten(offered, accounted)


def _gone(db: Db) -> dict[str, int]:
    return dict(db.execute("SELECT what, number FROM gone").fetchall())
