"""Bodies: what tasks do in a simulation. By default they succeed after their usual duration; a test scripts
the others, or has them called.
"""

import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import cast

import msgspec

from reactor.core.graph import Graph
from reactor.model.check import Check
from reactor.model.duration import Duration, micros
from reactor.model.errors import DefinitionError, Permanent, nearest
from reactor.model.events import Json
from reactor.model.ids import AssetName, Instant
from reactor.model.job import TaskRun
from reactor.model.outcome import Ending, Outcome
from reactor.model.run import CheckResult, Run
from reactor.model.workflow import Nothing, Task
from reactor.service.dispatch import job_of
from reactor.testing.arrivals import finish

EXECUTOR = "simulated"


@dataclass(frozen=True)
class Line:
    """One line of the script. None: any."""

    task: str
    attempt: int | None
    start: int | None
    key: str | None
    fails: str | None
    permanent: bool
    takes: int | None
    returns: object

    def meets(self, run: Run, start: int) -> bool:
        return (
            run.task == self.task
            and self.attempt in (None, run.attempt)
            and self.start in (None, start)
            and self.key in (None, run.key)
        )


@dataclass
class Bodies:
    """What each task does. Later lines of the script go before earlier ones."""

    graph: Graph
    execute: bool = False
    lasts: dict[str, int] = field(default_factory=dict)
    script: list[Line] = field(default_factory=list)
    started: dict[str, list[str]] = field(default_factory=dict)
    """The runs of each task, in the order of their first start."""

    def takes(self, task: str, length: Duration) -> None:
        self.lasts[self._known(task)] = micros(length)

    def add(self, line: Line) -> None:
        self._known(line.task)
        self.script.append(line)

    def _known(self, task: str) -> str:
        if task not in self.graph.nodes:
            raise DefinitionError(f"No task is called {task!r}.{nearest(task, self.graph.nodes)}")
        return task

    def play(self, run: Run, now: Instant, unlucky: bool) -> Outcome:
        """How this attempt will end, and when (`ended`)."""
        runs = self.started.setdefault(run.task, [])
        if run.id not in runs:
            runs.append(run.id)
        line = next((x for x in reversed(self.script) if x.meets(run, runs.index(run.id) + 1)), None)
        task = self.graph.nodes[run.task].task
        length = line.takes if line is not None and line.takes is not None else self.lasts.get(run.task, 0)
        if task.timeout is not None and length > task.timeout:
            return _failed(run, Instant(now + task.timeout), "it took longer than its timeout", ending=Ending.TIMED_OUT)
        ended = Instant(now + length)
        if line is not None and line.fails is not None:
            return _failed(run, ended, line.fails, permanent=line.permanent)
        if line is None and unlucky:
            return _failed(run, ended, "SimulatedFailure: by the seed")
        if line is not None and line.returns is not None:
            return _judged(task, run, ended, line.returns)
        return (
            self._called(task, run, ended) if self.execute and task.function is not None else _plain(task, run, ended)
        )

    def _called(self, task: Task, run: Run, ended: Instant) -> Outcome:
        node = self.graph.nodes[run.task]
        job = job_of(run, node.partitions is not None, tuple(a.name for a in task.outputs), task.timeout)
        try:
            value = task(TaskRun(job, lambda: logging.getLogger(f"reactor.task.{task.name}")))
            if isinstance(value, Coroutine):
                value = finish(cast("Coroutine[object, object, object]", value))
        except Permanent as error:
            return _failed(run, ended, f"Permanent: {error}", permanent=True)
        except Exception as error:  # noqa: BLE001 - whatever a user's task raises is an outcome, as in production
            return _failed(run, ended, f"{type(error).__name__}: {error}")
        return _judged(task, run, ended, value)


def _plain(task: Task, run: Run, ended: Instant) -> Outcome:
    """Nobody said what it made: its outputs are announced without evidence, and its checks have nothing to
    judge.
    """
    return Outcome(
        run.id, run.token, Ending.SUCCEEDED, ended, EXECUTOR, outputs={AssetName(a.name): b"{}" for a in task.outputs}
    )


def _judged(task: Task, run: Run, ended: Instant, value: object) -> Outcome:
    if isinstance(value, Nothing):
        return Outcome(run.id, run.token, Ending.SUCCEEDED, ended, EXECUTOR)
    if not isinstance(value, Mapping | None):
        kind = type(value).__name__
        return _failed(
            run, ended, f"the task returned {kind}; it returns None, NOTHING or a mapping of evidence", permanent=True
        )
    facts: Mapping[str, Json] = value or {}
    checks = tuple(_check(c, facts) for c in task.checks)
    bad = [f"{c.check}: {c.detail or 'did not pass'}" for c in checks if c.blocking and not c.passed]
    if bad:
        failed = _failed(run, ended, "blocking checks did not pass: " + "; ".join(bad))
        return msgspec.structs.replace(failed, checks=checks)
    outputs = {AssetName(a.name): msgspec.json.encode(facts) for a in task.outputs}
    return Outcome(run.id, run.token, Ending.SUCCEEDED, ended, EXECUTOR, outputs=outputs, checks=checks)


def _check(check: Check, facts: Mapping[str, Json]) -> CheckResult:
    try:
        verdict = check.judge(facts)
    except Exception as error:  # noqa: BLE001 - a check that raises has not passed
        return CheckResult(check.name, False, check.blocking, f"{type(error).__name__}: {error}")
    passed = verdict is None or verdict is True
    return CheckResult(check.name, passed, check.blocking, verdict if isinstance(verdict, str) else "")


def _failed(
    run: Run, ended: Instant, error: str, *, permanent: bool = False, ending: Ending = Ending.FAILED
) -> Outcome:
    return Outcome(run.id, run.token, ending, ended, EXECUTOR, error=error, permanent=permanent)
