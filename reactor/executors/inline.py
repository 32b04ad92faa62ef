"""Async functions, on the event loop.

May know: asyncio and the user's coroutine. May not know: threads, but for the checks, which may read files.

A cancel or a timeout raises `CancelledError` where the function waits. One that does not end within a grace is
given up: its answer is given all the same, a warning names it, and it runs on until it lets go. A function that
blocks the loop stops everything else and is named by the watchdog.
"""

import asyncio
import logging
from functools import partial
from typing import cast

from reactor.executors import trace
from reactor.executors.attempt import CANCELLED, Attempt, Desk
from reactor.executors.base import Logs, Report
from reactor.executors.checking import CHECK_LIMIT, checked
from reactor.executors.judge import Judged, answered, failed, raised
from reactor.executors.pool import DaemonPool
from reactor.executors.watchdog import BLOCKED_AFTER, Watchdog
from reactor.model.ids import RunId
from reactor.model.job import Job, TaskRun
from reactor.model.ports import Clock
from reactor.model.workflow import Function, Task

GRACE = 5_000_000
"""Microseconds that a function which was told to stop may take to clean up."""

_CHECK_THREADS = 8
_log = logging.getLogger(__name__)


class Inline:
    """The executor of async functions. `blocked_after`: seconds after which a loop that does not turn is warned of;
    None: no watchdog.
    """

    name = "inline"

    def __init__(
        self,
        clock: Clock,
        logs: Logs,
        *,
        blocked_after: float | None = BLOCKED_AFTER,
        check_limit: float = CHECK_LIMIT,
    ) -> None:
        self._desk = Desk(self.name, clock, logs)
        self._check_limit = check_limit
        self._checks = DaemonPool(_CHECK_THREADS, "check")
        self._blocked_after = blocked_after
        self._watchdog: Watchdog | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stubborn: set[asyncio.Future[None]] = set()

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._blocked_after is not None:
            self._watchdog = Watchdog(self._loop, self._blocked_after, self)
            self._watchdog.start()

    def submit(self, job: Job, task: Task, report: Report) -> None:
        attempt = self._desk.take(job, task, report)
        if self._watchdog is not None:
            self._watchdog.watch()
        attempt.work = (self._loop or asyncio.get_running_loop()).create_task(self._run(attempt), name=job.task)

    def cancel(self, run: RunId, token: int) -> None:
        attempt = self._desk.find(run, token)
        if attempt is not None:
            self._stop(attempt, CANCELLED)

    async def stop(self, grace: float) -> None:
        left = [a.work for a in await self._desk.drain(grace) if a.work is not None]
        for work in left:
            work.cancel()
        if left:
            over = asyncio.Event()
            timer = self._desk.after(GRACE, over.set)
            asyncio.gather(*left, return_exceptions=True).add_done_callback(lambda _: over.set())
            await over.wait()
            timer.cancel()
        if self._watchdog is not None:
            self._watchdog.stop()
        self._checks.shutdown(wait=False)

    async def _run(self, attempt: Attempt) -> None:
        try:
            judged = await self._judge(attempt)
        except asyncio.CancelledError as error:
            if attempt.asked is None and _was_cancelled():
                raise  # the loop ends, or `stop` lost its patience: nobody waits for an answer
            judged = failed(f"It was cancelled from within: nobody asked for it.\n{raised(error).error}")
        attempt.answer(judged)

    async def _judge(self, attempt: Attempt) -> Judged:
        job, task = attempt.job, attempt.task
        attempt.limit(self._stop)
        if job.traceparent is not None:
            trace.enter(job.traceparent)
        try:
            answer = await cast("Function", task.function)(TaskRun(job, attempt.logger))  # type: ignore[misc]
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's code raises is the answer
            return raised(error)
        judged = answered(job, answer)
        if task.checks and judged.outputs:
            attempt.unlimit()
            return await asyncio.get_running_loop().run_in_executor(
                self._checks, checked, judged, task.checks, self._check_limit
            )
        return judged

    def _stop(self, attempt: Attempt, why: Judged) -> None:
        if attempt.asked is not None or attempt.work is None:
            return
        attempt.asked = why
        attempt.work.cancel()
        attempt.work.add_done_callback(lambda _: attempt.answer(why))  # also where it never took its first step
        attempt.later(GRACE, partial(self._give_up, attempt))

    def _give_up(self, attempt: Attempt) -> None:
        work = attempt.work
        if attempt.answered or work is None:
            return
        self._stubborn.add(work)
        work.add_done_callback(self._stubborn.discard)
        text = (
            f"Task {attempt.job.task!r} (run {attempt.job.run}) was told to stop {GRACE // 1_000_000} s ago and "
            "still runs. Its answer is given "
            "now; let it pass on asyncio.CancelledError."
        )
        _log.warning(text)
        attempt.log.line(text)
        attempt.answer(attempt.asked or CANCELLED)

    def busy(self) -> bool:
        return bool(self._desk.running)

    def whose(self, work: asyncio.Task[object]) -> Attempt | None:
        """The attempt that an asyncio task belongs to."""
        return next((a for a in self._desk.running.values() if a.work is work), None)


def _was_cancelled() -> bool:
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0
