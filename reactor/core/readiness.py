"""Readiness: an event becomes a version of its slot, and the rules that name its asset are asked."""

from collections.abc import Mapping

import msgspec

from reactor.core.graph import Graph, Node
from reactor.core.holds import is_held, let_go
from reactor.core.migrate import migrate
from reactor.core.plan import Term, accepts, feed
from reactor.core.runs import child, request
from reactor.core.state import State
from reactor.model.commands import Announced
from reactor.model.condition import SCHEDULE
from reactor.model.events import SHAPE, Dispose, Item, Json, Readiness, Status
from reactor.model.ids import (
    NO_PARTITION,
    AssetName,
    EventId,
    Instant,
    Lane,
    PartitionKey,
    RunId,
    SensorName,
    SourceName,
    WaitKey,
)
from reactor.model.outcome import Outcome
from reactor.model.ports import Ids
from reactor.model.run import Run
from reactor.model.slot import Slot

OK = Status.OK


def accept(graph: Graph, state: State, event: Readiness, now: Instant, ids: Ids) -> None:
    """The event takes its place in the ledger: one disposition for each rule that names its asset, now or later."""
    state.changes.readiness.append(event)
    if (event.held or graph.schemas) and event.status is Status.OK:
        if is_held(graph, state, event, now):
            return
        if event.asset.startswith(SHAPE):
            _passed(state, event, now)
            return
    consumers = graph.consumers.get(event.asset, ())
    state.changes.offered.append((event.seq, len(consumers)))
    if event.status is not OK:
        for node, _ in consumers:
            state.dispose(event, node.name, Dispose.STATUS, f"the event says {event.status}", now)
        state.changes.versions.append((event.seq, 0))
        return
    version = _new_version(state, event, now)
    fields: Mapping[str, Json] | None = None
    for node, terms in consumers:
        if fields is None and node.plan.needs_evidence:
            fields = {"partition": event.partition, **msgspec.json.decode(event.evidence)}
        offer(graph, state, node, terms, event, version, fields, now, ids)


def _passed(state: State, event: Readiness, now: Instant) -> None:
    """A change of a schema that may pass: nobody waits for it, and nothing is held for one before it any more."""
    old = state.slot(event.asset, event.partition)
    if old.held is not None:
        let_go(state, event, old.held, now)
        state.put_slot(msgspec.structs.replace(old, held=None))
    state.changes.offered.append((event.seq, 0))
    state.changes.versions.append((event.seq, 0))


def _new_version(state: State, event: Readiness, now: Instant) -> int:
    if event.asset.startswith(SCHEDULE):
        state.changes.versions.append((event.seq, 0))
        return 0
    old = state.slot(event.asset, event.partition)
    state.put_slot(
        Slot(
            event.asset,
            event.partition,
            old.version + 1,
            event.seq,
            event.id,
            now,
            event.evidence,
            event.run,
            old.late_since,
        )
    )
    if old.held is not None:
        let_go(state, event, old.held, now)
    state.changes.versions.append((event.seq, old.version + 1))
    maker = state.changes.runs.get(RunId(event.run)) if event.run else None
    state.changes.commands.append(Announced(event, old.version + 1, maker.traceparent if maker is not None else None))
    return old.version + 1


def offer(
    graph: Graph,
    state: State,
    node: Node,
    terms: tuple[Term, ...],
    event: Readiness,
    version: int,
    fields: Mapping[str, Json] | None,
    now: Instant,
    ids: Ids,
) -> None:
    """One rule is asked about one event."""
    taken: dict[WaitKey, tuple[Item, ...]] = {}
    why = ""
    for term in terms:
        if term.evaluate is not None:
            passed, reason = accepts(term, fields)
            if not passed:
                why = f"{term.operand} {reason}"
                continue
        keys = graph.keys(node, term, event.partition, fields)
        why = why if keys else f"there is no field {node.plan.rule.key_field!r} to tell its key by"
        item = Item(
            term.index,
            event.seq,
            event.id,
            event.asset,
            event.partition,
            version,
            now,
            event.evidence,
            event.traceparent,
        )
        for key in keys:
            taken[key] = (*taken[key], item) if key in taken else (item,)
    if not taken:
        state.dispose(event, node.name, Dispose.FILTERED, why, now)
    for key, items in taken.items():
        _collect(graph, state, node, key, items, now, ids)


def _collect(
    graph: Graph, state: State, node: Node, key: WaitKey, items: tuple[Item, ...], now: Instant, ids: Ids
) -> None:
    place = (node.name, key)
    wait = state.waits[place]
    if wait.plan != node.plan.digest and wait.items:
        migrate(graph, state, node, key, now, ids)
        wait = state.waits[place]
    fresh = not wait.items and not wait.generation  # else its key was looked at before
    wrong = node.partitions.refuse(key) if fresh and node.partitions is not None else None
    if wrong is not None:
        state.dispose(items[0], node.name, Dispose.DROPPED, f"no partition of {node.name}: {wrong}", now)
        return
    fed = feed(node.plan, wait, items, now)
    for item, outcome, detail in fed.gone:
        state.dispose(item, node.name, outcome, detail, now)
    if fed.wait is not wait:
        state.put_wait(fed.wait)
    if fed.start is not None:
        request(graph, state, node, key, fed.start, now, ids)


def announce(graph: Graph, state: State, run: Run, outcome: Outcome, now: Instant, ids: Ids) -> None:
    """A run succeeded: its outputs become ready through the same door as what a sensor says."""
    for asset, evidence in outcome.outputs.items():
        partition = output_partition(graph, run, asset)
        if (
            asset,
            partition,
        ) in state.slots:  # not so where the definitions changed under the run and dropped this output
            made = _output(state, run, asset, partition, evidence, now, ids)
            held, schema = outcome.held.get(asset, ""), outcome.schemas.get(asset, b"")
            if held or schema:
                made = msgspec.structs.replace(made, held=held, schema=schema)
            accept(graph, state, made, now, ids)


def output_partition(graph: Graph, run: Run, asset: AssetName) -> PartitionKey:
    """The partition of an output that a run makes: its key, where the asset is cut."""
    known = graph.assets.get(asset)
    return NO_PARTITION if known is None or known.partitions is None else PartitionKey(run.key)


def _output(
    state: State,
    run: Run,
    asset: AssetName,
    partition: PartitionKey,
    evidence: bytes,
    now: Instant,
    ids: Ids,
) -> Readiness:
    return Readiness(
        seq=state.take_seq(),
        id=EventId(f"{run.id}/{asset}"),
        asset=asset,
        partition=partition,
        status=Status.OK,
        evidence=evidence,
        arrived=now,
        at=now,
        source=SourceName("reactor"),
        lane=Lane("runs"),
        position=0,
        by=SensorName(f"task {run.task}"),
        run=run.id,
        traceparent=child(run.traceparent, ids),
    )
