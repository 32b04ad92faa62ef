"""How an attempt ended, and what a person or the clock asks of the engine: the inputs of `step` beside readiness."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from reactor.model.events import Readiness
from reactor.model.ids import AssetName, Instant, PartitionKey, RunId, TaskName, WaitKey
from reactor.model.run import CheckResult


class Ending(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    CANCELLED = "cancelled"
    DIED = "died"
    """The process that ran it was killed, or ended without an answer."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What an executor answers for one attempt, after its checks."""

    run: RunId
    token: int
    ending: Ending
    ended: Instant
    executor: str
    error: str | None = None
    permanent: bool = False
    outputs: Mapping[AssetName, bytes] = {}
    """Evidence (JSON) for each output that is announced. An output that is not named here is not announced."""
    checks: tuple[CheckResult, ...] = ()
    exit_code: int | None = None
    held: Mapping[AssetName, str] = {}
    """Outputs that a gate does not let through, each with the reason."""
    schemas: Mapping[AssetName, bytes] = {}
    """What outputs are made of, each a `Schema` in JSON, where somebody looked."""


class RetryDue(msgspec.Struct, frozen=True):
    """The wait between two attempts is over."""

    run: RunId
    token: int


class DeadlineDue(msgspec.Struct, frozen=True):
    """The moment by which a slot should have been ready has come."""

    asset: AssetName
    partition: PartitionKey
    due: Instant


class Lost(msgspec.Struct, frozen=True):
    """The engine that had handed out this attempt is gone. Said once for each running run when an engine starts."""

    run: RunId
    token: int
    drained: bool = False
    """That engine was told to stop and left the attempt on purpose: the run is not suspected of its end."""


class CancelRun(msgspec.Struct, frozen=True):
    run: RunId
    by: str
    reason: str = ""


class RunAgain(msgspec.Struct, frozen=True):
    """A person asks for a failed, cancelled or expired run to be tried again, with the same inputs."""

    run: RunId
    by: str


class Approve(msgspec.Struct, frozen=True):
    """A person lets through what a gate holds. `seq` and `evidence` are those of the event that the person saw."""

    asset: AssetName
    partition: PartitionKey
    seq: int
    evidence: bytes
    by: str
    reason: str = ""


class Reject(msgspec.Struct, frozen=True):
    """A person closes a partition to what a gate holds."""

    asset: AssetName
    partition: PartitionKey
    seq: int
    by: str
    reason: str = ""


class RuleChanged(msgspec.Struct, frozen=True):
    """The rule of a task is not the one that this wait was collected under."""

    task: TaskName
    key: WaitKey


class Resumed(msgspec.Struct, frozen=True):
    """An engine goes on, after a start or under new definitions: what is queued and has room now may begin."""


StepEvent = (
    Readiness
    | Outcome
    | RetryDue
    | DeadlineDue
    | Lost
    | CancelRun
    | RunAgain
    | Approve
    | Reject
    | RuleChanged
    | Resumed
)
