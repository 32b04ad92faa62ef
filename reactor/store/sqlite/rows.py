"""How the values of the model lie in the tables of the ledger: to a row, and back from one. No pydantic and no reflection on this path.

An enum's word is its `_value_`: a plain attribute, where `value` is a function in Python.
"""

from collections.abc import Iterable

import msgspec

from reactor.model.commands import Alert, AlertKind
from reactor.model.events import DeadLetter, Dispose, Disposition, Item, Readiness, Status
from reactor.model.run import Attempt, CheckResult, Reason, Run, RunState
from reactor.model.seen import FileSeen
from reactor.model.slot import Held, Slot, Wait
from reactor.store.base import Span, TopicRecord
from reactor.store.sqlite.db import Row, Value

_encode = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode
_items = msgspec.msgpack.Decoder(tuple[Item, ...]).decode
_checks = msgspec.msgpack.Decoder(tuple[CheckResult, ...]).decode
_held = msgspec.msgpack.Decoder(Held).decode
_headers = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...]).decode
_STATES = {s.value: s for s in RunState}
_REASONS = {r.value: r for r in Reason}

SLOT = "s.asset, s.partition, s.version, s.seq, s.event, s.at, s.evidence, s.run, s.late_since, s.held"
WAIT = "w.task, w.key, w.generation, w.items, w.since, w.plan"
RUN = (
    "r.id, r.task, r.workflow, r.key, r.generation, r.state, r.reason, r.inputs, r.created, r.waited_since, r.ord, r.limit_key, "
    "r.digest, r.traceparent, r.parent, r.attempt_traceparent, r.started, r.attempt_started, r.ended, r.attempt, r.token, "
    "r.failures, r.lost, r.next_at, r.cancel_asked, r.merged, r.error"
)
READINESS = (
    'e.seq, e.id, e.asset, e.partition, e.status, e.evidence, e.arrived, e.at, e.source, e.lane, e.position, e."by", e.run, '
    "e.traceparent"
)
SPAN = "source, lane, first, until, ready, ignored, duplicate, dead, gap, at"
ATTEMPT = "run, number, token, started, ended, result, error, executor, exit_code, checks, traceparent"
DEAD = "source, lane, position, sensor, reason, detail, body, at, digest, id, state"
RECORD = "topic, key, body, headers, at, position"
ALERT = "id, key, kind, owner, subject, text, at"


def slot_row(s: Slot) -> tuple[Value, ...]:
    held = s.held
    return (
        s.asset,
        s.partition,
        s.version,
        s.seq,
        s.event,
        s.at,
        s.evidence,
        s.run,
        s.late_since,
        held.seq if held is not None and not held.rejected else None,
        _encode(held) if held is not None else None,
    )


def slot_of(row: Row) -> Slot:
    asset, partition, version, seq, event, at, evidence, run, late, held = row
    waiting = _held(held) if held is not None else None
    return Slot(asset, partition, version, seq, event, at, evidence, run, late, waiting)


def wait_row(w: Wait) -> tuple[Value, ...]:
    return w.task, w.key, w.generation, _encode(w.items) if w.items else None, w.since, w.plan


def wait_of(row: Row) -> Wait:
    task, key, generation, items, since, plan = row
    return Wait(task, key, generation, items_of(items), since, plan)


def items_of(blob: bytes | None) -> tuple[Item, ...]:
    return _items(blob) if blob is not None else ()


def run_row(r: Run) -> tuple[Value, ...]:
    return (
        r.task,
        r.workflow,
        r.key,
        r.reason._value_,
        r.created,
        r.waited_since,
        r.limit_key,
        r.traceparent,
        r.parent,
        r.id,
        r.generation,
        r.merged,
        _encode(r.inputs),
        *run_life(r),
    )


def run_life(r: Run) -> tuple[Value, ...]:
    """What changes with each of its moves, with its order last: that is where it lies in the table."""
    return (
        r.state._value_,
        r.digest,
        r.attempt_traceparent,
        r.started,
        r.attempt_started,
        r.ended,
        r.attempt,
        r.token,
        r.failures,
        r.lost,
        r.next_at,
        r.cancel_asked,
        r.error,
        r.order,
    )


def run_place(r: Run) -> tuple[Value, ...]:
    """What changes only while it is queued: a later request joined it, or a person asked for it again. With the id last."""
    return r.order, r.generation, r.merged, _encode(r.inputs), r.reason.value, r.traceparent, r.parent, r.id


def run_of(row: Row) -> Run:
    id, task, workflow, key, generation, state, reason, inputs, *rest = row
    return Run(id, task, workflow, key, generation, _STATES[state], _REASONS[reason], _items(inputs), *rest)


def readiness_row(e: Readiness, version: int, offered: int, leads: bool, places: bytes | None) -> tuple[Value, ...]:
    return (
        e.seq,
        e.id,
        e.asset,
        e.partition,
        e.status._value_,
        e.evidence,
        e.arrived,
        e.at,
        e.source,
        e.lane,
        e.position,
        e.by,
        e.run,
        e.traceparent,
        version,
        offered,
        leads,
        places.decode() if places is not None else None,
    )


def readiness_of(row: Row) -> Readiness:
    seq, id, asset, partition, status, *rest = row
    return Readiness(seq, id, asset, partition, Status(status), *rest)


def disposition_row(d: Disposition) -> tuple[Value, ...]:
    return d.seq, d.task, d.outcome._value_, d.detail, d.at


def disposition_of(row: Row) -> Disposition:
    seq, task, outcome, detail, at = row
    return Disposition(seq, task, Dispose(outcome), detail, at)


def span_row(s: Span) -> tuple[Value, ...]:
    return s.source, s.lane, s.first, s.until, s.ready, s.ignored, s.duplicate, s.dead, s.gap, s.at


def attempt_row(a: Attempt) -> tuple[Value, ...]:
    return (
        a.run,
        a.number,
        a.token,
        a.started,
        a.ended,
        a.result,
        a.error,
        a.executor,
        a.exit_code,
        _encode(a.checks) if a.checks else None,
        a.traceparent,
    )


def attempt_of(row: Row) -> Attempt:
    run, number, token, started, ended, result, error, executor, code, checks, traceparent = row
    said = _checks(checks) if checks is not None else ()
    return Attempt(run, number, token, started, ended, result, error, executor, code, said, traceparent)


def dead_row(d: DeadLetter, leads: bool) -> tuple[Value, ...]:
    return d.source, d.lane, d.position, d.sensor, d.reason, d.detail, d.body, d.at, d.digest, d.state, leads


def dead_of(row: Row) -> DeadLetter:
    return DeadLetter(*row)


def alert_row(a: Alert) -> tuple[Value, ...]:
    return a.key, a.kind.value, a.owner, a.subject, a.text, a.at


def alert_of(row: Row) -> Alert:
    key, kind, *rest = row
    return Alert(key, AlertKind(kind), *rest)


def record_row(r: TopicRecord, offset: int) -> tuple[Value, ...]:
    return r.topic, offset, r.key, r.body, _encode(r.headers) if r.headers else None, r.at


def record_of(row: Row) -> TopicRecord:
    topic, key, body, headers, at, offset = row
    return TopicRecord(topic, key, body, _headers(headers) if headers is not None else (), at, offset)


def file_row(f: FileSeen) -> tuple[Value, ...]:
    """An inode may use all 64 bits, and SQLite's integers have a sign."""
    return f.source, f.name, f.inode - (1 << 64) if f.inode >> 63 else f.inode, f.size, f.mtime_ns, f.version


def file_of(row: Row) -> FileSeen:
    source, name, inode, *rest = row
    return FileSeen(source, name, inode % (1 << 64), *rest)


def places(waits: Iterable[Wait], new: frozenset[int]) -> dict[int, bytes]:
    """For each of the new events that a wait holds: where, as JSON. One event may stand in a wait several times, and in several waits."""
    found: dict[int, dict[tuple[str, str], None]] = {}
    for wait in waits:
        if not wait.items:
            continue
        place = (wait.task, wait.key)
        for item in wait.items:
            if item.seq in new:
                found.setdefault(item.seq, {})[place] = None
    return {seq: _json(list(at)) for seq, at in found.items()}


def holds(items: bytes | None, seq: int) -> int:
    """0: not among the items; 1: it is, and a start was handed it; 2: it waits there."""
    return max((1 if i.used else 2 for i in items_of(items) if i.seq == seq), default=0)


def place(where: str, part: int) -> str:
    """The task (0) or the key (1) of one entry of `places`. SQLite's own JSON functions cut a text off at a NUL."""
    found: str = msgspec.json.decode(where)[part]
    return found
