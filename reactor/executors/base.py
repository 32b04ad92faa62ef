"""The contract of an executor: take an attempt, answer once with its outcome, and stop it when asked.

Executors never retry and never decide: the ledger is the only truth about attempts. An answer is given exactly once for each job that was
taken, whatever happens to the code that runs: an exception, a time limit, a cancel, a worker that dies. Checks are run where the task ran,
before the answer. `tests/executors/` holds one suite that every executor passes.
"""

from collections.abc import Callable
from typing import Protocol

from reactor.model.ids import RunId
from reactor.model.job import Job
from reactor.model.outcome import Outcome
from reactor.model.workflow import Task

Report = Callable[[Outcome], None]
"""Takes the outcome. Called on the event loop, once per job."""


class LogSink(Protocol):
    """Where the lines of one attempt go. Bounded: past its limit it keeps a marker, not the lines."""

    def line(self, text: str) -> None:
        """One line, without its end; any thread may call it. Control characters are made visible by the sink."""

    def close(self) -> None: ...


class Logs(Protocol):
    def open(self, run: RunId, attempt: int) -> LogSink: ...


class Executor(Protocol):
    @property
    def name(self) -> str: ...

    async def start(self) -> None: ...

    def submit(self, job: Job, task: Task, report: Report) -> None:
        """Begins the attempt and returns at once. Called on the event loop."""

    def cancel(self, run: RunId, token: int) -> None:
        """Stops the attempt if it still runs under this token; its outcome then is `cancelled`. Nothing happens where it does not."""

    async def stop(self, grace: float) -> None:
        """Waits up to `grace` seconds for what runs, then stops it hard. No outcome is reported for what was stopped: the next engine finds
        the attempt lost and offers it again."""
