"""Dispatch: a run that may begin becomes a job for its executor, and the executor's answer goes back to the engine."""

from collections.abc import Callable, Mapping

import msgspec

from reactor.core.graph import Graph
from reactor.executors.base import Executor
from reactor.model.commands import CancelAttempt, StartAttempt
from reactor.model.job import InputView, Job
from reactor.model.outcome import Ending, Outcome
from reactor.model.ports import Clock
from reactor.model.run import Run

_decode = msgspec.json.Decoder().decode


class Dispatch:
    """Hands attempts out. Decides nothing."""

    def __init__(self, executors: Mapping[str, Executor], clock: Clock, report: Callable[[Outcome], None]) -> None:
        self._executors = executors
        self._clock = clock
        self._report = report
        self._closing = False

    def close(self) -> None:
        """The service drains: what would begin from now on is left to the next engine."""
        self._closing = True

    def start(self, graph: Graph, command: StartAttempt) -> None:
        if self._closing:
            return
        run = command.run
        node = graph.nodes.get(run.task)
        if node is None:
            self._refuse(
                run, f"Task {run.task!r} is not defined any more. Define it again and try the run again, or leave it."
            )
            return
        job = job_of(run, node.partitions is not None, node.outputs, node.task.timeout)
        self._executors[node.task.executor].submit(job, node.task, self._report)

    def cancel(self, command: CancelAttempt) -> None:
        for executor in self._executors.values():
            executor.cancel(command.run, command.token)

    def _refuse(self, run: Run, error: str) -> None:
        self._report(Outcome(run.id, run.token, Ending.FAILED, self._clock.now(), "none", error=error, permanent=True))


def job_of(run: Run, partitioned: bool, outputs: tuple[str, ...], timeout: int | None) -> Job:
    """The attempt that this run has begun, as plain data."""
    return Job(
        run.id,
        run.task,
        run.workflow,
        run.key,
        run.key if partitioned else "",
        run.attempt,
        run.token,
        tuple([InputView(i.asset, i.partition, i.version, i.event, i.at, _decode(i.evidence)) for i in run.inputs]),
        outputs,
        timeout,
        run.attempt_traceparent,
        run.waited_since,
    )
