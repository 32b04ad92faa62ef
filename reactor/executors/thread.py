"""Plain functions, on threads of the engine's own process.

May know: threads. May not know: processes.

Python cannot stop a thread. On a timeout or a cancel the answer is given at once, the thread is given up and
counted, its place goes to a new one, and a warning names the task and where it stands. The function itself runs on
to its end, its answer is discarded, and it shares the engine's memory and interpreter until then. What
must be stoppable belongs on `executor="process"`.
"""

import asyncio
import logging
import os
import sys
import threading
from contextvars import Context
from functools import partial
from typing import cast

from reactor.executors import trace
from reactor.executors.attempt import CANCELLED, Attempt, Desk
from reactor.executors.base import Logs, Report
from reactor.executors.checking import CHECK_LIMIT, checked
from reactor.executors.judge import Judged, answered, failed, raised
from reactor.executors.pool import DaemonPool
from reactor.executors.trouble import stack
from reactor.model.ids import RunId
from reactor.model.job import Job, TaskRun
from reactor.model.ports import Clock
from reactor.model.workflow import Function, Task

THREADS = min(32, (os.cpu_count() or 1) + 4)
"""Functions that run at once; more wait for their turn, and their timeout begins with it."""

_log = logging.getLogger(__name__)


class Thread:
    """The executor of plain functions."""

    name = "thread"

    def __init__(self, clock: Clock, logs: Logs, *, threads: int = THREADS, check_limit: float = CHECK_LIMIT) -> None:
        self._desk = Desk(self.name, clock, logs)
        self._pool = DaemonPool(threads, "task")
        self._check_limit = check_limit
        self._at: dict[Attempt, int] = {}

    @property
    def given_up(self) -> int:
        """Threads whose task was told to stop, and which run on."""
        return self._pool.given_up

    async def start(self) -> None:
        """Threads are made when they are needed."""

    def submit(self, job: Job, task: Task, report: Report) -> None:
        attempt = self._desk.take(job, task, report)
        loop = asyncio.get_running_loop()
        try:
            work = loop.run_in_executor(self._pool, self._run, attempt, loop)
        except RuntimeError as error:
            attempt.answer(
                failed(f"No thread could be started for it: {error}. Lower the number of runs at once, or of threads.")
            )
        else:
            work.add_done_callback(partial(self._ended, attempt))
            attempt.work = cast("asyncio.Future[None]", work)

    def cancel(self, run: RunId, token: int) -> None:
        attempt = self._desk.find(run, token)
        if attempt is not None:
            self._stop(attempt, CANCELLED)

    async def stop(self, grace: float) -> None:
        for attempt in await self._desk.drain(grace):
            self._let_go(attempt)
        self._pool.shutdown(wait=False)

    def _run(self, attempt: Attempt, loop: asyncio.AbstractEventLoop) -> Judged:
        """On a thread of the pool."""
        self._at[attempt] = threading.get_ident()
        if attempt.job.timeout is not None:
            loop.call_soon_threadsafe(self._began, attempt)
        try:
            judged = Context().run(_call, attempt)
            if attempt.task.checks and judged.outputs:
                if attempt.job.timeout is not None:
                    loop.call_soon_threadsafe(attempt.unlimit)
                return checked(judged, attempt.task.checks, self._check_limit)
            return judged
        finally:
            self._at.pop(attempt, None)

    def _began(self, attempt: Attempt) -> None:
        if not attempt.answered:
            attempt.limit(self._stop)

    def _ended(self, attempt: Attempt, work: "asyncio.Future[Judged]") -> None:
        if not work.cancelled():
            error = work.exception()
            attempt.answer(work.result() if error is None else raised(error))

    def _stop(self, attempt: Attempt, why: Judged) -> None:
        self._let_go(attempt)
        attempt.answer(why)

    def _let_go(self, attempt: Attempt) -> None:
        if attempt.work is not None:
            attempt.work.cancel()  # where it waits for a thread, it will not get one
        thread = self._at.get(attempt)
        frame = None if thread is None else sys._current_frames().get(thread)
        if thread is None or frame is None:
            return
        where = stack(frame)
        self._pool.give_up(thread)
        text = (
            f"Task {attempt.job.task!r} (run {attempt.job.run}) was told to stop, but a thread cannot be "
            "stopped: it runs on, and its answer will "
            f"be discarded. {self.given_up} such threads are about. Use executor='process' for what must stop. "
            f"It stands at:\n{where}"
        )
        _log.warning(text)
        for line in text.splitlines():
            attempt.log.line(line)


def _call(attempt: Attempt) -> Judged:
    trace.enter(attempt.job.traceparent)
    try:
        answer = cast("Function", attempt.task.function)(TaskRun(attempt.job, attempt.logger))
    except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is the answer
        return raised(error)
    return answered(attempt.job, answer)
