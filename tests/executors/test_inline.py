"""What only the loop's own executor has to do: tell who holds the loop, and answer for who will not stop. Time is
virtual where it can be.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from opentelemetry.trace import get_current_span

from reactor import Run, Workflow
from reactor.executors.inline import GRACE, Inline
from reactor.executors.logs import MemoryLogs
from reactor.model.ids import RunId
from reactor.model.outcome import Ending, Outcome
from reactor.model.workflow import Task
from tests.clock import MachineClock, VirtualClock
from tests.executors.bodies import orders, revenue
from tests.executors.conformance import job
from tests.services.wait import eventually

Body = Callable[[Run], Awaitable[object]]


def task_of(body: Body) -> Task:
    workflow = Workflow("finance", owner="finance@example.com")
    workflow.task(inputs=orders, outputs=revenue)(body)
    return next(iter(workflow.tasks.values()))


class Place:
    def __init__(self) -> None:
        self.clock, self.logs, self.outcomes = VirtualClock(), MemoryLogs(), list[Outcome]()
        self.executor = Inline(self.clock, self.logs, blocked_after=None)

    def submit(self, body: Body, timeout: int | None = None) -> None:
        task = task_of(body)
        self.executor.submit(job(task, timeout=timeout), task, self.outcomes.append)

    def log(self) -> list[str]:
        return list(self.logs.read(RunId("run1"), 2))


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    place = Place()
    await place.executor.start()
    yield place
    await place.executor.stop(0)


async def test_a_timeout_lets_it_clean_up(place: Place) -> None:
    async def cleans(run: Run) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            run.log.info("cleaned up")

    place.submit(cleans, timeout=60_000_000)
    await place.clock.advance(59_999_999)
    assert place.outcomes == []
    await place.clock.advance(1)
    assert [o.ending for o in place.outcomes] == [Ending.TIMED_OUT]
    assert place.log() == ["INFO cleaned up", "It took longer than the 1m that its timeout allows."]
    assert place.outcomes[0].ended == place.clock.now()


async def test_one_that_will_not_stop_is_answered_for_and_named(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    release = asyncio.Event()

    async def stubborn(run: Run) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                run.log.info("not yet")

    place.submit(stubborn)
    await place.clock.idle()
    place.executor.cancel(RunId("run1"), 7)
    await place.clock.advance(GRACE - 1)
    assert place.outcomes == []
    await place.clock.advance(1)
    assert [o.ending for o in place.outcomes] == [Ending.CANCELLED]
    assert "Task 'stubborn' (run run1) was told to stop 5 s ago and still runs" in caplog.text
    release.set()
    await place.clock.idle()
    assert len(place.outcomes) == 1


async def test_one_that_ends_well_after_it_was_told_to_stop_was_stopped(place: Place) -> None:
    async def too_late(run: Run) -> dict[str, int]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return {"rows": 1}
        return {}

    place.submit(too_late, timeout=1_000_000)
    await place.clock.advance(1_000_000)
    assert [(o.ending, o.outputs) for o in place.outcomes] == [(Ending.TIMED_OUT, {})]


async def test_a_cancel_from_within_is_a_failure(place: Place) -> None:
    async def trips(run: Run) -> None:
        raise asyncio.CancelledError("the library gave up")

    place.submit(trips)
    await place.clock.idle()
    assert place.outcomes[0].ending is Ending.FAILED
    assert "cancelled from within" in (place.outcomes[0].error or "")


async def test_sys_exit_is_a_failure_and_not_the_end(place: Place) -> None:
    async def exits(run: Run) -> None:
        raise SystemExit(3)

    place.submit(exits)
    await place.clock.idle()
    assert [(o.ending, (o.error or "").splitlines()[0]) for o in place.outcomes] == [(Ending.FAILED, "SystemExit: 3")]


async def test_spans_of_the_task_are_children_of_the_attempt(place: Place) -> None:
    found = []

    async def looks(run: Run) -> None:
        await asyncio.sleep(0)
        found.append(get_current_span().get_span_context())

    place.submit(looks)
    await place.clock.idle()
    assert [(f"{c.trace_id:032x}", f"{c.span_id:016x}") for c in found] == [
        ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    ]
    assert not get_current_span().get_span_context().is_valid


async def test_no_log_is_opened_for_a_task_that_says_nothing(place: Place) -> None:
    async def silent(run: Run) -> None:
        return

    place.logs.open = None  # type: ignore[assignment,method-assign]
    place.submit(silent)
    await place.clock.idle()
    assert [o.ending for o in place.outcomes] == [Ending.SUCCEEDED]


async def test_who_blocks_the_loop_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    logs, outcomes = MemoryLogs(), list[Outcome]()
    executor = Inline(MachineClock(), logs, blocked_after=0.05)
    await executor.start()

    async def blocks(run: Run) -> None:
        time.sleep(0.4)  # noqa: ASYNC251 - that is the point

    async def yields(run: Run) -> None:
        await asyncio.sleep(0.2)

    for body in (yields, blocks):
        task = task_of(body)
        executor.submit(job(task, number=len(outcomes) + (body is blocks)), task, outcomes.append)
    await eventually(lambda: len(outcomes) == 2)
    named = [r.getMessage() for r in caplog.records if "blocked the event loop" in r.getMessage()]
    assert len(named) == 1
    assert named[0].startswith("Task 'blocks' (run run1) has blocked the event loop for more than 50 ms")
    assert named[0].splitlines()[-1].strip().startswith("time.sleep(0.4)")
    assert "base_events" not in named[0]
    assert "conftest" not in named[0]
    assert any("time.sleep(0.4)" in line for line in logs.read(RunId("run1"), 2))
    await executor.stop(0)
