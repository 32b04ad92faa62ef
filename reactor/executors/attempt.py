"""What all executors have in common: who is under way, one answer for each of them, and who is left when it stops.

May know: jobs, outcomes, the clock and the logs. May not know: how anything is run.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from reactor.executors.base import Logs, LogSink, Report
from reactor.executors.judge import Judged
from reactor.model.duration import spell
from reactor.model.ids import RunId
from reactor.model.job import Job
from reactor.model.outcome import Ending, Outcome
from reactor.model.ports import Clock
from reactor.model.workflow import Task

Key = tuple[RunId, int]

CANCELLED = Judged(Ending.CANCELLED, "It was cancelled while it ran.")


def timed_out(job: Job) -> Judged:
    return Judged(Ending.TIMED_OUT, f"It took longer than the {spell(job.timeout or 0)} that its timeout allows.")


class Attempt:
    """One job that was taken, until it is answered. Lives on the event loop; only `log` and `logger` are for any
    thread.
    """

    __slots__ = ("_desk", "_report", "_sink", "_timer", "asked", "job", "key", "task", "work")

    def __init__(self, desk: "Desk", job: Job, task: Task, report: Report) -> None:
        self.job = job
        self.task = task
        self.key = (job.run, job.token)
        self.asked: Judged | None = None
        """What it will answer, whatever it does: it was told to stop."""
        self.work: asyncio.Future[None] | None = None
        self._desk = desk
        self._report = report
        self._sink: LogSink | None = None
        self._timer: asyncio.Task[None] | None = None

    @property
    def answered(self) -> bool:
        return self._desk.running.get(self.key) is not self

    @property
    def log(self) -> LogSink:
        """Its log, opened at the first need."""
        if self._sink is None:
            self._sink = self._desk.logs.open(self.job.run, self.job.attempt)
        return self._sink

    def logger(self) -> logging.Logger:
        return logger_to(self.job.task, self.log.line)

    def limit(self, stop: Callable[["Attempt", Judged], None]) -> None:
        """It begins now: once its timeout has passed, `stop` is called. Costs nothing where there is none."""
        if self.job.timeout is not None:
            self.later(self.job.timeout, partial(stop, self, timed_out(self.job)))

    def later(self, length: int, act: Callable[[], None]) -> None:
        """Calls `act` after `length` microseconds, unless it has answered by then. One at a time: the last one
        counts.
        """
        self.unlimit()
        self._timer = self._desk.after(length, act)

    def unlimit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def answer(self, judged: Judged) -> None:
        """Answers, the first time it is called and never again."""
        desk = self._desk
        if self.answered:
            return
        del desk.running[self.key]
        if self.asked is not None:
            judged = self.asked
        if judged.error is not None:
            for line in judged.error.splitlines():
                self.log.line(line)
        self.close()
        job = self.job
        self._report(
            Outcome(
                job.run, job.token, judged.ending, desk.clock.now(), desk.name,
                judged.error, judged.permanent, judged.outputs, judged.checks, judged.exit_code,
            )
        )  # fmt: skip
        desk.settle()

    def close(self) -> None:
        self.unlimit()
        if self._sink is not None:
            self._sink.close()


class Desk:
    """The attempts that one executor has under way."""

    def __init__(self, name: str, clock: Clock, logs: Logs) -> None:
        self.name = name
        self.clock = clock
        self.logs = logs
        self.running: dict[Key, Attempt] = {}
        self._idle: asyncio.Event | None = None

    def take(self, job: Job, task: Task, report: Report) -> Attempt:
        attempt = Attempt(self, job, task, report)
        self.running[attempt.key] = attempt
        return attempt

    def find(self, run: RunId, token: int) -> Attempt | None:
        return self.running.get((run, token))

    def after(self, length: int, act: Callable[[], None]) -> asyncio.Task[None]:
        """Calls `act` once `length` microseconds have passed, unless the task is cancelled."""
        return asyncio.get_running_loop().create_task(self._later(length, act))

    async def drain(self, grace: float) -> list[Attempt]:
        """Waits up to `grace` seconds for what runs. Whoever is left then will never answer, and is handed back to
        be stopped.
        """
        if self.running and grace > 0:
            self._idle = asyncio.Event()
            timer = self.after(round(grace * 1e6), self._idle.set)
            await self._idle.wait()
            timer.cancel()
        left = list(self.running.values())
        self.running.clear()
        for attempt in left:
            attempt.close()
        return left

    def settle(self) -> None:
        if self._idle is not None and not self.running:
            self._idle.set()

    async def _later(self, length: int, act: Callable[[], None]) -> None:
        await self.clock.sleep(length)
        act()


class LineHandler(logging.Handler):
    """Hands each line of each record on."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say
        self.setFormatter(logging.Formatter("%(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            for line in self.format(record).splitlines():
                self._say(line)
        except Exception:  # noqa: BLE001 - as every handler: trouble with a log never becomes trouble of the task
            self.handleError(record)


def logger_to(name: str, say: Callable[[str], None]) -> logging.Logger:
    """A logger of its own, outside the tree of loggers, so that nothing of it stays behind when the attempt is over."""
    logger = logging.Logger(name, logging.DEBUG)  # noqa: LOG001 - getLogger would keep one per attempt for ever
    logger.addHandler(LineHandler(say))
    return logger
