"""Seeded defects for layer B: each breaks one promise of the real service on purpose, in the forked process alone, to show that the checker would
notice. A checker that finds none of them is broken itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from reactor.core import build as build_module
from reactor.executors.attempt import Attempt
from reactor.executors.judge import Judged
from reactor.executors.thread import Thread
from reactor.model.commands import StartAttempt
from reactor.model.ids import SourceName
from reactor.model.outcome import Outcome
from reactor.model.run import RunState
from reactor.model.seen import FileSeen
from reactor.service.dispatch import Dispatch
from reactor.service.engine import Engine
from reactor.service.intake import Intake
from reactor.service.judge import SourceJudge
from reactor.sources.base import Batch
from reactor.sources.kafka import source as kafka_source
from reactor.store.base import Found, Restored, Transaction, Wanted
from reactor.store.sqlite import SqliteStore, schema, write
from reactor.store.sqlite.lock import EngineLock

BETWEEN = 0.02
"""Seconds between the two halves of a commit that should be one: what a busy disk takes."""


@dataclass(frozen=True)
class Defect:
    name: str
    plant: Callable[[], None]
    promises: tuple[str, ...]
    """The guarantees that it breaks: the checker must name one of them, the first of these where it can."""
    kafka: bool = False
    """It shows on a topic whose records stay where they are: it is sought on real Kafka."""


DEFECTS: list[Defect] = []


def defect(name: str, *promises: str, kafka: bool = False) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def add(plant: Callable[[], None]) -> Callable[[], None]:
        DEFECTS.append(Defect(name, plant, promises, kafka))
        return plant

    return add


def swap(owner: object, name: str, new: object) -> Any:
    """Puts a broken part in the place of a good one, and returns the good one."""
    old = getattr(owner, name)
    setattr(owner, name, new)
    return old


@defect("acknowledge before commit", "G1")
def _acknowledge_first() -> None:
    async def early(self: Intake, batch: Batch) -> None:
        await take(self, batch)
        await self.source.done(batch)

    take = swap(Intake, "_take", early)


@defect("the group is told before commit", "G12", kafka=True)
def _group_first() -> None:
    async def early(self: Intake, batch: Batch) -> None:
        await take(self, batch)
        await self.source.done(batch)

    async def slow(self: SqliteStore, tx: Transaction) -> Mapping[str, int]:
        await asyncio.sleep(BETWEEN * bool(tx.moves))
        ends: Mapping[str, int] = await commit(self, tx)
        return ends

    take = swap(Intake, "_take", early)
    commit = swap(SqliteStore, "commit", slow)
    swap(kafka_source, "COMMIT_EVERY", 0)


@defect("start before commit", "G4", "G6")
def _start_first() -> None:
    async def early(self: Engine, tx: Transaction) -> None:
        assert self._acts is not None
        for run in tx.runs:
            if run.state is RunState.RUNNING:
                self._acts.start(StartAttempt(run))
        await write_all(self, tx)

    def once(self: Dispatch, graph: object, command: StartAttempt) -> None:
        key = (command.run.id, command.run.token)
        if key not in begun:
            begun.add(key)
            start(self, graph, command)

    begun: set[tuple[str, int]] = set()
    write_all = swap(Engine, "_write", early)
    start = swap(Dispatch, "start", once)


def _in_two(first: Callable[[Transaction], Transaction], second: Callable[[Transaction], Transaction]) -> None:
    async def halves(self: SqliteStore, tx: Transaction) -> Mapping[str, int]:
        if not tx.moves:
            ends: Mapping[str, int] = await commit(self, tx)
            return ends
        before: Mapping[str, int] = await commit(self, first(tx))
        await asyncio.sleep(BETWEEN)
        return {**before, **await commit(self, second(tx))}

    commit = swap(SqliteStore, "commit", halves)


PLACE = ("moves", "seen", "files", "kept")


def _place_of(tx: Transaction) -> Transaction:
    return Transaction(epoch=tx.epoch, **{name: getattr(tx, name) for name in PLACE})


def _state_of(tx: Transaction) -> Transaction:
    return Transaction(**{name: getattr(tx, name) for name in tx.__struct_fields__ if name not in PLACE})


@defect("offset before state", "G1", "G8", "G12", "G17", kafka=True)
def _offset_first() -> None:
    _in_two(_place_of, _state_of)


@defect("state before offset", "G2", "G8", "G14", "G17", kafka=True)
def _state_first() -> None:
    _in_two(_state_of, _place_of)


@defect("no unique key of events", "G2", "G8")
def _no_memory() -> None:
    async def unseen(self: SqliteStore, wanted: Wanted) -> Found:
        found: Found = await load(self, wanted)
        return replace(found, seen=set())

    load = swap(SqliteStore, "load", unseen)


@defect("no unique key of runs, generations forgotten", "G2")
def _no_generation() -> None:
    async def from_nought(self: SqliteStore, wanted: Wanted) -> Found:
        found: Found = await load(self, wanted)
        return replace(found, waits=[replace(wait, generation=0) for wait in found.waits])

    def loose() -> list[str]:
        return [text.replace(",\n    UNIQUE (task, key, generation)", "") for text in migrations()]

    load = swap(SqliteStore, "load", from_nought)
    migrations = swap(schema, "migrations", loose)


@defect("no fence: a superseded attempt is believed", "G6")
def _no_fence() -> None:
    """An executor that answers for an attempt it gave up, and an engine that believes it."""

    def late(self: Attempt, judged: Judged) -> None:
        if not self.answered:
            answer(self, judged)
        else:
            job, desk = self.job, self._desk
            ended = desk.clock.now()
            self._report(Outcome(job.run, job.token, judged.ending, ended, desk.name, outputs=judged.outputs))

    answer = swap(Attempt, "answer", late)
    swap(Thread, "_let_go", lambda self, attempt: None)
    _believe_all()


def _believe_all() -> None:
    """Whatever token an outcome carries."""

    def trusting(self: Engine, outcome: Outcome) -> None:
        run = self.state.runs.get(outcome.run)
        ended(self, outcome if run is None else replace(outcome, token=run.token))

    ended = swap(Engine, "ended", trusting)


@defect("no fence: a token is used twice", "G6")
def _same_token() -> None:
    def again(self: Dispatch, graph: object, command: StartAttempt) -> None:
        start(self, graph, StartAttempt(replace(command.run, token=1)))

    start = swap(Dispatch, "start", again)
    _believe_all()


@defect("two engines on one ledger: no lock, no lease", "G13")
def _no_lock() -> None:
    swap(EngineLock, "take", lambda self, holder: None)
    swap(write, "HOLD", write.HOLD.replace("WHERE epoch = ?", "WHERE epoch >= ? - 1"))


@defect("poison blocks its topic", "G8", "G1", "G3")
def _poison_blocks() -> None:
    def refuse(*_: object) -> object:
        raise RuntimeError("no dead letters here")

    swap(SourceJudge, "_dead", refuse)


@defect("poison leaves no trace", "G8", "G17")
def _poison_vanishes() -> None:
    async def without(self: SqliteStore, tx: Transaction) -> Mapping[str, int]:
        tx.dead = []
        ends: Mapping[str, int] = await commit(self, tx)
        return ends

    commit = swap(SqliteStore, "commit", without)


def _forget(kind: RunState) -> None:
    async def some(self: SqliteStore, holder: str) -> Restored:
        found: Restored = await restore(self, holder)
        found.open_runs = [run for run in found.open_runs if run.state is not kind]
        return found

    restore = swap(SqliteStore, "restore", some)


@defect("attempts forgotten at the restart", "G3")
def _no_attempts() -> None:
    _forget(RunState.RUNNING)


@defect("queue forgotten at the restart", "G3")
def _no_queue() -> None:
    _forget(RunState.QUEUED)


@defect("retries forgotten at the restart", "G3")
def _no_retries() -> None:
    _forget(RunState.RETRYING)


@defect("files forgotten at the restart", "G1", "G2", "G8")
def _no_files() -> None:
    async def nothing(self: SqliteStore, source: SourceName) -> list[FileSeen]:
        return []

    swap(SqliteStore, "load_files", nothing)


@defect("any input is enough", "G5")
def _too_early() -> None:
    def loose(*given: object, **named: object) -> object:
        made = compile_plan(*given, **named)
        object.__setattr__(made, "holds", lambda present: present != 0)
        return made

    compile_plan = swap(build_module, "compile_plan", loose)


BY_NAME = {one.name: one for one in DEFECTS}
