"""The content of a ledger in plain dictionaries, and what one transaction does to it. It is what survives: engines come and go over it.

The values in it are frozen, so a copy of the containers is a copy of the ledger.
"""

import copy
import dataclasses
from collections import Counter
from dataclasses import dataclass, field

from msgspec.structs import replace

from reactor.model.commands import Alert
from reactor.model.errors import Fenced, StoreRefused
from reactor.model.events import DeadLetter, Disposition, Json, Readiness
from reactor.model.ids import AssetName, Instant, PartitionKey, RunId, SensorName, TaskName, WaitKey
from reactor.model.run import Attempt, Run
from reactor.model.seen import FileSeen
from reactor.model.slot import Shape, Slot, Wait
from reactor.store.base import Audit, Kept, LaneAt, Span, TopicRecord, Transaction, Undelivered
from reactor.store.moves import adds_up, not_the_holder, one_per_lane, stands_elsewhere

Place = tuple[str, str]
"""(source, lane)."""


@dataclass
class LaneRow:
    """A lane with what was forgotten of it."""

    at: LaneAt
    first: int
    gone_ready: int = 0
    gone_dead: int = 0


@dataclass
class Ledger:
    """Everything that is durable. `snapshot` is what a power cut would leave."""

    epoch: int = 0
    next_seq: int = 1
    next_order: int = 1
    lanes: dict[Place, LaneRow] = field(default_factory=dict)
    spans: dict[Place, list[Span]] = field(default_factory=dict)
    seen: dict[tuple[str, str], Instant] = field(default_factory=dict)
    kept: dict[tuple[str, str, int], Kept] = field(default_factory=dict)
    files: dict[tuple[str, str], FileSeen] = field(default_factory=dict)
    readiness: dict[int, Readiness] = field(default_factory=dict)
    versions: dict[int, int] = field(default_factory=dict)
    offered: dict[int, int] = field(default_factory=dict)
    leads: set[int] = field(default_factory=set)
    """Readiness events that are the first of their raw event."""
    dispositions: dict[int, list[Disposition]] = field(default_factory=dict)
    used_by_gone: dict[int, set[TaskName]] = field(default_factory=dict)
    """Tasks whose runs were handed an event, and are forgotten."""
    dead: dict[int, DeadLetter] = field(default_factory=dict)
    dead_leads: set[int] = field(default_factory=set)
    letters: int = 0
    slots: dict[tuple[AssetName, PartitionKey], Slot] = field(default_factory=dict)
    shapes: dict[AssetName, Shape] = field(default_factory=dict)
    waits: dict[tuple[TaskName, WaitKey], Wait] = field(default_factory=dict)
    runs: dict[RunId, Run] = field(default_factory=dict)
    attempts: dict[tuple[RunId, int], Attempt] = field(default_factory=dict)
    states: dict[SensorName, bytes] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    alert_ids: dict[str, int] = field(default_factory=dict)
    alerted: int = 0
    topics: dict[str, list[TopicRecord]] = field(default_factory=dict)
    topic_ends: dict[str, int] = field(default_factory=dict)
    audits: list[Audit] = field(default_factory=list)
    meta: dict[str, str] = field(default_factory=dict)
    undelivered: dict[tuple[int, str], Undelivered] = field(default_factory=dict)
    gone: Counter[str] = field(default_factory=Counter)

    def snapshot(self) -> "Ledger":
        """A ledger of its own with the same content."""
        twin = copy.copy(self)
        for part in dataclasses.fields(self):
            setattr(twin, part.name, _copied(getattr(self, part.name)))
        return twin


def _copied(value: Json) -> Json:
    """A container of its own around the same values."""
    if isinstance(value, dict):
        held = {key: _copied(kept) for key, kept in value.items()}
        return Counter(held) if isinstance(value, Counter) else held
    return copy.copy(value) if isinstance(value, (list, set, LaneRow)) else value


def apply(ledger: Ledger, tx: Transaction) -> dict[str, int]:
    """All of it, or nothing and the reason. Returns the next offset of each topic that was appended to."""
    if tx.epoch != ledger.epoch:
        raise Fenced(not_the_holder(tx.epoch))
    moves = one_per_lane(tx.moves)
    for move in moves:
        row = ledger.lanes.get((move.span.source, move.span.lane))
        if (row is None) != move.first_time or (row is not None and row.at.position != move.span.first):
            raise Fenced(stands_elsewhere(move, None if row is None else row.at.position))
    _refuse(ledger, tx, [m.span for m in moves])
    for move in moves:
        span = move.span
        place = (span.source, span.lane)
        row = ledger.lanes.setdefault(place, LaneRow(LaneAt(span.source, span.lane, span.first), span.first))
        row.at = LaneAt(span.source, span.lane, span.until, move.cursor)
        if span.until != span.first:
            ledger.spans.setdefault(place, []).append(span)
    _put_events(ledger, tx)
    _put_state(ledger, tx)
    return _append(ledger, tx)


def _refuse(ledger: Ledger, tx: Transaction, spans: list[Span]) -> None:
    """The rules that a database would hold by itself."""
    for span in spans:
        if not adds_up(span):
            raise StoreRefused(f"the counts of {span} do not add up to its positions")
    seqs = [e.seq for e in tx.readiness]
    if len(set(seqs)) < len(seqs) or any(seq in ledger.readiness for seq in seqs):
        raise StoreRefused("a number of a readiness event was used twice")
    changed = {r.id: r for r in tx.runs}
    starts: dict[tuple[TaskName, WaitKey, int], RunId] = {}
    orders: dict[int, RunId] = {}
    for run in (ledger.runs | changed).values() if changed else ():
        if starts.setdefault((run.task, run.key, run.generation), run.id) != run.id:
            raise StoreRefused(f"two runs of {run.task} {run.key} generation {run.generation}")
        if orders.setdefault(run.order, run.id) != run.id:
            raise StoreRefused(f"two runs in place {run.order} of the queue")


def _put_events(ledger: Ledger, tx: Transaction) -> None:
    ledger.seen |= {(scope, id): at for scope, id, at in tx.seen}
    ledger.kept |= {(k.source, k.lane, k.position): k for k in tx.kept}
    for gone in tx.files_gone:
        ledger.files.pop(gone, None)
    ledger.files |= {(f.source, f.name): f for f in tx.files}
    led: set[tuple[str, str, int]] = set()
    for e in tx.readiness:
        ledger.readiness[e.seq] = e
        ledger.next_seq = max(ledger.next_seq, e.seq + 1)
        place = (e.source, e.lane, e.position)
        if place not in led:
            ledger.leads.add(e.seq)
            led.add(place)
    ledger.versions |= {seq: v for seq, v in tx.versions if seq in ledger.readiness}
    ledger.offered |= {seq: n for seq, n in tx.offered if seq in ledger.readiness}
    for d in tx.dispositions:
        ledger.dispositions.setdefault(d.seq, []).append(d)
    for letter in tx.dead:
        ledger.letters += 1
        ledger.dead[ledger.letters] = replace(letter, id=ledger.letters)
        place = (letter.source, letter.lane, letter.position)
        if place not in led:
            ledger.dead_leads.add(ledger.letters)
            led.add(place)
    for id, state in tx.dead_moved:
        if id in ledger.dead:
            ledger.dead[id] = replace(ledger.dead[id], state=state)


def _put_state(ledger: Ledger, tx: Transaction) -> None:
    ledger.slots |= {(s.asset, s.partition): s for s in tx.slots}
    ledger.shapes |= {s.asset: s for s in tx.shapes}
    ledger.waits |= {(w.task, w.key): w for w in tx.waits}
    ledger.runs |= {r.id: r for r in tx.runs}
    ledger.next_order = max([ledger.next_order, *(r.order + 1 for r in tx.runs)])
    ledger.attempts |= {(a.run, a.number): a for a in tx.attempts}
    ledger.states |= {s.sensor: s.state for s in tx.states}
    for alert in tx.alerts:
        if alert.key not in ledger.alerts:
            ledger.alerted += 1
            ledger.alerts[alert.key], ledger.alert_ids[alert.key] = alert, ledger.alerted
    ledger.audits += tx.audits
    ledger.meta |= tx.meta
    ledger.undelivered |= {(u.alert, u.channel): u for u in tx.undelivered}


def _append(ledger: Ledger, tx: Transaction) -> dict[str, int]:
    ends: dict[str, int] = {}
    for record in tx.topics:
        offset = ledger.topic_ends.get(record.topic, 0)
        ledger.topics.setdefault(record.topic, []).append(replace(record, offset=offset))
        ledger.topic_ends[record.topic] = ends[record.topic] = offset + 1
    return ends
