"""The suite that every executor passes: what is promised in `reactor.executors.base`, whatever runs the code.

A kind of executor subclasses `ExecutorConformance`, names itself in `kind` and makes one in the `make` fixture.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import msgspec
import pytest

from reactor.executors.base import Executor
from reactor.executors.logs import MemoryLogs
from reactor.model.events import Json
from reactor.model.ids import Instant, RunId, WorkflowName
from reactor.model.job import InputView, Job
from reactor.model.outcome import Ending, Outcome
from reactor.model.workflow import ExecutorName, Task
from tests.clock import MachineClock
from tests.executors import bodies
from tests.services.wait import eventually

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PATIENCE = 15.0


def job(task: Task, number: int = 1, *, timeout: int | None = None, token: int = 7, **evidence: Json) -> Job:
    """An attempt of the task, on one input."""
    view = InputView("orders", "2026-11-20", 1, "e1", Instant(0), {"rows": 812, **evidence})
    return Job(
        run=RunId(f"run{number}"),
        task=task.name,
        workflow=WorkflowName("finance"),
        key="2026-11-20",
        partition="2026-11-20",
        attempt=2,
        token=token,
        inputs=(view,),
        outputs=tuple(asset.name for asset in task.outputs),
        timeout=timeout,
        traceparent=TRACE,
    )


@dataclass
class Bench:
    """One executor at work: jobs in, outcomes out."""

    kind: ExecutorName
    executor: Executor
    logs: MemoryLogs
    outcomes: list[Outcome] = field(default_factory=list)

    def submit(
        self, body: str, check: str = "", *, number: int = 1, timeout: int | None = None, **evidence: Json
    ) -> Job:
        task = bodies.task(self.kind, body, check)
        given = job(task, number, timeout=timeout, **evidence)
        self.executor.submit(given, task, self.outcomes.append)
        return given

    async def run(self, body: str, check: str = "", *, timeout: int | None = None, **evidence: Json) -> Outcome:
        """The one outcome of an attempt."""
        before = len(self.outcomes)
        self.submit(body, check, timeout=timeout, **evidence)
        return (await self.answers(before + 1))[before]

    async def answers(self, count: int) -> list[Outcome]:
        await eventually(lambda: len(self.outcomes) >= count, PATIENCE, 0.002)
        return self.outcomes

    def log(self, number: int = 1) -> list[str]:
        return list(self.logs.read(RunId(f"run{number}"), 2))

    async def began(self, number: int = 1) -> None:
        await eventually(lambda: "INFO began" in self.log(number), PATIENCE, 0.002)


Make = Callable[[MachineClock, MemoryLogs], Executor]


class ExecutorConformance:
    """The suite."""

    kind: ExecutorName

    @pytest.fixture
    async def bench(self, make: Make) -> AsyncIterator[Bench]:
        logs = MemoryLogs()
        executor = make(MachineClock(), logs)
        assert executor.name == self.kind
        await executor.start()
        yield Bench(self.kind, executor, logs)
        await executor.stop(0)

    async def test_success_announces_the_output(self, bench: Bench) -> None:
        outcome = await bench.run("succeeds")
        assert (outcome.run, outcome.token, outcome.ending) == ("run1", 7, Ending.SUCCEEDED)
        assert outcome.outputs == {"revenue": b"{}"}
        assert (outcome.executor, outcome.error, outcome.checks) == (self.kind, None, ())

    async def test_evidence_is_what_the_function_returned(self, bench: Bench) -> None:
        outcome = await bench.run("evidence")
        assert msgspec.json.decode(outcome.outputs[next(iter(outcome.outputs))]) == {
            "rows": 42,
            "partition": "2026-11-20",
            "attempt": 2,
            "orders": 812,
        }

    async def test_a_failure_says_what_and_where(self, bench: Bench) -> None:
        outcome = await bench.run("raises")
        assert (outcome.ending, outcome.permanent, outcome.outputs) == (Ending.FAILED, False, {})
        assert "ValueError: bad row 7" in (outcome.error or "")
        assert any("ValueError: bad row 7" in line for line in bench.log())

    async def test_a_permanent_failure_is_not_to_be_tried_again(self, bench: Bench) -> None:
        outcome = await bench.run("gives_up")
        assert (outcome.ending, outcome.permanent) == (Ending.FAILED, True)
        assert "Permanent: no such account" in (outcome.error or "")

    async def test_a_wrong_answer_is_a_permanent_failure(self, bench: Bench) -> None:
        outcome = await bench.run("answers_wrongly")
        assert (outcome.ending, outcome.permanent, outcome.outputs) == (Ending.FAILED, True, {})
        assert "returned int 42, which is no answer" in (outcome.error or "")

    async def test_what_the_task_says_is_in_its_log(self, bench: Bench) -> None:
        await bench.run("says")
        assert bench.log() == ["INFO counted 42 rows", "WARNING two", "lines"]

    async def test_a_timeout_ends_it(self, bench: Bench) -> None:
        outcome = await bench.run("hangs", timeout=300_000)
        assert (outcome.ending, outcome.permanent) == (Ending.TIMED_OUT, False)
        assert "longer than the 300ms" in (outcome.error or "")

    async def test_a_timeout_that_is_kept_changes_nothing(self, bench: Bench) -> None:
        outcome = await bench.run("succeeds", timeout=20_000_000)
        assert outcome.ending is Ending.SUCCEEDED

    async def test_a_cancel_ends_it(self, bench: Bench) -> None:
        given = bench.submit("hangs")
        await bench.began()
        bench.executor.cancel(given.run, given.token)
        bench.executor.cancel(given.run, given.token)
        assert [o.ending for o in await bench.answers(1)] == [Ending.CANCELLED]

    async def test_a_cancel_before_it_began_ends_it(self, bench: Bench) -> None:
        given = bench.submit("hangs")
        bench.executor.cancel(given.run, given.token)
        assert [o.ending for o in await bench.answers(1)] == [Ending.CANCELLED]

    async def test_a_cancel_of_another_attempt_changes_nothing(self, bench: Bench) -> None:
        given = bench.submit("evidence")
        bench.executor.cancel(given.run, given.token - 1)
        bench.executor.cancel(RunId("nobody"), given.token)
        assert [o.ending for o in await bench.answers(1)] == [Ending.SUCCEEDED]
        bench.executor.cancel(given.run, given.token)
        assert len(bench.outcomes) == 1

    async def test_checks_that_pass_are_recorded(self, bench: Bench) -> None:
        outcome = await bench.run("evidence", "passes")
        assert outcome.ending is Ending.SUCCEEDED
        assert [(c.check, c.passed, c.blocking) for c in outcome.checks] == [("passes", True, True)]

    async def test_a_blocking_check_keeps_the_output_back(self, bench: Bench) -> None:
        outcome = await bench.run("evidence", "refuses")
        assert (outcome.ending, outcome.permanent, outcome.outputs) == (Ending.FAILED, True, {})
        assert "Check refuses has not passed: 42 rows are not enough" in (outcome.error or "")
        assert [(c.check, c.passed) for c in outcome.checks] == [("refuses", False)]

    async def test_an_advisory_check_is_only_recorded(self, bench: Bench) -> None:
        outcome = await bench.run("evidence", "advises")
        assert (outcome.ending, set(outcome.outputs)) == (Ending.SUCCEEDED, {"revenue"})
        assert [(c.passed, c.blocking, c.detail) for c in outcome.checks] == [(False, False, "42 rows are not enough")]

    async def test_a_check_that_raises_has_not_passed(self, bench: Bench) -> None:
        outcome = await bench.run("evidence", "trips")
        assert (outcome.ending, outcome.outputs) == (Ending.FAILED, {})
        assert "KeyError: 'no such field'" in (outcome.error or "")

    async def test_a_check_that_hangs_has_not_passed(self, bench: Bench) -> None:
        outcome = await bench.run("evidence", "stalls")
        assert (outcome.ending, outcome.permanent, outcome.outputs) == (Ending.FAILED, True, {})
        assert "did not end within 0.3 s" in (outcome.error or "")
        assert (await bench.run("succeeds")).ending is Ending.SUCCEEDED

    async def test_many_at_once_are_answered_once_each(self, bench: Bench) -> None:
        mixed = ["succeeds", "evidence", "raises"]
        for number in range(24):
            bench.submit(mixed[number % 3], number=number)
        await bench.answers(24)
        assert (await bench.run("succeeds")).ending is Ending.SUCCEEDED
        assert sorted(o.run for o in bench.outcomes[:24]) == sorted(f"run{n}" for n in range(24))
        assert sum(o.ending is Ending.FAILED for o in bench.outcomes) == 8

    async def test_stop_waits_for_what_runs(self, bench: Bench) -> None:
        bench.submit("evidence")
        await bench.executor.stop(PATIENCE)
        assert [o.ending for o in bench.outcomes] == [Ending.SUCCEEDED]

    async def test_stop_ends_what_does_not_end_and_answers_for_none_of_it(self, bench: Bench) -> None:
        bench.submit("hangs")
        await bench.began()
        await asyncio.wait_for(bench.executor.stop(0.05), PATIENCE)
        await asyncio.sleep(0)
        assert bench.outcomes == []

    async def test_stops_twice_and_without_work(self, make: Make) -> None:
        executor = make(MachineClock(), MemoryLogs())
        await executor.start()
        await executor.stop(1)
        await executor.stop(1)
