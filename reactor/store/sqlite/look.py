"""What views and the command line ask, as SQL: short queries on indexes, since a long one keeps the log from being cut."""

from collections.abc import Sequence

from reactor.model.events import DeadLetter, Readiness
from reactor.model.ids import AssetName, PartitionKey, RunId, SourceName, TaskName, WaitKey
from reactor.model.run import Attempt, Run, RunState
from reactor.model.slot import Slot, Wait
from reactor.store.base import AlertRow, Audit, RunFilter, Span, Stored, TopicRecord, Undelivered, Wanted
from reactor.store.sqlite import load, rows
from reactor.store.sqlite.db import Db, Value, select_keyed

RUNS = f"SELECT {rows.RUN} FROM run r WHERE "
COUNTS = "SELECT task, state, count(*) FROM run GROUP BY state, task"
ATTEMPTS = f"SELECT {rows.ATTEMPT} FROM attempt WHERE run = ? ORDER BY number"
SLOTS = f"SELECT {rows.SLOT} FROM slot s WHERE s.asset = ? ORDER BY s.partition DESC LIMIT ?"
HELD = f"SELECT {rows.SLOT} FROM slot s WHERE s.held_seq IS NOT NULL ORDER BY s.held_seq LIMIT ?"
WAITS = f"SELECT {rows.WAIT} FROM wait w WHERE w.task = ? AND w.items IS NOT NULL ORDER BY w.key DESC LIMIT ?"
EVENTS = f"SELECT {rows.READINESS}, e.version, e.offered FROM readiness e WHERE "
LAST = f"SELECT {rows.READINESS} FROM readiness e WHERE e.asset = ? ORDER BY e.seq DESC LIMIT 1"
DISPOSITIONS = "SELECT d.seq, d.task, d.outcome, d.detail, d.at FROM {keys} k CROSS JOIN disposition d ON d.seq = k.column1 ORDER BY d.rowid"
USES = "SELECT u.seq, u.run FROM {keys} k CROSS JOIN used u ON u.seq = k.column1 WHERE u.run <> ''"
DEAD = f"SELECT {rows.DEAD} FROM dead WHERE (?1 IS NULL OR state = ?1) ORDER BY id DESC LIMIT ?2"
ALERTS = f"SELECT {rows.ALERT} FROM alert WHERE id > ? ORDER BY id LIMIT ?"
UNDELIVERED = "SELECT alert, channel, reason, at FROM undelivered ORDER BY alert DESC, channel LIMIT ?"
AUDITS = "SELECT at, actor, action, object, detail FROM audit ORDER BY id DESC LIMIT ?"
RECORDS = f"SELECT {rows.RECORD} FROM record WHERE topic = ? AND position >= ? ORDER BY position LIMIT ?"
SPANS = f"SELECT {rows.SPAN} FROM span WHERE (?1 IS NULL OR source = ?1) ORDER BY at DESC, source, lane, first DESC LIMIT ?2"


def runs(db: Db, which: RunFilter) -> list[Run]:
    """See `Reader.runs`. Most runs have succeeded, so those are found from the newest on; the others by their state's index."""
    wanted: list[tuple[str, Value]] = []
    if which.state is not None:
        wanted.append(("+r.state = ?" if which.state is RunState.SUCCEEDED else "r.state = ?", which.state.value))
    if which.task is not None:
        wanted.append(("r.task = ?", which.task))
    if which.key is not None:
        wanted.append(("r.key = ?", which.key))
    if which.before is not None:
        wanted.append(("r.ord < ?", which.before))
    where = " AND ".join(sql for sql, _ in wanted) or "TRUE"
    sql = f"{RUNS}{where} ORDER BY r.ord DESC LIMIT ?"
    return [rows.run_of(r) for r in db.execute(sql, [*(value for _, value in wanted), which.limit]).fetchall()]


def run(db: Db, id: str) -> Run | None:
    """See `Reader.run`."""
    exact = db.execute(f"{RUNS}r.id = ?", (id,)).fetchone()
    if exact is not None:
        return rows.run_of(exact)
    found = db.execute(f"{RUNS}r.id >= ? AND r.id < ? LIMIT 2", (id, id + "\U0010ffff")).fetchall() if id else []
    return rows.run_of(found[0]) if len(found) == 1 else None


def attempts(db: Db, id: RunId) -> list[Attempt]:
    return [rows.attempt_of(r) for r in db.execute(ATTEMPTS, (id,)).fetchall()]


def run_counts(db: Db) -> dict[tuple[TaskName, RunState], int]:
    return {(task, RunState(state)): number for task, state, number in db.execute(COUNTS).fetchall()}


def slot(db: Db, asset: AssetName, partition: PartitionKey) -> Slot | None:
    return next(iter(load.load(db, Wanted(slots=[(asset, partition)])).slots), None)


def held(db: Db, limit: int) -> list[Slot]:
    return [rows.slot_of(r) for r in db.execute(HELD, (limit,)).fetchall()]


def slots(db: Db, asset: AssetName, limit: int) -> list[Slot]:
    return [rows.slot_of(r) for r in db.execute(SLOTS, (asset, limit)).fetchall()]


def wait(db: Db, task: TaskName, key: WaitKey) -> Wait | None:
    return next(iter(load.load(db, Wanted(waits=[(task, key)])).waits), None)


def waits(db: Db, task: TaskName, limit: int) -> list[Wait]:
    return [rows.wait_of(r) for r in db.execute(WAITS, (task, limit)).fetchall()]


def events(db: Db, after: int | None, limit: int, asset: AssetName | None) -> list[Stored]:
    """See `Reader.events`. What became of them is asked in the same transaction, so that it fits."""
    db.execute("BEGIN")
    try:
        sql, values = EVENTS + ("e.asset = ?" if asset is not None else "TRUE"), [] if asset is None else [asset]
        if after is None:
            found = db.execute(f"{sql} ORDER BY e.seq DESC LIMIT ?", [*values, limit]).fetchall()[::-1]
        else:
            found = db.execute(f"{sql} AND e.seq > ? ORDER BY e.seq LIMIT ?", [*values, after, limit]).fetchall()
        return _stored(db, [(rows.readiness_of(r[:-2]), r[-2], r[-1]) for r in found])
    finally:
        db.execute("COMMIT")


def _stored(db: Db, found: Sequence[tuple[Readiness, int, int]]) -> list[Stored]:
    keys = [(e.seq,) for e, _, _ in found]
    ended = [rows.disposition_of(r) for r in select_keyed(db, DISPOSITIONS, 1, keys)]
    uses = select_keyed(db, USES, 1, keys)
    return [
        Stored(
            e,
            version,
            offered,
            tuple(d for d in ended if d.seq == e.seq),
            tuple(sorted({run for seq, run in uses if seq == e.seq})),
        )
        for e, version, offered in found
    ]


def last_arrival(db: Db, asset: AssetName) -> Readiness | None:
    row = db.execute(LAST, (asset,)).fetchone()
    return None if row is None else rows.readiness_of(row)


def spans(db: Db, source: SourceName | None, limit: int) -> list[Span]:
    return [Span(*r) for r in db.execute(SPANS, (source, limit)).fetchall()]


def dead(db: Db, state: str | None, limit: int) -> list[DeadLetter]:
    return [rows.dead_of(r) for r in db.execute(DEAD, (state, limit)).fetchall()]


def dead_letter(db: Db, id: int) -> DeadLetter | None:
    row = db.execute(f"SELECT {rows.DEAD} FROM dead WHERE id = ?", (id,)).fetchone()
    return None if row is None else rows.dead_of(row)


def alerts(db: Db, after: int, limit: int) -> list[AlertRow]:
    return [AlertRow(r[0], rows.alert_of(r[1:])) for r in db.execute(ALERTS, (after, limit)).fetchall()]


def undelivered(db: Db, limit: int) -> list[Undelivered]:
    return [Undelivered(*r) for r in db.execute(UNDELIVERED, (limit,)).fetchall()]


def audits(db: Db, limit: int) -> list[Audit]:
    return [Audit(*r) for r in db.execute(AUDITS, (limit,)).fetchall()]


def topic(db: Db, name: str, offset: int, limit: int) -> list[TopicRecord]:
    return [rows.record_of(r) for r in db.execute(RECORDS, (name, offset, limit)).fetchall()]


def topic_ends(db: Db) -> dict[str, tuple[int, int]]:
    return {name: (first, end) for name, first, end in db.execute("SELECT name, first, next FROM topic").fetchall()}
