"""Spans as values, made afterwards from what the ledger holds. Pure: what happened goes in, complete spans come out.

    send T (the producer's) > process T > sensor S > ready A > RUN W { wait, task T per attempt } > ready B > RUN ...

The input that completed a rule is the run's parent; the others are links. Ids were fixed when the thing began.
"""

import hashlib
from collections.abc import Mapping

import msgspec

from reactor.model.commands import Announced, Noted
from reactor.model.events import CloudEvent, File, Message, RawEvent, Record
from reactor.model.ids import Instant
from reactor.model.run import OPEN, Attempt, Reason, Run, RunState
from reactor.telemetry import names
from reactor.telemetry.base import Sensed

Value = str | int | float | bool
INTERNAL, SERVER, CONSUMER = "internal", "server", "consumer"
RESULTS = {
    RunState.SUCCEEDED: "success",
    RunState.FAILED: "failure",
    RunState.CANCELLED: "cancellation",
    RunState.EXPIRED: "skip",
}
ATTEMPT_RESULTS = {
    "succeeded": "success", "failed": "failure", "timed out": "timeout", "cancelled": "cancellation", "died": "error", "lost": "error",
}  # fmt: skip


class Mark(msgspec.Struct, frozen=True):
    """Something that happened within a span."""

    name: str
    at: Instant
    attributes: Mapping[str, Value] = {}


class Link(msgspec.Struct, frozen=True):
    context: str
    attributes: Mapping[str, Value] = {}


class Span(msgspec.Struct, frozen=True):
    """A finished span. `context` and `parent` are W3C traceparents; times are microseconds UTC. `error`: why it failed, where it did."""

    name: str
    kind: str
    context: str
    parent: str | None
    start: Instant
    end: Instant
    attributes: Mapping[str, Value]
    marks: tuple[Mark, ...] = ()
    links: tuple[Link, ...] = ()
    error: str | None = None


def of_sensed(found: Sensed, group: str | None = None) -> list[Span]:
    """`process`, `sensor`, and one `ready` for each readiness that came of the event. `group`: the consumer group that reads Kafka."""
    event, destination = found.event, _destination(found)
    process = Span(
        f"process {destination}", CONSUMER, found.process, event.traceparent, found.began, found.ended,
        {names.SOURCE: found.source, names.DESTINATION: destination, **_payload(event, group)},
    )  # fmt: skip
    sensor = Span(
        f"sensor {found.sensor}",
        INTERNAL,
        found.sensor_span,
        found.process,
        found.began,
        found.ended,
        {names.SENSOR: found.sensor, names.SENSOR_OUTCOME: "ready"},
    )
    ready = [
        Span(f"ready {asset}", INTERNAL, context, found.sensor_span, found.ended, found.ended, _slot(asset, partition))
        for asset, partition, context in found.ready
    ]
    return [process, sensor, *ready]


def _destination(found: Sensed) -> str:
    payload = found.event.payload
    return payload.topic if isinstance(payload, (Record, Message)) else str(found.source).partition(":")[2]


def _payload(event: RawEvent, group: str | None) -> dict[str, Value]:
    payload = event.payload
    what: dict[str, Value] = {names.OPERATION_NAME: "process", names.OPERATION_TYPE: "process"}
    match payload:
        case Record():
            what |= {
                names.SYSTEM: "kafka", names.DESTINATION_PARTITION: str(payload.partition), names.OFFSET: payload.offset,
                **({names.GROUP: group} if group is not None else {}),
            }  # fmt: skip
        case Message():
            what |= {names.SYSTEM: "mqtt", names.MESSAGE_ID: event.id}
        case CloudEvent():
            what |= {names.EVENT_ID: payload.id, names.EVENT_SOURCE: payload.source, names.EVENT_TYPE: payload.type}
        case File():
            what |= {names.FILE_PATH: payload.path}
        case _:
            what |= {names.MESSAGE_ID: event.id}
    return what


def _slot(asset: str, partition: str) -> dict[str, Value]:
    return {names.ASSET: asset, names.PARTITION: partition}


def of_announced(made: Announced) -> list[Span]:
    """`ready`, for the output of a run. That of a sensor was told with its event."""
    event = made.readiness
    if not event.run or event.traceparent is None or made.parent is None:
        return []
    attributes = {**_slot(event.asset, event.partition), names.VERSION: made.version}
    return [
        Span(f"ready {event.asset}", INTERNAL, event.traceparent, made.parent, event.arrived, event.arrived, attributes)
    ]


def of_noted(ended: Noted) -> list[Span]:
    """The attempt; and where the run is over, the run and its wait. One that was tried again waited in its first life alone."""
    run, attempt = ended.run, ended.attempt
    spans = [_attempt(run, attempt)] if attempt is not None and attempt.traceparent is not None else []
    if run.state not in OPEN and run.traceparent is not None:
        spans += [_run(run)] if run.reason is Reason.MANUAL else [_wait(run, run.traceparent), _run(run)]
    owned = {names.OWNER: str(ended.owner)} if ended.owner else {}
    return [msgspec.structs.replace(s, attributes={**s.attributes, **owned}) for s in spans]


def _attempt(run: Run, attempt: Attempt) -> Span:
    assert attempt.traceparent is not None
    attributes: dict[str, Value] = {
        names.TASK: run.task,
        names.TASK_RUN: f"{run.id}/{attempt.number}",
        names.TASK_RESULT: ATTEMPT_RESULTS.get(attempt.result, attempt.result),
        names.ATTEMPT: attempt.number,
        names.EXECUTOR: attempt.executor,
        **_slot("", run.key),
    }
    del attributes[names.ASSET]
    if attempt.exit_code is not None:
        attributes[names.EXIT_CODE] = attempt.exit_code
    error = attempt.error if attempt.result not in ("succeeded", "cancelled") else None
    if error is not None:
        attributes[names.ERROR_TYPE] = _type_of(error)
    marks = tuple(
        Mark(
            f"check {c.check}",
            attempt.ended,
            {names.CHECK_NAME: c.check, names.CHECK_RESULT: "pass" if c.passed else "fail", "detail": c.detail},
        )
        for c in attempt.checks
    )
    name = f"task {run.task}"
    return Span(
        name,
        INTERNAL,
        attempt.traceparent,
        run.traceparent,
        attempt.started,
        attempt.ended,
        attributes,
        marks,
        error=error,
    )


def _run(run: Run) -> Span:
    assert run.traceparent is not None
    attributes: dict[str, Value] = {
        names.PIPELINE: run.workflow,
        names.PIPELINE_RUN: run.id,
        names.PIPELINE_ACTION: "RUN",
        names.PIPELINE_RESULT: RESULTS.get(run.state, str(run.state)),
        names.TASK: run.task,
        names.PARTITION: run.key,
        names.REASON: str(run.reason),
        names.DIGEST: run.digest,
    }
    failed = run.state is RunState.FAILED
    if failed:
        attributes[names.ERROR_TYPE] = _type_of(run.error or "failure")
    links = tuple(
        Link(
            i.traceparent,
            {names.INPUT_ASSET: i.asset, names.INPUT_PARTITION: i.partition, names.INPUT_VERSION: i.version},
        )
        for i in run.inputs
        if i.traceparent is not None
        and i.traceparent != run.parent  # Jaeger takes a link to the parent in the parent's place
    )
    begin, marks = _life(run)
    return Span(
        f"RUN {run.workflow}",
        SERVER,
        run.traceparent,
        run.parent,
        begin,
        run.ended if run.ended is not None else run.created,
        attributes,
        marks,
        links,
        run.error if failed else None,
    )


def _life(run: Run) -> tuple[Instant, tuple[Mark, ...]]:
    """When it began, and what happened in it: when somebody asked for it to be tried again is not kept, when that began is."""
    if run.reason is Reason.MANUAL:
        begin = run.started if run.started is not None else run.ended
        return begin if begin is not None else run.created, ()
    started = (Mark("started", run.started),) if run.started is not None else ()
    return run.created, (Mark("queued", run.created), *started)


def _wait(run: Run, context: str) -> Span:
    """From the first input to the last: written now, never held open. Nobody is below it, so its id need not be known before."""
    own = hashlib.sha256(f"wait {run.id}".encode()).hexdigest()[:16]
    attributes: dict[str, Value] = {names.TASK: run.task, names.PARTITION: run.key}
    return Span(
        f"wait {run.task}",
        INTERNAL,
        f"{context[:36]}{own}{context[52:]}",
        run.traceparent,
        run.waited_since,
        run.created,
        attributes,
    )


def _type_of(error: str) -> str:
    """The exception's name, where the text begins with one."""
    head = error.strip().partition(":")[0]
    return head if head.replace(".", "").replace("_", "").isalnum() else "failure"
