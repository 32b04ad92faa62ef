"""Retention: old history goes in small steps, and the sums stay.

What may go is found on the second connection, which hinders nobody; a short transaction on the writer's removes it. Nothing can begin to refer
to what was found meanwhile, but for a run that a person opens again: so the removal of runs asks once more.

What stays: whatever an open wait, a run that is kept, or the newest version of a slot refers to.
"""

from collections.abc import Callable, Sequence
from itertools import takewhile

from reactor.model.errors import Fenced
from reactor.model.events import Json
from reactor.model.ids import Instant, topic_lane
from reactor.store.base import TOLD, Span
from reactor.store.moves import join, not_the_holder
from reactor.store.sqlite import rows
from reactor.store.sqlite.db import Db, put, select_keyed, transact
from reactor.store.sqlite.keep import LogKeeper
from reactor.store.sqlite.link import Link
from reactor.store.sqlite.load import NUMBERS
from reactor.store.sqlite.write import HOLD, SPAN

LOOKED_AT = 50_000
"""Readiness events that one look takes in: where all of them must stay, the next step goes on behind them."""

OLD_RUNS = """
SELECT id FROM run r WHERE ended < ? AND NOT EXISTS (SELECT 1 FROM slot s WHERE s.run = r.id AND s.run <> '')
ORDER BY ended, ord LIMIT ?"""
THESE_RUNS = "SELECT r.id, r.task, r.state, r.inputs, r.ended FROM {keys} k CROSS JOIN run r ON r.id = k.column1"
FORGET_USED = "UPDATE OR REPLACE used SET run = '' WHERE seq = ? AND task = ? AND run = ?"

STRETCH = "SELECT max(seq), max(arrived) FROM (SELECT seq, arrived FROM readiness WHERE seq > ? ORDER BY seq LIMIT ?)"
OLD_READINESS = """
WITH looked AS (SELECT * FROM readiness WHERE seq > ? ORDER BY seq LIMIT ?)
SELECT e.seq FROM looked e
WHERE e.arrived < ?
  AND NOT EXISTS (SELECT 1 FROM slot s WHERE s.asset = e.asset AND s.partition = e.partition AND (s.seq = e.seq OR s.held_seq = e.seq))
  AND NOT EXISTS (SELECT 1 FROM used u WHERE u.seq = e.seq AND u.run <> '')
  AND NOT EXISTS (
      SELECT 1 FROM json_each(e.places) p CROSS JOIN wait w ON w.task = place(p.value, 0) AND w.key = place(p.value, 1)
      WHERE holds(w.items, e.seq) > 0)
ORDER BY e.seq LIMIT ?"""
LED = """
SELECT e.source, e.lane, sum(e.leads), count(*), sum(e.offered)
FROM {keys} k CROSS JOIN readiness e ON e.seq = k.column1 GROUP BY 1, 2"""
OUTCOMES = "SELECT d.outcome, count(*) FROM {keys} k CROSS JOIN disposition d ON d.seq = k.column1 GROUP BY 1"
USES = "SELECT count(*) FROM (SELECT DISTINCT u.seq, u.task FROM {keys} k CROSS JOIN used u ON u.seq = k.column1)"
DISPOSED_IN = "SELECT d.seq, d.task FROM {keys} k CROSS JOIN disposition d ON d.seq = k.column1 WHERE d.task <> ''"
USED_IN = "SELECT u.seq, u.task FROM {keys} k CROSS JOIN used u ON u.seq = k.column1"

OLD_KEPT = "SELECT rowid FROM kept WHERE at < ? ORDER BY at LIMIT ?"
OLD_SEEN = "SELECT scope, id FROM seen WHERE at < ? ORDER BY at LIMIT ?"
OLD_DEAD = "SELECT id FROM dead WHERE state IN ('retried', 'dropped') AND at < ? ORDER BY at, id LIMIT ?"
THESE_DEAD = "SELECT d.source, d.lane, d.leads, d.state FROM {keys} k CROSS JOIN dead d ON d.id = k.column1"
OLD_SPANS = f"SELECT {rows.SPAN} FROM span WHERE source = ? AND lane = ? ORDER BY first LIMIT ?"

OLDEST_ALERTS = """
SELECT id, at FROM alert
WHERE id <= (SELECT coalesce(min(CAST(value AS INTEGER)), 9223372036854775807) FROM note WHERE substr(name, 1, ?) = ? AND value <> '')
ORDER BY id LIMIT ?"""
OLDEST_RECORDS = """
SELECT position, at FROM record
WHERE topic = ? AND position < (SELECT coalesce(min(position), 9223372036854775807) FROM lane WHERE lane = ?)
ORDER BY position LIMIT ?"""
SHORTER = "UPDATE topic SET first = ? WHERE name = ? AND first < ?"

COUNT = "INSERT INTO gone VALUES (?1, ?2) ON CONFLICT (what) DO UPDATE SET number = number + ?2"
GONE_READY = "UPDATE lane SET gone_ready = gone_ready + ? WHERE source = ? AND lane = ?"
GONE_DEAD = "UPDATE lane SET gone_dead = gone_dead + ? WHERE source = ? AND lane = ?"

Found = Sequence[Json]
"""What a search found: keys of rows, or stretches of spans."""
Find = Callable[[Db, Instant, int], Found]
Remove = Callable[[Db, Found, Instant], int]


class Forgetting:
    """Retention under one lease. The second connection must know `holds`."""

    def __init__(self, writer: Link, keeper: LogKeeper, epoch: int) -> None:
        self._writer, self._keeper, self._epoch = writer, keeper, epoch
        self._behind = 0
        """The readiness event up to which the last step looked."""

    async def step(self, before: Instant, seen_before: Instant, most: int) -> int:
        """See `Writer.forget`."""
        kinds: list[tuple[Find, Remove, Instant]] = [
            (find_runs, remove_runs, before),
            (self._find_readiness, _remove_readiness, before),
            (_find_kept, _remove_kept, before),
            (_find_dead, _remove_dead, before),
            (_find_seen, _remove_seen, seen_before),
            (find_spans, fold_spans, before),
            (find_alerts, _remove_alerts, before),
            (find_records, _remove_records, before),
        ]
        finder = await self._keeper.link()
        gone = 0
        for find, remove, limit in kinds:
            found = await finder.run(find, limit, most - gone) if gone < most else ()
            if found:
                gone += await self._writer.run(removed, remove, found, limit, self._epoch)
        return gone

    def _find_readiness(self, db: Db, before: Instant, most: int) -> Found:
        """Looks at a stretch of the ledger and goes on behind it the next time; from its young end it begins anew."""
        found, at_end = self._look(db, before, most)
        if not found and at_end and self._behind:
            self._behind = 0
            found, at_end = self._look(db, before, most)
        return found

    def _look(self, db: Db, before: Instant, most: int) -> tuple[Found, bool]:
        last, youngest = db.execute(STRETCH, (self._behind, LOOKED_AT)).fetchone()
        if last is None:
            return (), True
        found = [r[0] for r in db.execute(OLD_READINESS, (self._behind, LOOKED_AT, before, most)).fetchall()]
        at_end = youngest >= before
        if len(found) == most:
            self._behind = found[-1]
        elif not at_end:
            self._behind = last
        return found, at_end


def removed(db: Db, remove: Remove, found: Found, before: Instant, epoch: int) -> int:
    def work() -> int:
        if db.execute(HOLD, (epoch,)).fetchone() is None:
            raise Fenced(not_the_holder(epoch))
        db.execute(NUMBERS)
        return remove(db, found, before)

    return transact(db, work)


def _count(db: Db, what: str, number: int) -> None:
    if number:
        db.execute(COUNT, (what, number))


# --- runs, with their attempts


def find_runs(db: Db, before: Instant, most: int) -> Found:
    return [(r[0],) for r in db.execute(OLD_RUNS, (before, most)).fetchall()]


def remove_runs(db: Db, ids: Found, before: Instant) -> int:
    found = [r for r in select_keyed(db, THESE_RUNS, 1, ids) if r[4] is not None and r[4] < before]
    for id, task, state, inputs, _ in found:
        put(db, FORGET_USED, [(i.seq, task, id) for i in rows.items_of(inputs)])
        _count(db, f"run {state}", 1)
    gone = [(r[0],) for r in found]
    put(db, "DELETE FROM attempt WHERE run = ?", gone)
    put(db, "DELETE FROM run WHERE id = ?", gone)
    return len(gone)


# --- readiness, with its dispositions


def _remove_readiness(db: Db, seqs: Found, before: Instant) -> int:
    keys = [(seq,) for seq in seqs]
    for source, lane, led, number, offered in select_keyed(db, LED, 1, keys):
        db.execute(GONE_READY, (led, source, lane))
        _count(db, "readiness", number)
        _count(db, "offered", offered)
    for outcome, number in select_keyed(db, OUTCOMES, 1, keys):
        _count(db, f"outcome {outcome}", number)
    _count(db, "used", sum(r[0] for r in select_keyed(db, USES, 1, keys)))
    for at in range(0, len(keys), 256):
        _count(db, "accounted", _accounted(db, keys[at : at + 256]))
    put(db, "DELETE FROM disposition WHERE seq = ?", keys)
    put(db, "DELETE FROM used WHERE seq = ?", keys)
    put(db, "DELETE FROM readiness WHERE seq = ?", keys)
    return len(keys)


def _accounted(db: Db, keys: Sequence[tuple[int]]) -> int:
    """In how many rules these events ended, all together."""
    tasks = select_keyed(db, DISPOSED_IN, 1, keys) + select_keyed(db, USED_IN, 1, keys)
    return len(set(tasks))


# --- what was kept beside: payloads, letters that were dealt with, ids


def _find_kept(db: Db, before: Instant, most: int) -> Found:
    return db.execute(OLD_KEPT, (before, most)).fetchall()


def _remove_kept(db: Db, found: Found, before: Instant) -> int:
    put(db, "DELETE FROM kept WHERE rowid = ?", found)
    return len(found)


def _find_dead(db: Db, before: Instant, most: int) -> Found:
    return db.execute(OLD_DEAD, (before, most)).fetchall()


def _remove_dead(db: Db, found: Found, before: Instant) -> int:
    for source, lane, leads, state in select_keyed(db, THESE_DEAD, 1, found):
        db.execute(GONE_DEAD, (leads, source, lane))
        _count(db, f"dead {state}", 1)
    put(db, "DELETE FROM dead WHERE id = ?", found)
    return len(found)


def _find_seen(db: Db, before: Instant, most: int) -> Found:
    return db.execute(OLD_SEEN, (before, most)).fetchall()


def _remove_seen(db: Db, found: Found, before: Instant) -> int:
    put(db, "DELETE FROM seen WHERE scope = ? AND id = ?", found)
    return len(found)


# --- spans: old neighbours become one


def find_spans(db: Db, before: Instant, most: int) -> Found:
    found: list[list[Span]] = []
    for source, lane in db.execute("SELECT source, lane FROM lane").fetchall():
        old: list[Span] = []
        for row in db.execute(OLD_SPANS, (source, lane, most + 1)).fetchall():
            span = Span(*row)
            if span.at >= before or (old and old[-1].until != span.first):
                break
            old.append(span)
        if len(old) > 1:
            found.append(old)
            most -= len(old) - 1
        if most <= 0:
            break
    return found


def fold_spans(db: Db, found: Found, before: Instant) -> int:
    gone = 0
    for old in found:
        whole: Span = old[0]
        for span in old[1:]:
            whole = join(whole, span)
        put(
            db,
            "DELETE FROM span WHERE source = ? AND lane = ? AND first = ?",
            [(s.source, s.lane, s.first) for s in old],
        )
        put(db, SPAN, [rows.span_row(whole)])
        gone += len(old) - 1
    return gone


# --- alerts, and records of embedded topics: both are in the order of their time, so the oldest come first


def find_alerts(db: Db, before: Instant, most: int) -> Found:
    oldest = db.execute(OLDEST_ALERTS, (len(TOLD), TOLD, most)).fetchall()
    return [(id,) for id, _ in takewhile(lambda row: row[1] < before, oldest)]


def _remove_alerts(db: Db, found: Found, before: Instant) -> int:
    put(db, "DELETE FROM undelivered WHERE alert = ?", found)
    put(db, "DELETE FROM alert WHERE id = ?", found)
    return len(found)


def find_records(db: Db, before: Instant, most: int) -> Found:
    """(topic, position) of each that may go."""
    found: list[tuple[str, int]] = []
    for (topic,) in db.execute("SELECT name FROM topic WHERE first < next ORDER BY name").fetchall():
        oldest = db.execute(OLDEST_RECORDS, (topic, topic_lane(topic), most - len(found))).fetchall()
        found += [(topic, position) for position, _ in takewhile(lambda row: row[1] < before, oldest)]
    return found


def _remove_records(db: Db, found: Found, before: Instant) -> int:
    for topic, last in dict(found).items():
        db.execute("DELETE FROM record WHERE topic = ? AND position <= ?", (topic, last))
        db.execute(SHORTER, (last + 1, topic, last + 1))
    return len(found)
