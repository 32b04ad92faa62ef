"""What the core asks the shell to do, once the transaction that holds the reason is durable."""

from enum import StrEnum

import msgspec

from reactor.model.events import Readiness
from reactor.model.ids import Instant, Owner, RunId
from reactor.model.run import Attempt, Run


class StartAttempt(msgspec.Struct, frozen=True, gc=False):
    """Hand this attempt of this run to its executor."""

    run: Run


class CancelAttempt(msgspec.Struct, frozen=True):
    """Stop the attempt that holds this token, and answer with an outcome."""

    run: RunId
    token: int
    reason: str


class SetTimer(msgspec.Struct, frozen=True):
    """Hand `RetryDue(run, token)` back at `due`."""

    run: RunId
    token: int
    due: Instant


class AlertKind(StrEnum):
    LATE = "late"
    FAILED = "failed"
    SOURCE = "source"
    DEAD_LETTER = "dead letter"
    HELD = "held"


class Alert(msgspec.Struct, frozen=True):
    """Something that a named person should hear, once per `key`."""

    key: str
    kind: AlertKind
    owner: Owner
    subject: str
    text: str
    at: Instant


class Noted(msgspec.Struct, frozen=True, gc=False):
    """An attempt ended, or a run was closed without one. For the traces and the counters; nothing waits for it."""

    run: Run
    attempt: Attempt | None
    owner: Owner = Owner("")
    """Whose task it is."""


class Announced(msgspec.Struct, frozen=True, gc=False):
    """A slot got a new version. For live views, the traces and the counters."""

    readiness: Readiness
    version: int
    parent: str | None = None
    """The trace context of the run that made it, where one did."""


Command = StartAttempt | CancelAttempt | SetTimer | Alert | Noted | Announced
