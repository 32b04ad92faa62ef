"""What the engine reads between its commits: one query for a whole batch of keys."""

from reactor.model.ids import Lane, SensorName, SourceName, TaskName, WaitKey
from reactor.model.run import OPEN
from reactor.model.seen import FileSeen
from reactor.model.slot import Shape, Wait
from reactor.store.base import Found, LaneAt, Restored, Wanted
from reactor.store.sqlite import rows
from reactor.store.sqlite.db import Db, select_keyed, transact

SLOTS = f"SELECT {rows.SLOT} FROM {{keys}} k CROSS JOIN slot s ON s.asset = k.column1 AND s.partition = k.column2"
WAITS = f"SELECT {rows.WAIT} FROM {{keys}} k CROSS JOIN wait w ON w.task = k.column1 AND w.key = k.column2"
RUNS = f"SELECT {rows.RUN} FROM {{keys}} k CROSS JOIN run r ON r.id = k.column1"
SEEN = "SELECT s.scope, s.id FROM {keys} k CROSS JOIN seen s ON s.scope = k.column1 AND s.id = k.column2"
FILES = "SELECT source, name, inode, size, mtime_ns, version FROM file_seen WHERE source = ?"
HELD = f"SELECT {rows.WAIT} FROM wait w WHERE w.task = ? AND w.key > ? AND w.items IS NOT NULL ORDER BY w.key LIMIT ?"
HELD_FROM_FIRST = HELD.replace("w.key > ?", "w.key >= ?")
SHAPES = "SELECT asset, accepted, declared, pending, why, at FROM shape"
NUMBERS = """
UPDATE engine SET
    next_seq = max(next_seq, (SELECT ifnull(max(seq), 0) + 1 FROM readiness)),
    next_order = max(next_order, (SELECT ifnull(max(ord), 0) + 1 FROM run))"""
"""The numbers that come next are read off the rows that have the ones before, so no commit has to write them. Who removes rows writes them down
first."""
LANES = "SELECT source, lane, position, cursor FROM lane"
OPEN_RUNS = (
    f"SELECT {rows.RUN} FROM run r WHERE r.state IN ({', '.join(repr(s.value) for s in sorted(OPEN))}) ORDER BY r.ord"
)


def take_lease(db: Db, holder: str) -> Restored:
    """A new epoch: whoever held the one before is refused from now on."""

    def work() -> Restored:
        db.execute(NUMBERS)
        row = db.execute(
            "UPDATE engine SET epoch = epoch + 1, holder = ? RETURNING epoch, next_seq, next_order", (holder,)
        ).fetchall()[0]
        runs = [rows.run_of(r) for r in db.execute(OPEN_RUNS).fetchall()]
        notes = dict(db.execute("SELECT name, value FROM note").fetchall())
        shapes = [Shape(*r) for r in db.execute(SHAPES).fetchall()]
        return Restored(row[0], row[1], row[2], runs, lanes(db), notes, shapes)

    return transact(db, work)


def lanes(db: Db) -> list[LaneAt]:
    return [LaneAt(SourceName(s), Lane(n), at, cursor) for s, n, at, cursor in db.execute(LANES).fetchall()]


def load(db: Db, wanted: Wanted) -> Found:
    return Found(
        set(select_keyed(db, SEEN, 2, wanted.seen)),
        [rows.slot_of(r) for r in select_keyed(db, SLOTS, 2, wanted.slots)],
        [rows.wait_of(r) for r in select_keyed(db, WAITS, 2, wanted.waits)],
        [rows.run_of(r) for r in select_keyed(db, RUNS, 1, [(i,) for i in wanted.runs])],
    )


def files(db: Db, source: SourceName) -> list[FileSeen]:
    return [rows.file_of(r) for r in db.execute(FILES, (source,)).fetchall()]


def states(db: Db) -> dict[SensorName, bytes]:
    return dict(db.execute("SELECT sensor, state FROM sensor_state").fetchall())


def held(db: Db, task: TaskName, after: WaitKey | None, limit: int) -> list[Wait]:
    sql = HELD_FROM_FIRST if after is None else HELD
    return [rows.wait_of(r) for r in db.execute(sql, (task, after or "", limit)).fetchall()]
