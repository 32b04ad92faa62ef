"""Commands: dbt, spark-submit, any program. Started without a shell, in a group of their own.

May know: processes, and what the job says. May not know: what the program does. It is handed the run in its
environment (see `words`), and may write the evidence of what it made, as JSON, into the file that REACTOR_EVIDENCE
names: what a function would return. Its exit code is judged by the table in `exits`. A timeout or a cancel is
SIGTERM to the group, a grace, SIGKILL; the answer is given when it is gone.
"""

import asyncio
import errno
import os
from collections import deque
from functools import partial
from pathlib import Path

import msgspec

from reactor.executors.attempt import CANCELLED, Attempt, Desk
from reactor.executors.base import Logs, Report
from reactor.executors.checking import CHECK_LIMIT, checked
from reactor.executors.child import GRACE, Child, Spawner
from reactor.executors.exits import explain
from reactor.executors.judge import Judged, answered, failed, raised
from reactor.executors.logs import visible
from reactor.executors.pool import DaemonPool
from reactor.executors.words import BadWords, environment, fill
from reactor.model.events import EVIDENCE_LIMIT, Json
from reactor.model.ids import RunId
from reactor.model.job import Job
from reactor.model.outcome import Ending
from reactor.model.ports import Clock
from reactor.model.workflow import Task

_LAST_LINES = 10
_CHECK_THREADS = 8


class Command:
    """The executor of commands. `folder` is where the files for their evidence are put while they run; `grace` is
    in microseconds.
    """

    name = "command"

    def __init__(
        self, clock: Clock, logs: Logs, folder: Path, *, grace: int = GRACE, check_limit: float = CHECK_LIMIT
    ) -> None:
        self._desk = Desk(self.name, clock, logs)
        self._folder = folder
        self._grace = grace
        self._check_limit = check_limit
        self._checks = DaemonPool(_CHECK_THREADS, "check")
        self._spawner = Spawner()
        self._children: dict[Attempt, Child] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Nothing is kept warm: a command is a program of its own."""

    def submit(self, job: Job, task: Task, report: Report) -> None:
        attempt = self._desk.take(job, task, report)
        attempt.work = asyncio.get_running_loop().create_task(self._run(attempt), name=job.task)

    def cancel(self, run: RunId, token: int) -> None:
        attempt = self._desk.find(run, token)
        if attempt is not None:
            self._stop(attempt, CANCELLED)

    async def stop(self, grace: float) -> None:
        left = await self._desk.drain(grace)
        for attempt in left:
            child = self._children.get(attempt)
            if child is not None and not child.exited.done():
                await child.end(self._desk.clock, 0)
            elif child is not None and attempt.work is not None:
                attempt.work.cancel()  # its checks run: nobody waits for what they say
        if left:
            await asyncio.wait([a.work for a in left if a.work is not None])
        self._spawner.close()
        self._checks.shutdown(wait=False)

    def _stop(self, attempt: Attempt, why: Judged) -> None:
        if attempt.asked is not None:
            return
        attempt.asked = why
        child = self._children.get(attempt)
        if child is not None and not child.exited.done():
            self._end(child)
        elif child is not None and attempt.work is not None:
            attempt.work.cancel()  # its checks run: there is nothing left to wait for

    def _end(self, child: Child) -> None:
        ending = asyncio.get_running_loop().create_task(child.end(self._desk.clock, self._grace))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _run(self, attempt: Attempt) -> None:
        place = self._folder / f"evidence-{attempt.job.run}-{attempt.job.token}.json"
        try:
            judged = await self._judge(attempt, place)
        except asyncio.CancelledError:
            judged = CANCELLED
        except Exception as error:  # noqa: BLE001 - an answer is given whatever happens
            judged = raised(error)
        self._children.pop(attempt, None)
        place.unlink(missing_ok=True)
        attempt.answer(judged)

    async def _judge(self, attempt: Attempt, place: Path) -> Judged:
        job, task = attempt.job, attempt.task
        try:
            words = fill(task.command, job)
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            place.unlink(missing_ok=True)  # noqa: ASYNC240 - a name in a folder of our own
            child = await self._spawner.spawn(words, environment(os.environ, job, str(place)))
        except BadWords as error:
            return failed(str(error), permanent=True)
        except (OSError, ValueError) as error:
            return _not_started(task.command[0], job, error)
        last: deque[str] = deque(maxlen=_LAST_LINES)
        child.say = partial(_hear, attempt, last)
        self._children[attempt] = child
        attempt.limit(self._stop)
        if attempt.asked is not None:
            self._end(child)
        elif attempt.answered:
            await child.end(self._desk.clock, 0)
        code = await child.exited
        attempt.unlimit()
        if code != 0:
            return _ended(words, code, child.kills_before, last)
        judged = _evidence(job, place)
        if task.checks and judged.outputs and attempt.asked is None:
            return await asyncio.get_running_loop().run_in_executor(
                self._checks, checked, judged, task.checks, self._check_limit
            )
        return judged


def _hear(attempt: Attempt, last: "deque[str]", line: str) -> None:
    last.append(line)
    attempt.log.line(line)


def _not_started(program: str, job: Job, error: Exception) -> Judged:
    if isinstance(error, (FileNotFoundError, PermissionError)):
        code = 127 if isinstance(error, FileNotFoundError) else 126
        text = f"{program!r} could not be started: {explain(code, None).text.partition('says: ')[2]}."
        return Judged(Ending.FAILED, text, permanent=True, exit_code=code)
    if isinstance(error, OSError) and error.errno == errno.E2BIG:
        size = len(msgspec.json.encode(job.inputs))
        return failed(
            f"{program!r} could not be started: its words and environment are larger than the system allows (the "
            f"inputs alone: {size} bytes). "
            "Consume fewer events at once, or use a function on executor='process', which is handed inputs of "
            "any size.",
            permanent=True,
        )
    return failed(f"{program!r} could not be started: {error}.", permanent=isinstance(error, ValueError))


def _ended(words: list[str], code: int, kills_before: int | None, last: "deque[str]") -> Judged:
    text, permanent = explain(code, kills_before)
    shown = f"{words[0]!r} {text}."
    if last:
        shown += "\nIts last lines:\n" + "\n".join(f"  {visible(line)[:500]}" for line in last)
    return Judged(Ending.DIED if code < 0 else Ending.FAILED, shown, permanent, exit_code=code)


def _evidence(job: Job, place: Path) -> Judged:
    """What it wrote, judged as what a function returns. Nothing written is None."""
    most = EVIDENCE_LIMIT * max(len(job.outputs), 1) * 4  # indented JSON is larger than what is kept of it
    try:
        with place.open("rb") as file:
            text = file.read(most + 1)
    except FileNotFoundError:
        text = b""
    if len(text) > most:
        return failed(
            f"{job.task!r} wrote more than {most} bytes of evidence. Put the data where it belongs and name the place.",
            permanent=True,
        )
    try:
        answer: Json = msgspec.json.decode(text) if text.strip() else None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return failed(
            f"{job.task!r} wrote evidence that is not JSON: {error}. Write one JSON object into $REACTOR_EVIDENCE.",
            permanent=True,
        )
    return msgspec.structs.replace(answered(job, answer), exit_code=0)
