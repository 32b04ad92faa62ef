"""Holds: what a gate does not let through stands in its slot, and no rule hears of it until a person says so.

Pure, like all of the core. An approval is a readiness event of its own that names the one it lets through, so the ledger says of both
what became of them, and an event still enters a wait only in the transaction that brings it.
"""

import hashlib

from msgspec.structs import replace

from reactor.core.downstream import downstream
from reactor.core.graph import Graph
from reactor.core.runs import child
from reactor.core.shapes import accept_shape, gone, judge, subject
from reactor.core.state import State
from reactor.model.commands import Alert, AlertKind
from reactor.model.events import SHAPE, Dispose, Disposition, Readiness, Status
from reactor.model.ids import EventId, Instant, Lane, Owner, SensorName, SourceName
from reactor.model.outcome import Approve, Reject
from reactor.model.ports import Ids
from reactor.model.slot import Held, Slot

APPROVALS = Lane("approvals")
"""The events by which people let through what was held. No gate is asked again."""


def is_held(graph: Graph, state: State, event: Readiness, now: Instant) -> bool:
    """Asks the last gate, that of the schema, and holds the event where that or another one does not let it through."""
    if event.lane == APPROVALS:
        return False
    why = event.held
    if why and event.asset.startswith(SHAPE):
        gone(state, event, why, now)
    shape = judge(graph, state, event, now) if not why else ""
    if not why and not shape:
        return False
    hold(graph, state, replace(event, held=why or shape), now, for_schema=bool(shape))
    return True


def hold(graph: Graph, state: State, event: Readiness, now: Instant, *, for_schema: bool) -> None:
    """The event stands before a closed gate. What stood there before it is superseded; the owner hears once, not at each event."""
    slot = state.slot(event.asset, event.partition)
    before = slot.held
    if before is not None:
        let_go(state, event, before, now)
    _close(state, event.seq, Dispose.HELD, event.held, now)
    state.changes.offered.append((event.seq, 0))
    state.changes.versions.append((event.seq, 0))
    held = Held(
        event.seq,
        event.id,
        now,
        event.at,
        event.held,
        event.evidence,
        event.by,
        event.run,
        event.traceparent,
        _schema_of(state, event) if for_schema else b"",
    )
    state.put_slot(replace(slot, held=held))
    if before is None or before.rejected:
        _tell(graph, state, event, now, held.schema)


def _schema_of(state: State, event: Readiness) -> bytes:
    """The schema that it is held for: its own, or that of its source."""
    shape = state.shapes.get(subject(event.asset))
    return event.schema or (shape.pending if shape is not None else b"")


def let_go(state: State, by: Readiness, held: Held, now: Instant) -> None:
    """What a gate held is held no more, because something newer of its partition came. One that was rejected has its end already."""
    if not held.rejected:
        _close(state, held.seq, Dispose.SUPERSEDED, f"event {by.seq} came after it", now)


def _close(state: State, seq: int, outcome: Dispose, why: str, now: Instant) -> None:
    """For the asset as a whole: no rule was asked."""
    state.changes.dispositions.append(Disposition(seq, "", outcome, why, now))


def _tell(graph: Graph, state: State, event: Readiness, now: Instant, schema: bytes) -> None:
    """One alert for the partition, or for the schema however many partitions have it, with everything in it that stands still because of it."""
    what = f"{event.asset} {event.partition}".rstrip()
    asset = subject(event.asset)
    waiting = downstream(graph, asset)
    kind = f"{asset}/schema/{hashlib.sha256(schema).hexdigest()[:16]}" if schema else f"{event.asset}/{event.partition}"
    text = f"{what} is held: {event.held}. " + (
        f"Nothing that is made of it starts: {', '.join(waiting)}. " if waiting else ""
    )
    text += f"Look with `reactor why {what}`, then `reactor approve {what} --reason ...` or `reactor reject {what} --reason ...`."
    alert = Alert(
        f"held/{kind}" if schema else f"held/{kind}/{event.seq}",
        AlertKind.HELD,
        Owner(graph.owner_of(asset)),
        what,
        text,
        now,
    )
    state.tell([alert])


def approved(graph: Graph, state: State, ask: Approve, now: Instant, ids: Ids) -> Readiness | str:
    """The event that lets the held one through; or why it cannot be."""
    slot = state.slot(ask.asset, ask.partition)
    held = _waiting(slot, ask)
    if isinstance(held, str):
        return held
    seq = state.take_seq()
    why = f"event {seq}, approved by {ask.by}" + (f": {ask.reason}" if ask.reason else "")
    _close(state, held.seq, Dispose.APPROVED, why, now)
    state.put_slot(replace(slot, held=None))
    if held.schema or ask.asset.startswith(SHAPE):
        accept_shape(graph, state, ask.asset, held.schema, now)
    return Readiness(
        seq=seq,
        id=EventId(f"{held.event}/approved"),
        asset=ask.asset,
        partition=ask.partition,
        status=Status.OK,
        evidence=held.evidence,
        arrived=now,
        at=held.happened,
        source=SourceName("reactor"),
        lane=APPROVALS,
        position=held.seq,
        by=SensorName(held.by),
        run=held.run,
        traceparent=child(held.traceparent, ids),
    )


def reject(state: State, ask: Reject, now: Instant) -> str | None:
    """The held event is closed; the slot says so until something newer comes. Returns why it cannot be, where it cannot."""
    slot = state.slot(ask.asset, ask.partition)
    held = _waiting(slot, ask)
    if isinstance(held, str):
        return held
    why = f"rejected by {ask.by}" + (f": {ask.reason}" if ask.reason else "")
    _close(state, held.seq, Dispose.REJECTED, why, now)
    state.put_slot(replace(slot, held=replace(held, rejected=why)))
    return None


def _waiting(slot: Slot, ask: Approve | Reject) -> Held | str:
    what = f"{ask.asset} {ask.partition}".rstrip()
    held = slot.held
    if held is None:
        return f"Nothing of {what} is held: there is nothing to decide."
    if held.rejected:
        return f"What came of {what} was {held.rejected}. Let it be sent again; what comes then is judged anew."
    if held.seq != ask.seq:
        return f"Something newer of {what} came meanwhile (event {held.seq}), and is held too: {held.reason}. Look at that one first."
    return held
