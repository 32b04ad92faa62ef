"""What happened goes in, complete spans come out."""

from __future__ import annotations

import pytest

from reactor.model.commands import Noted
from reactor.model.events import CloudEvent, File, Message, Payload, Row, Tick
from reactor.model.ids import Instant, Owner
from reactor.model.run import CheckResult, Reason, RunState
from reactor.telemetry.spans import Span, of_announced, of_noted, of_sensed
from tests.telemetry.facts import (
    ATTEMPT,
    DAY,
    OTHER,
    OUTPUT,
    PROCESS,
    PRODUCER,
    READY,
    RUN,
    SENSOR,
    announced,
    attempt,
    run,
    sensed,
    span,
)  # fmt: skip


def lines(spans: list[Span]) -> list[tuple[str, str, str, str | None, int, int]]:
    return [(s.name, s.kind, s.context, s.parent, s.start, s.end) for s in spans]


def test_a_record_names_the_group_that_read_it_where_there_is_one() -> None:
    assert of_sensed(sensed(), "reactor")[0].attributes["messaging.consumer.group.name"] == "reactor"
    assert (
        "messaging.consumer.group.name"
        not in of_sensed(sensed(CloudEvent("e1", "/shop", "paid")), "reactor")[0].attributes
    )


def test_a_run_and_its_attempts_name_their_owner() -> None:
    spans = of_noted(Noted(run(), attempt(), Owner("shop@example.com")))
    assert [s.attributes["reactor.owner"] for s in spans] == ["shop@example.com"] * 3


def test_an_event_that_became_ready_is_processed_sensed_and_ready_below_its_producer() -> None:
    spans = of_sensed(sensed())
    assert lines(spans) == [
        ("process shop.days", "consumer", PROCESS, PRODUCER, 10, 14),
        ("sensor orders_closed", "internal", SENSOR, PROCESS, 10, 14),
        ("ready orders", "internal", READY, SENSOR, 14, 14),
    ]
    assert spans[0].attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "shop.days",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 41,
        "reactor.source": "kafka:shop.days",
    }
    assert spans[1].attributes == {"reactor.sensor.name": "orders_closed", "reactor.sensor.outcome": "ready"}
    assert spans[2].attributes == {"reactor.asset": "orders", "reactor.partition": DAY}


@pytest.mark.parametrize(
    ("payload", "name", "value"),
    [
        (CloudEvent("e1", "/shop", "paid"), "cloudevents.event_id", "e1"),
        (File("/landing/x.csv", "x.csv", {}, 1, Instant(0), 1), "file.path", "/landing/x.csv"),
        (Row({"id": 1}, 1), "messaging.message.id", "id-41"),
        (Message("plant/a", {}, b"", 1, False, Instant(0)), "messaging.system", "mqtt"),
        (Tick("0 6 * * *", Instant(0)), "messaging.message.id", "id-41"),
    ],
)
def test_each_kind_of_event_says_which_one_it_was(payload: Payload, name: str, value: str) -> None:
    assert of_sensed(sensed(payload))[0].attributes[name] == value


def test_a_run_is_below_the_input_that_completed_it_and_linked_to_the_others() -> None:
    task, wait, whole = of_noted(Noted(run(), attempt()))
    assert lines([task, whole]) == [
        ("task build", "internal", ATTEMPT, RUN, 30, 55),
        ("RUN daily", "server", RUN, READY, 20, 60),
    ]
    assert [(k.context, k.attributes) for k in whole.links] == [
        (OTHER, {"reactor.input.asset": "refunds", "reactor.input.partition": DAY, "reactor.input.version": 2})
    ]
    assert whole.attributes == {
        "cicd.pipeline.name": "daily",
        "cicd.pipeline.run.id": "01run",
        "cicd.pipeline.action.name": "RUN",
        "cicd.pipeline.result": "success",
        "cicd.pipeline.task.name": "build",
        "reactor.partition": DAY,
        "reactor.run.reason": "inputs",
        "reactor.rule.version": "d1g",
    }
    assert [(m.name, m.at) for m in whole.marks] == [("queued", 20), ("started", 25)]
    assert (wait.name, wait.parent, wait.start, wait.end) == ("wait build", RUN, 5, 20)


def test_the_wait_has_an_id_of_its_own_in_the_trace_of_its_run_and_always_the_same() -> None:
    first, second = (of_noted(Noted(run(), attempt()))[1].context for _ in range(2))
    assert first == second
    assert first[:36] == RUN[:36]
    assert first[36:52] not in {each[36:52] for each in (PRODUCER, PROCESS, SENSOR, READY, RUN, ATTEMPT)}


def test_a_life_in_which_somebody_tried_it_again_is_a_run_below_the_first_and_did_not_wait() -> None:
    again = run(traceparent=span(8), parent=RUN, reason=Reason.MANUAL, started=Instant(90), ended=Instant(99))
    task, whole = of_noted(Noted(again, attempt(traceparent=span(9), started=Instant(90), ended=Instant(99))))
    assert lines([task, whole]) == [
        ("task build", "internal", span(9), span(8), 90, 99),
        ("RUN daily", "server", span(8), RUN, 90, 99),
    ]
    assert [k.context for k in whole.links] == [OTHER, READY]
    assert whole.attributes["reactor.run.reason"] == "manual"


def test_a_run_that_was_cancelled_in_the_queue_has_a_span_and_no_task() -> None:
    wait, whole = of_noted(Noted(run(RunState.CANCELLED, started=None), None))
    assert (wait.name, whole.name, whole.attributes["cicd.pipeline.result"]) == (
        "wait build",
        "RUN daily",
        "cancellation",
    )
    assert [m.name for m in whole.marks] == ["queued"]


def test_an_attempt_says_how_it_went_and_what_the_checks_found() -> None:
    checks = (CheckResult("row_count", False, True, "0 rows"),)
    ended = attempt("failed", error="sqlite3.OperationalError: database is locked", exit_code=-9, checks=checks)
    (task,) = of_noted(Noted(run(RunState.RETRYING), ended))
    assert task.error == "sqlite3.OperationalError: database is locked"
    assert task.attributes["error.type"] == "sqlite3.OperationalError"
    assert task.attributes["cicd.pipeline.task.run.result"] == "failure"
    assert task.attributes["process.exit.code"] == -9
    assert task.attributes["reactor.task.attempt"] == 1
    assert [(m.name, m.attributes["reactor.check.result"], m.attributes["detail"]) for m in task.marks] == [
        ("check row_count", "fail", "0 rows")
    ]


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING, RunState.RETRYING])
def test_a_run_that_is_not_over_has_no_span_yet(state: RunState) -> None:
    assert [s.name for s in of_noted(Noted(run(state), attempt("failed", error="x")))] == ["task build"]


@pytest.mark.parametrize(
    ("state", "result", "error"),
    [
        (RunState.SUCCEEDED, "success", None),
        (RunState.FAILED, "failure", "OSError: gone"),
        (RunState.CANCELLED, "cancellation", None),
        (RunState.EXPIRED, "skip", None),
    ],
)
def test_a_run_says_how_it_ended_and_only_a_failure_is_an_error(
    state: RunState, result: str, error: str | None
) -> None:
    whole = of_noted(Noted(run(state, error="OSError: gone"), attempt()))[-1]
    assert (whole.attributes["cicd.pipeline.result"], whole.error) == (result, error)
    assert whole.attributes.get("error.type") == ("OSError" if error else None)


def test_what_a_run_made_is_ready_below_the_run() -> None:
    spans = of_announced(announced())
    assert lines(spans) == [("ready revenue", "internal", OUTPUT, RUN, 61, 61)]
    assert spans[0].attributes == {"reactor.asset": "revenue", "reactor.partition": DAY, "reactor.version": 3}


def test_what_a_sensor_announced_was_told_with_its_event() -> None:
    assert of_announced(announced(parent=None)) == []
