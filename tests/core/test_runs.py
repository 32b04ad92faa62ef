"""Runs: places, queues, attempts, fences."""

import pytest

from reactor import Asset, Dynamic, Limit, Retry
from reactor.core.runs import LOST_AT_MOST
from reactor.model.commands import Alert, CancelAttempt, Noted, SetTimer
from reactor.model.duration import SECOND
from reactor.model.ids import Owner, RunId
from reactor.model.outcome import CancelRun, Ending, Lost, RetryDue, RunAgain
from reactor.model.run import Reason, RunState
from tests.core.stage import Stage, does, flow, graph_of

E = Asset("e")
P = Asset("p", Dynamic("order"))


def stage(**options: object) -> Stage:
    w = flow()
    does("t", w, inputs=E, **options)
    return Stage(graph_of(w))


def by_partition(**options: object) -> Stage:
    w = flow()
    does("t", w, inputs=P, **options)
    return Stage(graph_of(w))


# --- one at a time for a partition


def test_newer_versions_merge_into_the_one_run_that_waits() -> None:
    found = by_partition()
    for n in range(1, 5):
        found.ready("p", "x", id=f"p{n}")
    assert [r.state for r in found.runs] == ["running", "queued"]
    assert found.runs[1].merged == 2
    assert found.outcomes("t") == [("p2", "merged"), ("p3", "merged")]
    found.end(found.runs[0])
    assert found.handed() == [["p1"], ["p4"]]


def test_other_partitions_do_not_wait() -> None:
    found = by_partition()
    found.ready("p", "x").ready("p", "y")
    assert [r.state for r in found.runs] == ["running", "running"]


@pytest.mark.parametrize("limit", [None, 1, 2])
def test_never_two_at_once_for_one_partition_also_after_a_crash(limit: int | None) -> None:
    found = by_partition(**({"limit": limit} if limit else {}))
    for key in "xyxy":
        found.ready("p", key)
    found.crash()
    for _ in range(10):
        running = found.running()
        assert len({r.key for r in running}) == len(running)
        if running:
            found.end(running[0])
    assert all(r.state is RunState.SUCCEEDED for r in found.runs)


def test_a_new_key_is_not_held_up_by_what_waits_behind_another_after_a_crash() -> None:
    found = by_partition()
    found.ready("p", "x").ready("p", "x").crash()
    found.ready("p", "y")
    assert {r.key for r in found.running()} == {"x", "y"}


def test_with_consume_all_the_run_that_waits_takes_every_event() -> None:
    w = flow()
    does("t", w, inputs=P.operand().consume("all"))
    found = Stage(graph_of(w))
    for n in range(1, 5):
        found.ready("p", "x", id=f"p{n}")
    found.end(found.runs[0])
    assert found.handed() == [["p1"], ["p2", "p3", "p4"]]
    assert found.outcomes("t") == []


# --- limits


def test_a_limit_queues_in_order() -> None:
    found = stage(limit=2)
    for n in range(5):
        found.ready("e", id=f"e{n}")
    assert found.handed() == [["e0"], ["e1"]]
    found.end(found.runs[1]).end(found.runs[0])
    assert found.handed() == [["e0"], ["e1"], ["e2"], ["e3"]]


def test_a_keyed_limit_counts_each_value() -> None:
    found = stage(limit=Limit(1, "user"))
    for n, user in enumerate("aabb"):
        found.ready("e", id=f"e{n}", user=user)
    assert found.handed() == [["e0"], ["e2"]]
    found.end(found.runs[2])
    assert found.handed() == [["e0"], ["e2"], ["e3"]]


def test_the_limit_of_a_workflow_is_shared_and_its_queue_is_one() -> None:
    w = flow(limit=1)
    does("t", w, inputs=P)
    does("u", w, inputs=E)
    found = Stage(graph_of(w))
    found.ready("p", "x").ready("e").ready(
        "p", "x"
    )  # the third one is newer than the second, and waits behind the first
    found.end(found.running()[0])
    assert [r.task for r in found.running()] == ["u"]
    found.end(found.running()[0])
    assert [r.task for r in found.running()] == ["t"]


def test_a_waiting_retry_gives_its_place_to_others() -> None:
    found = stage(limit=1, retry=Retry(2))
    found.ready("e", id="e1").ready("e", id="e2")
    found.end(found.runs[0], Ending.FAILED)
    assert found.handed() == [["e1"], ["e2"]]
    found.retry(found.runs[0])
    assert found.run(found.runs[0]).state is RunState.RETRYING
    found.end(found.runs[1])
    assert found.run(found.runs[0]).state is RunState.RUNNING


def test_a_limit_that_was_loosened_lets_in_what_was_queued() -> None:
    found = stage(limit=1)
    found.ready("e").ready("e")
    w = flow()
    does("t", w, inputs=E)
    found.graph = graph_of(w)
    found.crash()
    assert len(found.running()) == 2


# --- attempts


def test_attempts_are_counted_and_the_last_one_fails_the_run() -> None:
    found = stage(retry=Retry(3, first="2s", factor=2, jitter=0))
    run = found.ready("e").runs[0]
    waits = []
    for _ in range(2):
        found.end(run, Ending.FAILED)
        timer = next(c for c in found.changes.commands if isinstance(c, SetTimer))
        waits.append(timer.due - found.now)
        found.retry(run)
    found.end(run, Ending.TIMED_OUT)
    assert waits == [2 * SECOND, 4 * SECOND]
    ended = found.run(run)
    assert (ended.state, ended.attempt, ended.token, ended.failures) == ("failed", 3, 3, 3)
    alert = next(c for c in found.changes.commands if isinstance(c, Alert))
    assert (alert.owner, alert.text) == ("owner@example.com", "t failed after 3 attempts: Error: it failed")
    assert [a.result for a in found.ledger.attempts] == ["failed", "failed", "timed out"]


def test_a_permanent_failure_is_not_tried_again() -> None:
    found = stage(retry=Retry(5))
    run = found.ready("e").runs[0]
    assert found.end(run, Ending.FAILED, permanent=True).run(run).state is RunState.FAILED


@pytest.mark.parametrize("ending", [Ending.SUCCEEDED, Ending.FAILED])
def test_the_answer_of_a_superseded_attempt_is_refused(ending: Ending) -> None:
    found = stage(retry=Retry(3))
    run = found.ready("e").runs[0]
    found.crash()
    assert found.run(run).token == 2
    before = found.run(run)
    found.end(run, ending, token=1)
    assert found.run(run) == before
    assert not found.changes.runs
    found.end(run, token=2)
    found.end(run, Ending.FAILED, token=2)
    assert found.run(run).state is RunState.SUCCEEDED


def test_a_timer_of_an_attempt_that_is_over_changes_nothing() -> None:
    found = stage(retry=Retry(3))
    run = found.ready("e").runs[0]
    found.end(run, Ending.FAILED).retry(run)
    found.tell(RetryDue(run.id, 1))
    found.tell(RetryDue(RunId("nobody"), 1))
    assert found.run(run).attempt == 2


def test_a_lost_attempt_is_offered_again_and_is_no_failure() -> None:
    found = stage()
    run = found.ready("e").runs[0]
    found.crash()
    again = found.run(run)
    assert (again.state, again.attempt, again.token, again.failures, again.lost) == ("running", 2, 2, 0, 1)
    assert [a.result for a in found.ledger.attempts] == ["lost"]


def test_a_run_that_kills_every_engine_is_given_up() -> None:
    found = stage()
    run = found.ready("e").runs[0]
    for _ in range(LOST_AT_MOST + 1):
        found.crash()
    ended = found.run(run)
    assert ended.state is RunState.FAILED
    assert ended.error is not None
    assert "it is taken for the cause" in ended.error


def test_an_old_loss_is_refused() -> None:
    found = stage()
    run = found.ready("e").runs[0]
    found.crash()
    found.tell(Lost(run.id, 1))
    assert found.run(run).lost == 1


# --- people


def test_cancelling_a_running_run_asks_its_executor_first() -> None:
    found = stage()
    run = found.ready("e").runs[0]
    assert found.tell(CancelRun(run.id, "ann", "wrong day")) is None
    assert found.changes.commands == [CancelAttempt(run.id, 1, "cancelled by ann: wrong day")]
    found.end(run, Ending.CANCELLED)
    assert (found.run(run).state, found.run(run).error) == ("cancelled", "cancelled by ann: wrong day")


def test_a_failure_after_a_cancel_is_not_retried_but_a_success_stands() -> None:
    found = stage(retry=Retry(3))
    one, two = found.ready("e").ready("e").runs
    for run, ending in ((one, Ending.FAILED), (two, Ending.SUCCEEDED)):
        found.tell(CancelRun(run.id, "ann"))
        found.end(run, ending)
    assert [found.run(r).state for r in (one, two)] == ["cancelled", "succeeded"]


def test_a_cancelled_wait_lets_the_next_one_begin() -> None:
    found = by_partition(retry=Retry(3))
    found.ready("p", "x", id="p1").ready("p", "x", id="p2")
    first = found.runs[0]
    found.end(first, Ending.FAILED)
    assert found.handed() == [["p1"]]
    found.tell(CancelRun(first.id, "ann"))
    assert found.handed() == [["p1"], ["p2"]]


def test_a_queued_run_is_cancelled_at_once() -> None:
    found = stage(limit=1)
    found.ready("e").ready("e").ready("e")
    found.tell(CancelRun(found.runs[1].id, "ann"))
    found.end(found.runs[0])
    assert [r.state for r in found.runs] == ["succeeded", "cancelled", "running"]


def test_a_run_that_is_closed_without_an_attempt_is_noted_too() -> None:
    found = stage(limit=1)
    found.ready("e").ready("e")
    found.tell(CancelRun(found.runs[1].id, "ann"))
    assert [c for c in found.changes.commands if isinstance(c, Noted)] == [
        Noted(found.runs[1], None, Owner("owner@example.com"))
    ]


def test_each_life_of_a_run_has_a_span_of_its_own_below_the_one_before() -> None:
    found = stage()
    first = found.ready("e").end(found.runs[0], Ending.FAILED).runs[0]
    found.tell(RunAgain(first.id, "ann"))
    second = found.run(first)
    assert (second.parent, second.reason) == (first.traceparent, Reason.MANUAL)
    assert second.traceparent is not None
    assert first.traceparent is not None
    assert (second.traceparent[:36], second.attempt_traceparent[:36]) == (first.traceparent[:36],) * 2  # type: ignore[index]
    assert len({first.traceparent, second.traceparent, first.attempt_traceparent, second.attempt_traceparent}) == 4


def test_trying_again_keeps_the_inputs_and_raises_the_token() -> None:
    found = stage()
    run = found.ready("e", id="e1").runs[0]
    assert found.tell(RunAgain(run.id, "ann")) == (
        f"Run {run.id} is running: only a failed, cancelled or expired run can be tried again."
    )
    found.end(run, Ending.FAILED)
    assert found.tell(RunAgain(run.id, "ann")) is None
    again = found.run(run)
    assert (again.state, again.attempt, again.token, again.failures, again.error) == ("running", 2, 2, 0, None)
    assert found.handed() == [["e1"], ["e1"]]


def test_trying_again_gives_way_to_a_newer_run_that_is_queued() -> None:
    found = by_partition()
    found.ready("p", "x")
    first = found.runs[0]
    found.end(first, Ending.FAILED).ready("p", "x").ready("p", "x")
    refusal = found.tell(RunAgain(first.id, "ann"))
    assert refusal is not None
    assert refusal.startswith("A newer run of t x is queued already: ")


def test_what_is_over_cannot_be_cancelled() -> None:
    found = stage()
    run = found.ready("e").runs[0]
    found.end(run)
    assert found.tell(CancelRun(run.id, "ann")) == f"Run {run.id} is over already, or there is none."


# --- outputs


def test_success_announces_outputs_through_the_same_door() -> None:
    made = Asset("made", Dynamic("order"))
    w = flow()
    does("t", w, inputs=P, outputs=made)
    does("u", w, inputs=made)
    found = Stage(graph_of(w))
    found.ready("p", "x")
    assert found.running("u") == []
    found.end(found.runs[0])
    assert [(r.task, r.key) for r in found.running()] == [("u", "x")]
    slot = found.ledger.slots[made.name, "x"]  # type: ignore[index]
    assert (slot.version, slot.run) == (1, found.runs[0].id)
    assert found.runs[1].parent is not None
    assert found.runs[0].traceparent is not None
    assert found.runs[1].parent[:36] == found.runs[0].traceparent[:36]


def test_a_failed_run_announces_nothing() -> None:
    made = Asset("made")
    w = flow()
    does("t", w, inputs=E, outputs=made)
    does("u", w, inputs=made)
    found = Stage(graph_of(w))
    found.ready("e")
    found.end(found.runs[0], Ending.FAILED)
    assert [r.task for r in found.runs] == ["t"]
    assert (made.name, "") not in found.ledger.slots
