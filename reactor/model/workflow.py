"""Workflows and tasks: what is to be done once its inputs are ready."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import (
    Final,
    Literal,
    TypedDict,
    TypeVar,
    Unpack,
)  # Any: a user's function may return what it likes; it is checked when it does

from reactor.model.asset import NAME, Asset
from reactor.model.check import Check
from reactor.model.condition import Condition, Rule, condition, rule
from reactor.model.duration import Duration, micros
from reactor.model.errors import DefinitionError
from reactor.model.events import Json
from reactor.model.ids import TaskName, WorkflowName
from reactor.model.partitions import Partitions
from reactor.model.retry import Retry

ExecutorName = Literal["inline", "thread", "process", "command"]
Again = Literal["rerun", "all new", "record"]
"""What a new version of an input does after the start: start again / start again when all inputs are new / only be recorded."""

Function = Callable[..., object]  # type: ignore[explicit-any]  # what a user's function takes and returns is judged when it is called
F = TypeVar("F", bound=Function)


Evidence = Mapping[str, Json]
"""What a task says of what it made: JSON values, such as `{"path": ..., "rows": 42}`."""


class Nothing:
    """What a task returns that succeeded and made nothing: no output is announced."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = Nothing()


@dataclass(frozen=True)
class Limit:
    """At most `runs` at once; with `key`, at most that many for each value of this field of the inputs' evidence."""

    runs: int
    key: str = ""

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise DefinitionError(f"Limit({self.runs}) would let nothing run. To stop a task, pause it.")


@dataclass(frozen=True)
class Task:
    """Work with declared inputs and outputs. Calling it calls its function."""

    name: TaskName
    workflow: WorkflowName
    owner: str
    inputs: Rule
    outputs: tuple[Asset, ...]
    function: Function | None
    command: tuple[str, ...] = ()
    """The words of a command. `{partition}`, `{run_id}`, `{attempt}` and `{input.ASSET.FIELD}` are filled in, each as one word."""
    executor: ExecutorName = "thread"
    checks: tuple[Check, ...] = ()
    retry: Retry = Retry()
    timeout: int | None = None
    limit: Limit | None = None
    again: Again | None = None
    partitions: Partitions | None = None
    """How its runs are cut. None: as its outputs are, else as its inputs are."""
    place: str = ""
    """Where it is defined: `workflows/daily_revenue.py:12`."""

    def __call__(self, *args: object, **kwargs: object) -> object:
        if self.function is None:
            raise DefinitionError(f"{self.name} is a command; it has no function to call.")
        return self.function(*args, **kwargs)


@dataclass
class Workflow:
    """Tasks that belong together, with an owner who is told when something is wrong. Its options are the defaults of its tasks."""

    name: WorkflowName
    owner: str
    retry: Retry = field(default_factory=Retry)
    timeout: Duration | None = None
    limit: int | None = None
    """At most this many runs of all its tasks together at once."""
    description: str = ""
    tasks: dict[TaskName, Task] = field(default_factory=dict, repr=False)

    def __init__(
        self,
        name: str,
        *,
        owner: str,
        retry: Retry | None = None,
        timeout: Duration | None = None,
        limit: int | None = None,
        description: str = "",
    ) -> None:
        if not NAME.fullmatch(name):
            raise DefinitionError(f"{name!r} cannot name a workflow: letters, digits, '_', '.' and '-', 128 at most.")
        if not owner or not owner.strip():
            raise DefinitionError(
                f'Workflow {name!r} has no owner. Name who is told when it fails: owner="team@example.com".'
            )
        if limit is not None and limit < 1:
            raise DefinitionError(f"Workflow {name!r}: limit={limit} would let nothing run.")
        self.name, self.owner = WorkflowName(name), owner
        self.retry, self.timeout, self.limit = retry or Retry(), timeout, limit
        self.description, self.tasks = description, {}

    def task(
        self,
        *,
        inputs: Condition | str,
        outputs: Asset | Iterable[Asset] = (),
        **options: Unpack["FunctionOptions"],
    ) -> Callable[[F], F]:
        """Makes a function a task. An async function runs on the loop, a plain one on a thread, unless `executor` says otherwise."""

        def wrap(function: F) -> F:
            name = options.get("name") or function.__name__
            self._add(name, inputs, outputs, function, (), options)
            return function

        return wrap

    def command(
        self,
        name: str,
        words: Sequence[str],
        *,
        inputs: Condition | str,
        outputs: Asset | Iterable[Asset] = (),
        **options: Unpack["TaskOptions"],
    ) -> Task:
        """A task that is a command: its words are started as a process, never through a shell."""
        if isinstance(words, str) or not words:
            raise DefinitionError(
                f'Command {name!r}: give its words as a list, such as ["dbt", "build"]; there is no shell.'
            )
        return self._add(name, inputs, outputs, None, tuple(words), options)

    def _add(
        self,
        name: str,
        inputs: Condition | str,
        outputs: Asset | Iterable[Asset],
        function: Function | None,
        words: tuple[str, ...],
        options: "TaskOptions",
    ) -> Task:
        if not NAME.fullmatch(name):
            raise DefinitionError(f"{name!r} cannot name a task: letters, digits, '_', '.' and '-', 128 at most.")
        if name in self.tasks:
            raise DefinitionError(f"Workflow {self.name!r} has two tasks called {name!r}.")
        timeout = options.get("timeout", self.timeout)
        limit = options.get("limit")
        task = Task(
            name=TaskName(name),
            workflow=self.name,
            owner=options.get("owner") or self.owner,
            inputs=rule(condition(inputs)),
            outputs=(outputs,) if isinstance(outputs, Asset) else tuple(outputs),
            function=function,
            command=words,
            executor=_executor(name, function, options.get("executor")),
            checks=tuple(options.get("checks", ())),
            retry=options.get("retry") or self.retry,
            timeout=None if timeout is None else micros(timeout),
            limit=Limit(limit) if isinstance(limit, int) else limit,
            again=options.get("again"),
            partitions=options.get("partitions"),
            place=_place(function),
        )
        self.tasks[task.name] = task
        return task


class TaskOptions(TypedDict, total=False):
    """What a task may say beyond its inputs and outputs."""

    owner: str
    executor: ExecutorName
    checks: Sequence[Check]
    retry: Retry
    timeout: Duration
    limit: Limit | int
    again: Again
    partitions: Partitions


class FunctionOptions(TaskOptions, total=False):
    """What a function's task may say besides: a name other than the function's."""

    name: str


def _executor(name: str, function: Function | None, asked: ExecutorName | None) -> ExecutorName:
    is_async = inspect.iscoroutinefunction(function)
    if function is None:
        if asked not in (None, "command"):
            raise DefinitionError(f"Command {name!r} cannot run on the {asked!r} executor.")
        return "command"
    if asked is None:
        return "inline" if is_async else "thread"
    if asked == "inline" and not is_async:
        raise DefinitionError(
            f"Task {name!r} is a plain function: inline it would stop everything else. Use 'thread' or 'process'."
        )
    if asked == "thread" and is_async:
        raise DefinitionError(f"Task {name!r} is async: it runs 'inline', or in a 'process' of its own.")
    if asked == "command":
        raise DefinitionError(f"Task {name!r} is a function. Use Workflow.command(name, [...]) for a command.")
    return asked


def _place(function: Function | None) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None) if function else None
    return f"{code.co_filename}:{code.co_firstlineno}" if code else ""
