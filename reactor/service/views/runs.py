"""Runs as lists and pages show them: attempts, checks, and the exact versions of what they were started with."""

import msgspec

from reactor.model.errors import NotFound
from reactor.model.events import Json
from reactor.model.run import Attempt, Reason, Run
from reactor.service.views.words import input_of, iso
from reactor.store.base import Reader, RunFilter


class RunLine(msgspec.Struct, frozen=True):
    """One run in a list. Lengths of time are in microseconds."""

    id: str
    task: str
    workflow: str
    key: str
    state: str
    reason: str
    attempt: int
    created: str | None
    started: str | None
    ended: str | None
    next_at: str | None
    waited: int
    """From its first input to the moment that it was made."""
    queued: int | None
    """From there to its first attempt."""
    took: int | None
    """From its first attempt to its end."""
    error: str | None
    merged: int
    order: int


class RunPage(msgspec.Struct, frozen=True):
    """Everything about one run."""

    run: RunLine
    inputs: tuple[dict[str, Json], ...]
    attempts: tuple[dict[str, Json], ...]
    digest: str
    """The code version."""
    trace: str | None


def line_of(run: Run) -> RunLine:
    return RunLine(
        id=run.id,
        task=run.task,
        workflow=run.workflow,
        key=run.key,
        state=str(run.state),
        reason=str(run.reason),
        attempt=run.attempt,
        created=iso(run.created),
        started=iso(run.started),
        ended=iso(run.ended),
        next_at=iso(run.next_at),
        waited=run.created - run.waited_since,
        queued=None if run.started is None or run.reason is Reason.MANUAL else run.started - run.created,
        took=None if run.started is None or run.ended is None else run.ended - run.started,
        error=run.error,
        merged=run.merged,
        order=run.order,
    )


async def runs(reader: Reader, which: RunFilter) -> list[RunLine]:
    """A page of runs, newest first."""
    return [line_of(run) for run in await reader.runs(which)]


async def run_page(reader: Reader, id: str) -> RunPage:
    """One run, by its id or the beginning of it.

    Raises:
        NotFound: there is none, or more than one.
    """
    run = await reader.run(id)
    if run is None:
        raise NotFound(f"There is no run {id!r}, or more than one begins so. `reactor runs` lists them.")
    attempts = tuple(_attempt(a) for a in await reader.attempts(run.id))
    trace = run.traceparent.split("-")[1] if run.traceparent else None
    return RunPage(line_of(run), tuple(input_of(i) for i in run.inputs), attempts, run.digest, trace)


def _attempt(attempt: Attempt) -> dict[str, Json]:
    return {
        "number": attempt.number,
        "result": attempt.result,
        "started": iso(attempt.started),
        "ended": iso(attempt.ended),
        "took": attempt.ended - attempt.started,
        "error": attempt.error,
        "executor": attempt.executor,
        "exit_code": attempt.exit_code,
        "checks": [msgspec.to_builtins(c) for c in attempt.checks],
    }
