"""A job: one attempt as an executor is handed it, and the run as its task's function sees it."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec

from reactor.model.events import Json
from reactor.model.ids import Instant, RunId, TaskName, WorkflowName


class InputView(msgspec.Struct, frozen=True, gc=False):
    """One input of a run: exactly the version that its start was frozen with."""

    asset: str
    partition: str
    version: int
    event: str
    at: Instant
    evidence: Mapping[str, Json]


class Job(msgspec.Struct, frozen=True, gc=False):
    """Everything that may travel to another process for one attempt: plain data, JSON either way."""

    run: RunId
    task: TaskName
    workflow: WorkflowName
    key: str
    partition: str
    attempt: int
    token: int
    inputs: tuple[InputView, ...]
    outputs: tuple[str, ...] = ()
    timeout: int | None = None
    """Microseconds, or None: no limit."""
    traceparent: str | None = None
    waited_since: Instant = Instant(0)


@dataclass(frozen=True)
class TaskRun:
    """What a task's function is given. `id` is the idempotency key: it is the same in every attempt of the run."""

    job: Job
    open_log: Callable[[], logging.Logger]

    @cached_property
    def log(self) -> logging.Logger:
        """The attempt's own log: what is written here is shown with the run. Opened when it is first asked for."""
        return self.open_log()

    @property
    def id(self) -> RunId:
        return self.job.run

    @property
    def partition(self) -> str:
        """The partition that this run makes; the empty text where its task is not partitioned."""
        return self.job.partition

    @property
    def key(self) -> str:
        """The partition, or the value of the field that the rule is keyed by."""
        return self.job.key

    @property
    def attempt(self) -> int:
        """From 1."""
        return self.job.attempt

    @property
    def token(self) -> int:
        """The fencing token: grows with every attempt. Hand it to whatever you write to that can refuse an older one."""
        return self.job.token

    @cached_property
    def inputs(self) -> Mapping[str, InputView]:
        """The newest event of each input, by the asset's name."""
        return {view.asset: view for view in self.job.inputs}

    @cached_property
    def events(self) -> Mapping[str, tuple[InputView, ...]]:
        """All events that the start was handed, by the asset's name, oldest first."""
        found: dict[str, tuple[InputView, ...]] = {}
        for view in self.job.inputs:
            found[view.asset] = (*found.get(view.asset, ()), view)
        return found
