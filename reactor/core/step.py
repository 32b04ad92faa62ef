"""THE STEP: one event in, its consequences out. Production, simulation, replay and tests all drive this one function.

    step(graph, state, event, now, ids) -> Answer

Everything that happens is an event to it: readiness, the outcome of an attempt, a timer that is due, a deadline, what a person asks. A duplicate
or a late one is an ordinary input that changes nothing. Time, ids and chance come in as arguments, so the same arguments give the same
answer. What an event can touch is told by `needs`, and must have been loaded into the state before.
"""

from collections.abc import Mapping

import msgspec

from reactor.core.graph import Graph
from reactor.core.holds import approved, reject
from reactor.core.migrate import migrate
from reactor.core.readiness import accept, announce, output_partition
from reactor.core.runs import on_again, on_cancel, on_lost, on_outcome, on_resumed, on_retry_due
from reactor.core.state import PlaceKey, SlotKey, State
from reactor.model.commands import Alert, AlertKind
from reactor.model.condition import SCHEDULE
from reactor.model.events import Json, Readiness, Ready
from reactor.model.ids import AssetName, Instant, Owner, PartitionKey, RunId
from reactor.model.outcome import (
    Approve,
    CancelRun,
    DeadlineDue,
    Ending,
    Lost,
    Outcome,
    Reject,
    Resumed,
    RetryDue,
    RuleChanged,
    RunAgain,
    StepEvent,
)
from reactor.model.ports import Ids
from reactor.model.slot import Slot, Wait


class Needs(msgspec.Struct):
    """What has to be in the state before a stretch of events is stepped through."""

    slots: set[SlotKey] = msgspec.field(default_factory=set)
    waits: set[PlaceKey] = msgspec.field(default_factory=set)
    closed: set[RunId] = msgspec.field(default_factory=set)


def needs(graph: Graph, state: State, event: StepEvent, into: Needs) -> None:
    """Adds what this event can touch."""
    if isinstance(event, Readiness):
        _needs(graph, event.asset, event.partition, event.evidence, into)
    elif isinstance(event, Outcome):
        run = state.runs.get(event.run)
        if run is not None and event.ending is Ending.SUCCEEDED:
            for asset, evidence in event.outputs.items():
                _needs(graph, asset, output_partition(graph, run, asset), evidence, into)
    elif isinstance(event, Approve):
        _needs(graph, event.asset, event.partition, event.evidence, into)
    elif isinstance(event, (DeadlineDue, Reject)):
        into.slots.add((event.asset, event.partition))
    elif isinstance(event, RunAgain):
        into.closed.add(event.run)
    elif isinstance(event, RuleChanged):
        into.waits.add((event.task, event.key))


def _needs(graph: Graph, asset: AssetName, partition: PartitionKey, evidence: bytes, into: Needs) -> None:
    keyed = any(node.plan.rule.key_field is not None for node, _ in graph.consumers.get(asset, ()))
    needs_of_ready(graph, Ready(asset, partition, msgspec.json.decode(evidence) if keyed else {}), into)


def needs_of_ready(graph: Graph, ready: Ready, into: Needs) -> None:
    """Adds what a sensor's answer can touch, before it has its number in the ledger."""
    if not ready.asset.startswith(SCHEDULE):
        into.slots.add((ready.asset, ready.partition))
    fields: Mapping[str, Json] | None = None
    for node, terms in graph.consumers.get(ready.asset, ()):
        if (
            node.plan.rule.key_field is not None and fields is None
        ):  # as the ledger will read it: a date is a text there
            evidence = msgspec.json.decode(ready.body) if ready.body else ready.evidence
            fields = {"partition": ready.partition, **evidence}
        for term in terms:
            for key in graph.keys(node, term, ready.partition, fields):
                into.waits.add((node.name, key))


def fill(state: State, wanted: Needs, slots: list[Slot], waits: list[Wait]) -> None:
    """Puts what the store found into the state, and what it did not find as new."""
    for slot in slots:
        state.slots[slot.asset, slot.partition] = slot
    for wait in waits:
        state.waits[wait.task, wait.key] = wait
    for asset, partition in wanted.slots:
        if (asset, partition) not in state.slots:
            state.slots[asset, partition] = Slot(asset, partition)
    for task, key in wanted.waits:
        if (task, key) not in state.waits:
            state.waits[task, key] = Wait(task, key)


def step(graph: Graph, state: State, event: StepEvent, now: Instant, ids: Ids) -> str | None:
    """One event. Its consequences are in `state.changes`; returns why a person's command was refused, where it was."""
    match event:
        case Readiness():
            accept(graph, state, event, now, ids)
        case Outcome():
            run = on_outcome(graph, state, event, now, ids)
            if run is not None:
                announce(graph, state, run, event, now, ids)
        case RetryDue():
            on_retry_due(graph, state, event, now, ids)
        case DeadlineDue():
            _on_deadline(graph, state, event, now)
        case Lost():
            on_lost(graph, state, event, now, ids)
        case CancelRun() | RunAgain() | Approve() | Reject():
            return _asked(graph, state, event, now, ids)
        case RuleChanged():
            _on_rule_changed(graph, state, event, now, ids)
        case Resumed():
            on_resumed(graph, state, now, ids)
    return None


def _asked(
    graph: Graph, state: State, event: CancelRun | RunAgain | Approve | Reject, now: Instant, ids: Ids
) -> str | None:
    """What a person asks. Returns why it cannot be, where it cannot."""
    match event:
        case CancelRun():
            return on_cancel(graph, state, event, now, ids)
        case RunAgain():
            return on_again(graph, state, event, now, ids)
        case Reject():
            return reject(state, event, now)
        case Approve():
            passed = approved(graph, state, event, now, ids)
            if isinstance(passed, str):
                return passed
            accept(graph, state, passed, now, ids)
            return None


def _on_deadline(graph: Graph, state: State, event: DeadlineDue, now: Instant) -> None:
    slot = state.slot(event.asset, event.partition)
    if slot.version or slot.late_since is not None:
        return
    state.put_slot(msgspec.structs.replace(slot, late_since=event.due))
    what = f"{event.asset} {event.partition}"
    held_up = sorted(node.name for node, _ in graph.consumers.get(event.asset, ()))
    text = f"{what} is late: it was due and nothing has come." + (
        f" Waiting for it: {', '.join(held_up)}." if held_up else ""
    )
    alert = Alert(
        f"late/{event.asset}/{event.partition}", AlertKind.LATE, Owner(graph.owner_of(event.asset)), what, text, now
    )
    state.tell([alert])


def _on_rule_changed(graph: Graph, state: State, event: RuleChanged, now: Instant, ids: Ids) -> None:
    node = graph.nodes.get(event.task)
    if node is not None:
        migrate(graph, state, node, event.key, now, ids)
