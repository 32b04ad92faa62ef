"""The proof that a ledger in memory balances, in the same sentences as a database's."""

from collections import Counter
from collections.abc import Iterator, Sequence

from reactor.model.events import Json
from reactor.model.ids import TaskName
from reactor.store import words
from reactor.store.base import Span
from reactor.store.memory.ledger import Ledger


def balance(ledger: Ledger) -> list[str]:
    """See `Reader.balance`."""
    return [
        line for kind in (_lanes(ledger), _unaccounted(ledger), _forgotten(ledger)) for line in words.shortened(kind)
    ]


def _lanes(ledger: Ledger) -> Iterator[str]:
    ready = Counter((e.source, e.lane) for e in ledger.readiness.values() if e.seq in ledger.leads)
    dead = Counter((d.source, d.lane) for d in ledger.dead.values() if d.id in ledger.dead_leads)
    for place in sorted(ledger.lanes):
        row = ledger.lanes[place]
        key = (row.at.source, row.at.lane)
        found = ready[key] + row.gone_ready, dead[key] + row.gone_dead
        yield from words.lane(row.at, row.first, ledger.spans.get(place, []), *found)
    for source, lane in sorted({*ready, *dead}):
        if (source, lane) not in ledger.lanes and source != words.OURSELVES:
            yield words.stray(source, lane)


def _ended_in(ledger: Ledger) -> dict[int, set[TaskName]]:
    """For each event, the rules in which it ended or waits."""
    found: dict[int, set[TaskName]] = {seq: set(tasks) for seq, tasks in ledger.used_by_gone.items()}
    for seq, ended in ledger.dispositions.items():
        found.setdefault(seq, set()).update(TaskName(d.task) for d in ended if d.task)
    for run in ledger.runs.values():
        for item in run.inputs:
            found.setdefault(item.seq, set()).add(run.task)
    for wait in ledger.waits.values():
        for item in wait.items:
            if not item.used:
                found.setdefault(item.seq, set()).add(wait.task)
    return found


def _unaccounted(ledger: Ledger) -> Iterator[str]:
    ended = _ended_in(ledger)
    for seq, event in sorted(ledger.readiness.items()):
        offered, found = ledger.offered.get(seq, 0), len(ended.get(seq, ()))
        if offered != found:
            yield words.unaccounted(seq, event.asset, event.partition, offered, found)


def _forgotten(ledger: Ledger) -> Iterator[str]:
    if ledger.gone["offered"] != ledger.gone["accounted"]:
        yield words.forgotten(ledger.gone["offered"], ledger.gone["accounted"])


def totals(ledger: Ledger) -> dict[str, Json]:
    """See `Reader.totals`."""
    spans: Sequence[Span] = [s for some in ledger.spans.values() for s in some]
    return {
        "events": {name: sum(getattr(s, name) for s in spans) for name in words.COUNTED},
        "readiness": _readiness(ledger),
        "runs": _grouped(ledger, "run", Counter(r.state.value for r in ledger.runs.values())),
        "dead letters": _grouped(ledger, "dead", Counter(d.state for d in ledger.dead.values())),
    }


def _readiness(ledger: Ledger) -> dict[str, int]:
    used = {(seq, task) for seq, tasks in ledger.used_by_gone.items() for task in tasks}
    used |= {(i.seq, r.task) for r in ledger.runs.values() for i in r.inputs}
    found = {
        "events": len(ledger.readiness) + ledger.gone["readiness"],
        "offered": sum(ledger.offered.values()) + ledger.gone["offered"],
        "pending": sum(len({i.seq for i in w.items if not i.used}) for w in ledger.waits.values()),
        "used": len(used) + ledger.gone["used"],
    }
    return found | _grouped(
        ledger, "outcome", Counter(d.outcome.value for ended in ledger.dispositions.values() for d in ended)
    )


def _grouped(ledger: Ledger, kind: str, counts: Counter[str]) -> dict[str, int]:
    for what, number in ledger.gone.items():
        if what.startswith(f"{kind} "):
            counts[what.removeprefix(f"{kind} ")] += number
    return dict(sorted(counts.items()))
