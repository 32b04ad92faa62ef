"""Retention in memory: the same rules as in a database, without its searches."""

from collections import Counter
from itertools import islice, takewhile

from reactor.model.ids import Instant, TaskName, topic_lane
from reactor.model.run import Run
from reactor.store.base import TOLD, Span
from reactor.store.memory.ledger import Ledger
from reactor.store.moves import join


def forget(ledger: Ledger, before: Instant, seen_before: Instant, most: int) -> int:
    """See `Writer.forget`."""
    left = most
    for step in (_runs, _readiness, _kept, _dead):
        left -= step(ledger, before, left)
    left -= _seen(ledger, seen_before, left)
    for step in (_spans, _alerts, _records):
        left -= step(ledger, before, left)
    return most - left


def _runs(ledger: Ledger, before: Instant, most: int) -> int:
    makers = {s.run for s in ledger.slots.values()}
    old = [r for r in ledger.runs.values() if r.ended is not None and r.ended < before and r.id not in makers]
    gone = sorted(old, key=lambda r: (r.ended, r.order))[:most]
    for run in gone:
        _drop_run(ledger, run)
    return len(gone)


def _drop_run(ledger: Ledger, run: Run) -> None:
    del ledger.runs[run.id]
    ledger.gone[f"run {run.state.value}"] += 1
    for item in run.inputs:
        if item.seq in ledger.readiness:
            ledger.used_by_gone.setdefault(item.seq, set()).add(run.task)
    for key in [k for k in ledger.attempts if k[0] == run.id]:
        del ledger.attempts[key]


def _readiness(ledger: Ledger, before: Instant, most: int) -> int:
    held = {i.seq for w in ledger.waits.values() for i in w.items}
    held |= {i.seq for r in ledger.runs.values() for i in r.inputs}
    held |= {s.seq for s in ledger.slots.values()}
    held |= {s.held.seq for s in ledger.slots.values() if s.held is not None and not s.held.rejected}
    gone = sorted(e.seq for e in ledger.readiness.values() if e.arrived < before and e.seq not in held)[:most]
    for seq in gone:
        _drop_readiness(ledger, seq)
    return len(gone)


def _drop_readiness(ledger: Ledger, seq: int) -> None:
    event = ledger.readiness.pop(seq)
    ledger.versions.pop(seq, None)
    ended = ledger.dispositions.pop(seq, [])
    used: set[TaskName] = ledger.used_by_gone.pop(seq, set())
    ledger.gone["readiness"] += 1
    ledger.gone["offered"] += ledger.offered.pop(seq, 0)
    ledger.gone["used"] += len(used)
    ledger.gone["accounted"] += len(used | {TaskName(d.task) for d in ended if d.task})
    ledger.gone += Counter(f"outcome {d.outcome.value}" for d in ended)
    if seq in ledger.leads:
        ledger.leads.discard(seq)
        row = ledger.lanes.get((event.source, event.lane))
        if row is not None:
            row.gone_ready += 1


def _kept(ledger: Ledger, before: Instant, most: int) -> int:
    old = [(k.at, place) for place, k in ledger.kept.items() if k.at < before]
    gone = sorted(old)[:most]
    for _, place in gone:
        del ledger.kept[place]
    return len(gone)


def _dead(ledger: Ledger, before: Instant, most: int) -> int:
    old = [d for d in ledger.dead.values() if d.state != "open" and d.at < before]
    gone = sorted(old, key=lambda d: (d.at, d.id))[:most]
    for letter in gone:
        del ledger.dead[letter.id]
        ledger.gone[f"dead {letter.state}"] += 1
        row = ledger.lanes.get((letter.source, letter.lane))
        if row is not None and letter.id in ledger.dead_leads:
            row.gone_dead += 1
        ledger.dead_leads.discard(letter.id)
    return len(gone)


def _seen(ledger: Ledger, before: Instant, most: int) -> int:
    gone = list(islice((key for key, at in ledger.seen.items() if at < before), most))
    for key in gone:
        del ledger.seen[key]
    return len(gone)


def _spans(ledger: Ledger, before: Instant, most: int) -> int:
    gone = 0
    for place in sorted(ledger.spans):
        spans = ledger.spans[place]
        whole: Span = spans[0]
        taken = 1
        while taken < len(spans) and gone < most and max(whole.at, spans[taken].at) < before:
            whole = join(whole, spans[taken])
            taken, gone = taken + 1, gone + 1
        ledger.spans[place] = [whole, *spans[taken:]]
    return gone


def _alerts(ledger: Ledger, before: Instant, most: int) -> int:
    told = [int(note) for name, note in ledger.meta.items() if name.startswith(TOLD) and note]
    taken = [key for key, id in ledger.alert_ids.items() if id <= min(told, default=id)]
    gone = list(takewhile(lambda key: ledger.alerts[key].at < before, taken[:most]))
    for key in gone:
        del ledger.alerts[key]
        id = ledger.alert_ids.pop(key)
        for place in [place for place in ledger.undelivered if place[0] == id]:
            del ledger.undelivered[place]
    return len(gone)


def _records(ledger: Ledger, before: Instant, most: int) -> int:
    gone = 0
    for topic in sorted(ledger.topics):
        log = ledger.topics[topic]
        lanes = [row.at.position for (_, lane), row in ledger.lanes.items() if lane == topic_lane(topic)]
        read = log[: max(min(lanes) - log[0].offset, 0)] if log and lanes else log
        number = sum(1 for _ in takewhile(lambda r: r.at < before, read[: most - gone]))
        del log[:number]
        gone += number
    return gone
