"""Runs: their states and THE transition table.

The chart in ARCHITECTURE.md, the CHECK in the database and the legend of the command line are printed from `TRANSITIONS`;
a test compares them. "Waiting for inputs" is not a state: it is computed from the waits.
"""

from enum import StrEnum

import msgspec

from reactor.model.events import Item
from reactor.model.ids import Instant, RunId, TaskName, WaitKey, WorkflowName


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Move(StrEnum):
    """What moves a run from one state to the next."""

    START = "start"
    SUCCEED = "succeed"
    RETRY = "retry"
    FAIL = "fail"
    CANCEL = "cancel"
    EXPIRE = "expire"
    AGAIN = "again"


S, M = RunState, Move
TRANSITIONS: dict[RunState, dict[Move, RunState]] = {
    S.QUEUED: {M.START: S.RUNNING, M.CANCEL: S.CANCELLED, M.EXPIRE: S.EXPIRED},
    S.RUNNING: {
        M.START: S.RUNNING,  # the engine died: the attempt is offered again, with a higher token
        M.SUCCEED: S.SUCCEEDED,
        M.RETRY: S.RETRYING,
        M.FAIL: S.FAILED,
        M.CANCEL: S.CANCELLED,
    },
    S.RETRYING: {M.START: S.RUNNING, M.CANCEL: S.CANCELLED},
    S.SUCCEEDED: {},
    S.FAILED: {M.AGAIN: S.QUEUED},
    S.CANCELLED: {M.AGAIN: S.QUEUED},
    S.EXPIRED: {M.AGAIN: S.QUEUED},
}
OPEN = frozenset({RunState.QUEUED, RunState.RUNNING, RunState.RETRYING})

MEANING: dict[RunState, str] = {
    RunState.QUEUED: "its inputs are ready and frozen; it waits for a free place, or for the run before it",
    RunState.RUNNING: "an attempt is under way",
    RunState.RETRYING: "an attempt failed; the next one starts at a known time",
    RunState.SUCCEEDED: "its outputs passed their checks and were announced",
    RunState.FAILED: "its attempts are used up, or trying again cannot help",
    RunState.CANCELLED: "a person, or a rule, stopped it",
    RunState.EXPIRED: "it waited in the queue for longer than it may",
}


class Reason(StrEnum):
    """Why a run was made."""

    INPUTS = "inputs"
    """All declared inputs became ready."""
    NEW_VERSION = "new version"
    """An input of a run that had started before got a new version."""
    MANUAL = "manual"
    """A person asked for it; where it had ended before, it is tried again with its inputs."""


class Run(msgspec.Struct, frozen=True, gc=False):
    """One task, for one key, for one frozen set of inputs.

    `id` is also the idempotency key: it stays the same over all attempts. `token` is the fencing token: it grows with every
    attempt that is handed out, and an outcome that carries an older one is refused.
    """

    id: RunId
    task: TaskName
    workflow: WorkflowName
    key: WaitKey
    generation: int
    state: RunState
    reason: Reason
    inputs: tuple[Item, ...]
    created: Instant
    waited_since: Instant
    """When the first of its inputs arrived."""
    order: int
    """A number that grows with every run made: the order of the queue."""
    limit_key: str = ""
    """The value that a keyed limit counts it under."""
    digest: str = ""
    """The code version: the digest of the file that defines its task."""
    traceparent: str | None = None
    """The W3C trace context of the run itself, fixed when it is made."""
    parent: str | None = None
    """The trace context of the input that completed it."""
    attempt_traceparent: str | None = None
    """The trace context of the attempt that is under way."""
    started: Instant | None = None
    """When its first attempt was handed out, since it was made or tried again."""
    attempt_started: Instant | None = None
    ended: Instant | None = None
    attempt: int = 0
    token: int = 0
    failures: int = 0
    lost: int = 0
    """Attempts that ended because the engine died, which do not count as failures."""
    next_at: Instant | None = None
    cancel_asked: str | None = None
    """Who asked for it to be cancelled, and why, while an attempt is still under way."""
    merged: int = 0
    """How many later requests for the same partition it took in."""
    error: str | None = None


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """One try of a run, as it ended."""

    run: RunId
    number: int
    token: int
    started: Instant
    ended: Instant
    result: str
    """An `Ending` of `reactor.model.outcome`, or `lost`."""
    error: str | None
    executor: str
    exit_code: int | None = None
    """For a command or a worker: its exit code; negative for a signal."""
    checks: tuple["CheckResult", ...] = ()
    traceparent: str | None = None


class CheckResult(msgspec.Struct, frozen=True, gc=False):
    """What one check said of what one attempt made."""

    check: str
    passed: bool
    blocking: bool
    detail: str
