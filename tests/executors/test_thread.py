"""What only threads have to do: let go of what cannot be stopped."""

import threading
from collections.abc import AsyncIterator

import pytest

from reactor import Run, Workflow
from reactor.executors.logs import MemoryLogs
from reactor.executors.thread import Thread
from reactor.model.ids import RunId
from reactor.model.outcome import Ending, Outcome
from tests.clock import VirtualClock
from tests.executors.bodies import orders, revenue
from tests.executors.conformance import job
from tests.services.wait import eventually


@pytest.fixture
async def executor() -> AsyncIterator[Thread]:
    executor = Thread(VirtualClock(), MemoryLogs(), threads=1)
    await executor.start()
    yield executor
    await executor.stop(0)


async def test_a_thread_that_is_given_up_is_named_counted_and_replaced(
    executor: Thread, caplog: pytest.LogCaptureFixture
) -> None:
    release, began = threading.Event(), threading.Event()
    outcomes: list[Outcome] = []
    workflow = Workflow("finance", owner="finance@example.com")

    @workflow.task(inputs=orders, outputs=revenue)
    def blocks(run: Run) -> None:
        began.set()
        release.wait()
        run.log.info("nobody hears this")

    @workflow.task(inputs=orders, outputs=revenue)
    def quick(run: Run) -> None: ...

    first, second = workflow.tasks.values()
    executor.submit(job(first, 1), first, outcomes.append)
    executor.submit(job(second, 2), second, outcomes.append)
    await eventually(began.is_set)
    assert outcomes == []
    executor.cancel(RunId("run1"), 7)
    assert [o.ending for o in outcomes] == [Ending.CANCELLED]
    await eventually(lambda: len(outcomes) == 2)
    assert (outcomes[1].run, outcomes[1].ending) == ("run2", Ending.SUCCEEDED)
    assert executor.given_up == 1
    assert "Task 'blocks' (run run1) was told to stop, but a thread cannot be stopped" in caplog.text
    assert "release.wait()" in caplog.text
    release.set()
    await eventually(lambda: executor.given_up == 0)
    assert len(outcomes) == 2


async def test_the_timeout_of_one_that_waits_for_a_thread_has_not_begun(executor: Thread) -> None:
    clock = executor._desk.clock
    assert isinstance(clock, VirtualClock)
    release, began = threading.Event(), threading.Event()
    outcomes: list[Outcome] = []
    workflow = Workflow("finance", owner="finance@example.com")

    @workflow.task(inputs=orders, outputs=revenue)
    def blocks(run: Run) -> None:
        began.set()
        release.wait()

    task = next(iter(workflow.tasks.values()))
    executor.submit(job(task, 1), task, outcomes.append)
    executor.submit(job(task, 2, timeout=1_000_000), task, outcomes.append)
    await eventually(began.is_set)
    await clock.advance(5_000_000)
    assert outcomes == []
    release.set()
    await eventually(lambda: len(outcomes) == 2)
    assert {o.ending for o in outcomes} == {Ending.SUCCEEDED}


async def test_threads_are_bounded_and_reused(executor: Thread) -> None:
    at_once, most, idents, lock = 0, 0, set[int](), threading.Lock()
    workflow = Workflow("finance", owner="finance@example.com")
    outcomes: list[Outcome] = []

    @workflow.task(inputs=orders, outputs=revenue)
    def counts(run: Run) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
            idents.add(threading.get_ident())
        with lock:
            at_once -= 1

    task = next(iter(workflow.tasks.values()))
    for number in range(20):
        executor.submit(job(task, number), task, outcomes.append)
    await eventually(lambda: len(outcomes) == 20)
    assert (most, len(idents)) == (1, 1)
