"""Events as people follow them: what came, what became of it, which runs it led to."""

import msgspec

from reactor.model.events import Json
from reactor.service.views.words import iso
from reactor.store.base import Stored


class EventLine(msgspec.Struct, frozen=True):
    """One readiness event. `ended`: how it ended for each rule that it did not wait in or start."""

    seq: int
    id: str
    at: str | None
    asset: str
    partition: str
    version: int
    status: str
    source: str
    lane: str
    position: int
    by: str
    evidence: Json
    offered: int
    ended: tuple[dict[str, str], ...]
    runs: tuple[str, ...]


def line_of(stored: Stored) -> EventLine:
    event = stored.readiness
    return EventLine(
        seq=event.seq,
        id=event.id,
        at=iso(event.arrived),
        asset=event.asset,
        partition=event.partition,
        version=stored.version,
        status=str(event.status),
        source=event.source,
        lane=event.lane,
        position=event.position,
        by=event.by,
        evidence=msgspec.json.decode(event.evidence),
        offered=stored.offered,
        ended=tuple({"task": d.task, "outcome": str(d.outcome), "detail": d.detail} for d in stored.dispositions),
        runs=tuple(stored.runs),
    )


def caused(line: EventLine) -> str:
    """What the event led to, in one short text."""
    said = [f"{e['outcome']}{' for ' + e['task'] if e['task'] else ''}: {e['detail']}".rstrip(": ") for e in line.ended]
    if line.runs:
        said.insert(0, f"used by {', '.join(line.runs)}")
    waits = line.offered - len([e for e in line.ended if e["task"]]) - len(line.runs)
    if waits > 0 and not line.runs:
        said.append(f"waits in {waits} rule{'s' if waits > 1 else ''}")
    return "; ".join(said) or ("no rule names it" if not line.offered else "stored")
