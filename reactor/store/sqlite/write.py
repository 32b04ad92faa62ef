"""One commit as SQL: a handful of `executemany` calls. This is the hot path: nothing here is done once per event that can be done once per batch.

Runs inside a transaction that its caller opened, on any connection (see `db`). Raises Fenced, or what SQLite raises.
"""

from reactor.model.errors import Fenced
from reactor.model.ids import RunId
from reactor.model.run import OPEN, Run
from reactor.store.base import Kept, Transaction
from reactor.store.moves import not_the_holder, one_per_lane, stands_elsewhere
from reactor.store.sqlite import rows
from reactor.store.sqlite.db import Db, Value, change, changes, put, select_keyed

HOLD = "SELECT 1 FROM engine WHERE epoch = ?"
NEW_LANE = "INSERT INTO lane (source, lane, first, position, cursor) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
MOVE = "UPDATE lane SET position = ?, cursor = ? WHERE source = ? AND lane = ? AND position = ?"
SPAN = "INSERT INTO span VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
SEEN = "INSERT OR REPLACE INTO seen VALUES (?, ?, ?)"
KEPT = "INSERT OR REPLACE INTO kept (source, lane, position, id, at, payload) VALUES (?, ?, ?, ?, ?, ?)"
FILE_GONE = "DELETE FROM file_seen WHERE source = ? AND name = ?"
FILE = "INSERT OR REPLACE INTO file_seen VALUES (?, ?, ?, ?, ?, ?)"
READINESS = "INSERT INTO readiness VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
VERSION = "UPDATE readiness SET version = ? WHERE seq = ?"
OFFERED = "UPDATE readiness SET offered = ? WHERE seq = ?"
DISPOSITION = "INSERT INTO disposition VALUES (?, ?, ?, ?, ?)"
DEAD = (
    "INSERT INTO dead (source, lane, position, sensor, reason, detail, body, at, digest, state, leads) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
DEAD_MOVED = "UPDATE dead SET state = ? WHERE id = ?"
SLOT = "INSERT OR REPLACE INTO slot VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
WAIT = "INSERT OR REPLACE INTO wait VALUES (?, ?, ?, ?, ?, ?)"
RUN_NEW = (
    "INSERT INTO run (task, workflow, key, reason, created, waited_since, limit_key, traceparent, parent, id, generation, merged, "
    "inputs, state, digest, attempt_traceparent, started, attempt_started, ended, attempt, token, failures, lost, next_at, "
    "cancel_asked, error, ord) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
RUN_MOVED = """
UPDATE run SET state = k.column1, digest = k.column2, attempt_traceparent = k.column3, started = k.column4, attempt_started = k.column5,
    ended = k.column6, attempt = k.column7, token = k.column8, failures = k.column9, lost = k.column10, next_at = k.column11,
    cancel_asked = k.column12, error = k.column13
FROM {keys} k WHERE run.ord = k.column14"""
RUN_PLACED = "UPDATE run SET ord = ?, generation = ?, merged = ?, inputs = ?, reason = ?, traceparent = ?, parent = ? WHERE id = ?"
RUN_KNOWN = f"SELECT {rows.RUN} FROM {{keys}} k CROSS JOIN run r ON r.id = k.column1"
USED = "INSERT OR IGNORE INTO used VALUES (?, ?, ?)"
NOT_USED = "DELETE FROM used WHERE seq = ? AND task = ? AND run = ?"
ATTEMPT = "INSERT OR REPLACE INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
STATE = "INSERT OR REPLACE INTO sensor_state VALUES (?, ?)"
ALERT = "INSERT INTO alert (key, kind, owner, subject, text, at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"
TOPIC = "INSERT INTO topic VALUES (?1, 0, ?2) ON CONFLICT (name) DO UPDATE SET next = next + ?2 RETURNING next - ?2"
RECORD = "INSERT INTO record (topic, position, key, body, headers, at) VALUES (?, ?, ?, ?, ?, ?)"
UNDELIVERED = "INSERT OR REPLACE INTO undelivered VALUES (?, ?, ?, ?)"
SHAPE = "INSERT OR REPLACE INTO shape VALUES (?, ?, ?, ?, ?, ?)"
AUDIT = "INSERT INTO audit (at, actor, action, object, detail) VALUES (?, ?, ?, ?, ?)"
NOTE = "INSERT OR REPLACE INTO note VALUES (?, ?)"

Known = dict[RunId, Run]
"""Open runs as they were written last: most of what they hold never changes, and is not written again."""


def write(db: Db, tx: Transaction, known: Known) -> dict[str, int]:
    """All of it. Returns the next offset of each embedded topic that it appended to. `known` is read only: see `remember`."""
    _hold(db, tx)
    _moves(db, tx)
    _events(db, tx)
    put(db, SLOT, [rows.slot_row(s) for s in tx.slots])
    put(db, SHAPE, [(s.asset, s.accepted, s.declared, s.pending, s.why, s.at) for s in tx.shapes])
    put(db, WAIT, [rows.wait_row(w) for w in tx.waits])
    if tx.runs:
        _runs(db, tx, known)
    put(db, ATTEMPT, [rows.attempt_row(a) for a in tx.attempts])
    put(db, DISPOSITION, [rows.disposition_row(d) for d in tx.dispositions])
    put(db, STATE, [(s.sensor, s.state) for s in tx.states])
    put(db, ALERT, [rows.alert_row(a) for a in tx.alerts])
    put(db, AUDIT, [(a.at, a.actor, a.action, a.object, a.detail) for a in tx.audits])
    put(db, UNDELIVERED, [(u.alert, u.channel, u.reason, u.at) for u in tx.undelivered])
    put(db, NOTE, list(tx.meta.items()))
    return _append(db, tx)


def remember(tx: Transaction, known: Known) -> None:
    """What a transaction that is durable now taught about open runs."""
    for run in tx.runs:
        if run.state in OPEN:
            known[run.id] = run
        else:
            known.pop(run.id, None)


def _hold(db: Db, tx: Transaction) -> None:
    if db.execute(HOLD, (tx.epoch,)).fetchone() is None:
        raise Fenced(not_the_holder(tx.epoch))


def _moves(db: Db, tx: Transaction) -> None:
    if not tx.moves:
        return
    moves = one_per_lane(tx.moves)
    before = changes(db)
    new = [m for m in moves if m.first_time]
    put(db, NEW_LANE, [(s.source, s.lane, s.first, s.until, m.cursor) for m in new for s in (m.span,)])
    known = [m for m in moves if not m.first_time]
    put(db, MOVE, [(s.until, m.cursor, s.source, s.lane, s.first) for m in known for s in (m.span,)])
    if changes(db) - before != len(moves):
        raise Fenced(_which(db, tx))
    put(db, SPAN, [rows.span_row(m.span) for m in moves if m.span.until != m.span.first])


def _which(db: Db, tx: Transaction) -> str:
    """Undoes nothing itself: the whole transaction is rolled back by its caller. Asks for what the lane was before it."""
    db.execute("ROLLBACK")
    for move in one_per_lane(tx.moves):
        span = move.span
        row = db.execute("SELECT position FROM lane WHERE source = ? AND lane = ?", (span.source, span.lane)).fetchone()
        if (row is None) != move.first_time or (row is not None and row[0] != span.first):
            return stands_elsewhere(move, None if row is None else row[0])
    return stands_elsewhere(tx.moves[0], None)


def _events(db: Db, tx: Transaction) -> None:
    put(db, SEEN, tx.seen)
    put(db, KEPT, [_kept(k) for k in tx.kept])
    put(db, FILE_GONE, tx.files_gone)
    put(db, FILE, [rows.file_row(f) for f in tx.files])
    led = _readiness(db, tx)
    dead: list[tuple[Value, ...]] = []
    for letter in tx.dead:
        place = (letter.source, letter.lane, letter.position)
        dead.append(rows.dead_row(letter, place not in led))
        led.add(place)
    put(db, DEAD, dead)
    put(db, DEAD_MOVED, [(state, id) for id, state in tx.dead_moved])


def _kept(k: Kept) -> tuple[Value, ...]:
    return k.source, k.lane, k.position, k.id, k.at, k.payload


def _readiness(db: Db, tx: Transaction) -> set[tuple[str, str, int]]:
    """Returns the raw events that were ready, by (source, lane, position)."""
    led: set[tuple[str, str, int]] = set()
    if not tx.readiness and not tx.versions and not tx.offered:
        return led
    versions, offered = dict(tx.versions), dict(tx.offered)
    places = rows.places(tx.waits, frozenset(e.seq for e in tx.readiness))
    made: list[tuple[Value, ...]] = []
    for e in tx.readiness:
        place = (e.source, e.lane, e.position)
        leads = place not in led
        if leads:
            led.add(place)
        made.append(rows.readiness_row(e, versions.pop(e.seq, 0), offered.pop(e.seq, 0), leads, places.get(e.seq)))
    put(db, READINESS, made)
    put(db, VERSION, [(version, seq) for seq, version in versions.items()])
    put(db, OFFERED, [(number, seq) for seq, number in offered.items()])
    return led


def _runs(db: Db, tx: Transaction, known: Known) -> None:
    """New runs whole; of the others what changed. What a run was made with stays: its order, generation and inputs change only while it is
    queued."""
    runs = {r.id: r for r in tx.runs}
    before = [known[id] for id in runs if id in known]
    before += [rows.run_of(row) for row in select_keyed(db, RUN_KNOWN, 1, [(id,) for id in runs if id not in known])]
    for old in before:
        run = runs[old.id]
        if old.inputs is not run.inputs or old.order != run.order or old.generation != run.generation:
            _place(db, old, run)
    change(db, RUN_MOVED, [rows.run_life(runs[old.id]) for old in before])
    there = {old.id for old in before}
    fresh = [run for run in runs.values() if run.id not in there]
    put(db, RUN_NEW, [rows.run_row(run) for run in fresh])
    put(db, USED, [(item.seq, run.task, run.id) for run in fresh for item in run.inputs])


def _place(db: Db, old: Run, run: Run) -> None:
    """A queued run took in a later request, or one that was over is tried again."""
    put(db, RUN_PLACED, [rows.run_place(run)])
    if old.inputs != run.inputs:
        still = {item.seq for item in run.inputs}
        put(db, NOT_USED, [(item.seq, run.task, run.id) for item in old.inputs if item.seq not in still])
        put(db, USED, [(seq, run.task, run.id) for seq in sorted(still)])


def _append(db: Db, tx: Transaction) -> dict[str, int]:
    if not tx.topics:
        return {}
    counts: dict[str, int] = {}
    for record in tx.topics:
        counts[record.topic] = counts.get(record.topic, 0) + 1
    ends = {topic: db.execute(TOPIC, (topic, count)).fetchall()[0][0] for topic, count in counts.items()}
    made: list[tuple[Value, ...]] = []
    for record in tx.topics:
        made.append(rows.record_row(record, ends[record.topic]))
        ends[record.topic] += 1
    put(db, RECORD, made)
    return ends
