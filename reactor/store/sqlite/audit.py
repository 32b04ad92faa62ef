"""The proof that the ledger balances, and its sums. Streams: the memory that it takes does not grow with the ledger.

One read transaction, so that what is compared was true at the same moment.
"""

from collections.abc import Iterator

from reactor.model.events import Json
from reactor.store import words
from reactor.store.base import LaneAt, Span
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
                ON w.task = place(p.value, 0) AND w.key = place(p.value, 1) WHERE holds(w.items, e.seq) = 2)) AS found
    FROM readiness e)
WHERE found <> offered ORDER BY seq"""
AT_ONCE = 500
EVENTS = "SELECT sum(ready), sum(ignored), sum(duplicate), sum(dead), sum(gap) FROM span"
HELD = "SELECT items FROM wait WHERE items IS NOT NULL"
USED = "SELECT count(*) FROM (SELECT DISTINCT seq, task FROM used)"


def balance(db: Db) -> list[str]:
    """See `Reader.balance`."""
    db.execute("BEGIN")
    try:
        lines: list[str] = []
        for kind in (_lanes(db), _unaccounted(db), _forgotten(db)):
            lines += words.shortened(kind)
        return lines
    finally:
        db.execute("COMMIT")


def stream(db: Db, sql: str, *values: int | str) -> Iterator[Row]:
    """Rows as they are found, a few hundred in memory at once."""
    cursor = db.execute(sql, values)
    while some := cursor.fetchmany(AT_ONCE):
        yield from some


def _lanes(db: Db) -> Iterator[str]:
    ready: dict[tuple[str, str], int] = {(s, n): count for s, n, count in stream(db, READY)}
    dead: dict[tuple[str, str], int] = {(s, n): count for s, n, count in stream(db, DEAD)}
    for source, lane, first, position, gone_ready, gone_dead in db.execute(LANES).fetchall():
        spans = (Span(*row) for row in stream(db, SPANS, source, lane))
        found = ready.pop((source, lane), 0) + gone_ready, dead.pop((source, lane), 0) + gone_dead
        yield from words.lane(LaneAt(source, lane, position), first, spans, *found)
    for source, lane in sorted({*ready, *dead}):
        if source != words.OURSELVES:
            yield words.stray(source, lane)


def _unaccounted(db: Db) -> Iterator[str]:
    return (words.unaccounted(*row) for row in stream(db, UNACCOUNTED))


def _forgotten(db: Db) -> Iterator[str]:
    gone = _gone(db)
    offered, accounted = gone.get("offered", 0), gone.get("accounted", 0)
    if offered != accounted:
        yield words.forgotten(offered, accounted)


def _gone(db: Db) -> dict[str, int]:
    return dict(db.execute("SELECT what, number FROM gone").fetchall())


def totals(db: Db) -> dict[str, Json]:
    """See `Reader.totals`."""
    db.execute("BEGIN")
    try:
        gone = _gone(db)
        return {
            "events": dict(zip(words.COUNTED, (n or 0 for n in db.execute(EVENTS).fetchone()), strict=True)),
            "readiness": _readiness(db, gone),
            "runs": _grouped(db, gone, "run", "SELECT state, count(*) FROM run GROUP BY state"),
            "dead letters": _grouped(db, gone, "dead", "SELECT state, count(*) FROM dead GROUP BY state"),
        }
    finally:
        db.execute("COMMIT")


def _readiness(db: Db, gone: dict[str, int]) -> dict[str, int]:
    events, offered = db.execute("SELECT count(*), sum(offered) FROM readiness").fetchone()
    pending = 0
    for (items,) in stream(db, HELD):
        pending += len({i.seq for i in rows.items_of(items) if not i.used})
    found = {
        "events": events + gone.get("readiness", 0),
        "offered": (offered or 0) + gone.get("offered", 0),
        "pending": pending,
        "used": db.execute(USED).fetchone()[0] + gone.get("used", 0),
    }
    return found | _grouped(db, gone, "outcome", "SELECT outcome, count(*) FROM disposition GROUP BY outcome")


def _grouped(db: Db, gone: dict[str, int], kind: str, sql: str) -> dict[str, int]:
    """Counts by name, with those of the rows that were forgotten."""
    found = {what.removeprefix(f"{kind} "): n for what, n in gone.items() if what.startswith(f"{kind} ")}
    for what, number in db.execute(sql).fetchall():
        found[what] = found.get(what, 0) + number
    return dict(sorted(found.items()))
