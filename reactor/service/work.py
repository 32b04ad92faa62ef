"""What the engine is handed, and what it hands on: the values and the small contracts between the parts of the shell."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from reactor.core.admit import Judged
from reactor.core.state import Changes
from reactor.model.commands import Alert, Announced, CancelAttempt, Noted, SetTimer, StartAttempt
from reactor.model.errors import Unreachable
from reactor.model.outcome import StepEvent
from reactor.sources.base import Batch
from reactor.store.base import SensorState, Transaction
from reactor.telemetry.base import Counted

STOPPED = "The service stopped before this was durable. Ask again once it runs; where it was done after all, it is not done twice."


class Arrival(msgspec.Struct):
    """A batch of raw events that the sensors have judged. `done` is set when all of it is durable."""

    batch: Batch
    judged: list[Judged]
    states: list[SensorState]
    done: asyncio.Future[None]


class Ask(msgspec.Struct):
    """Events that are not data: outcomes, timers, commands. `answer` gets, once durable, why the last of them was refused, or None.

    `also` is written in the same transaction: what the caller wants to remember with it.
    """

    events: Sequence[StepEvent]
    answer: asyncio.Future[str | None] | None = None
    also: Transaction | None = None
    judged: Judged | None = None
    """A dead letter that got a second chance, and made readiness this time."""


class Acts(Protocol):
    """Who performs the core's commands, after the commit. None of these may wait."""

    def start(self, command: StartAttempt) -> None: ...
    def cancel(self, command: CancelAttempt) -> None: ...
    def set_timer(self, command: SetTimer) -> None: ...
    def alert(self, command: Alert) -> None: ...
    def told(self, announced: Sequence[Announced], noted: Sequence[Noted], counted: Sequence[Counted]) -> None: ...


class Labels(Protocol):
    """Named points around the commit, at which a test may kill the process. In production nothing happens there."""

    def __call__(self, point: str, /) -> None: ...


POINTS = ("before-commit", "after-commit", "before-start", "after-start", "before-ack", "after-ack", "before-outcome")
"""In their order: the commit, the start of each attempt that it allows, the word to each source whose batch is durable, an outcome that comes in."""


def nothing(point: str) -> None:
    """The labels of production."""


def let_go(arrivals: Iterable[Arrival], asks: Iterable[Ask]) -> None:
    """Nobody waits for what will never be durable."""
    for arrival in arrivals:
        arrival.done.cancel()
    for ask in asks:
        if ask.answer is not None and not ask.answer.done():
            ask.answer.set_exception(Unreachable(STOPPED))


def put_changes(changes: Changes, tx: Transaction) -> None:
    tx.readiness = changes.readiness
    tx.versions = changes.versions
    tx.offered = changes.offered
    tx.dispositions = changes.dispositions
    tx.slots = list(changes.slots.values())
    tx.waits = list(changes.waits.values())
    tx.shapes = list(changes.shapes.values())
    tx.runs = list(changes.runs.values())
    tx.attempts = changes.attempts
    tx.alerts = changes.alerts


def put_also(more: Transaction, tx: Transaction) -> None:
    tx.topics.extend(more.topics)
    tx.audits.extend(more.audits)
    tx.dead_moved.extend(more.dead_moved)
    tx.states.extend(more.states)
    tx.undelivered.extend(more.undelivered)
    tx.meta.update(more.meta)
