"""Seeded defects: each breaks one promise on purpose, to show that the checker would notice. A checker that finds none of them is broken itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from msgspec.structs import replace

from reactor.core.state import State
from reactor.model.commands import StartAttempt
from reactor.model.ids import RunId
from reactor.model.outcome import Outcome
from reactor.model.run import OPEN, RunState
from reactor.service import intake as intake_module
from reactor.service.intake import Intake
from reactor.service.judge import SourceJudge
from reactor.service.service import Service
from reactor.sources.base import Batch
from reactor.store.base import Found, Restored, Transaction, Wanted
from tests.simulation.disk import DiskWriter
from tests.simulation.world import World


class EarlyWord(DiskWriter):
    """Says that it is durable before it is."""

    async def commit(self, transaction: Transaction) -> Mapping[str, int]:
        await self._spin()
        asyncio.get_running_loop().call_later(self._rng.random() * 0.01, self.apply, transaction)
        return {}


class OffsetFirst(DiskWriter):
    async def commit(self, transaction: Transaction) -> Mapping[str, int]:
        first = Transaction(moves=transaction.moves, seen=transaction.seen, epoch=transaction.epoch)
        self.apply(first)
        await self._spin()
        self._write_rows(_without_moves(transaction))
        await self._spin()
        return {}


class StateFirst(DiskWriter):
    async def commit(self, transaction: Transaction) -> Mapping[str, int]:
        self._write_rows(_without_moves(transaction))
        await self._spin()
        self.apply(Transaction(moves=transaction.moves, seen=transaction.seen, epoch=transaction.epoch))
        await self._spin()
        return {}


class Forgetful(DiskWriter):
    """Attempts that were under way are not offered again."""

    async def restore(self, holder: str) -> Restored:
        found = await super().restore(holder)
        found.open_runs = [r for r in found.open_runs if r.state is not RunState.RUNNING]
        return found


class NoTimers(DiskWriter):
    """The wait for the next attempt is forgotten."""

    async def restore(self, holder: str) -> Restored:
        found = await super().restore(holder)
        found.open_runs = [replace(r, next_at=None) for r in found.open_runs]
        return found


class NoQueue(DiskWriter):
    async def restore(self, holder: str) -> Restored:
        found = await super().restore(holder)
        found.open_runs = [r for r in found.open_runs if r.state is not RunState.QUEUED]
        return found


class NoMemory(DiskWriter):
    """Ids that were seen are not found again."""

    async def load(self, wanted: Wanted) -> Found:
        found = await super().load(wanted)
        found.seen = set()
        return found


class LostWaits(DiskWriter):
    def apply(self, tx: Transaction) -> None:
        super().apply(replace_waits(tx))


class NoReason(DiskWriter):
    def apply(self, tx: Transaction) -> None:
        tx.dead = [replace(d, reason="") for d in tx.dead]
        super().apply(tx)


def _without_moves(tx: Transaction) -> Transaction:
    more = {f: getattr(tx, f) for f in tx.__struct_fields__ if f not in ("moves", "seen")}
    return Transaction(**more)


def replace_waits(tx: Transaction) -> Transaction:
    more = {f: getattr(tx, f) for f in tx.__struct_fields__ if f != "waits"}
    return Transaction(**more)


Plant = Callable[[Service, World], None]


@dataclass(frozen=True)
class Defect:
    name: str
    writer: type[DiskWriter] = DiskWriter
    plant: Plant | None = None
    swaps: tuple[tuple[object, str, object], ...] = field(default=())

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The swapped parts are put back at the end."""
        before = [(where, name, getattr(where, name)) for where, name, _ in self.swaps]
        try:
            for where, name, what in self.swaps:
                setattr(where, name, what)
            yield
        finally:
            for where, name, what in before:
                setattr(where, name, what)


def _start_first(service: Service, world: World) -> None:
    write = service.engine._write

    async def early(tx: Transaction) -> None:
        for run in tx.runs:
            if run.state is RunState.RUNNING:
                service.dispatch.start(world.graph, StartAttempt(run))
        await write(tx)

    service.engine._write = early  # type: ignore[method-assign]
    service.start = lambda command: None  # type: ignore[method-assign]


def _no_fence(service: Service, world: World) -> None:
    ask = service.engine.ask

    def trusting(events: list[object], also: Transaction | None = None) -> None:
        ask([_current(service, e) for e in events], also)  # type: ignore[misc]

    service.engine.ask = trusting  # type: ignore[method-assign,assignment]


def _current(service: Service, event: object) -> object:
    if isinstance(event, Outcome) and event.run in service.engine.state.runs:
        return replace(event, token=service.engine.state.runs[RunId(event.run)].token)
    return event


def _same_token(service: Service, world: World) -> None:
    service.start = lambda command: service.dispatch.start(world.graph, StartAttempt(replace(command.run, token=1)))  # type: ignore[method-assign]


def _any_input(service: Service, world: World) -> None:
    for node in world.graph.nodes.values():
        object.__setattr__(node.plan, "holds", lambda present: present != 0)


def _raise(*_: object) -> object:
    raise RuntimeError("no dead letters here")


async def _drop_when_full(self: Intake, batch: Batch) -> None:
    if len(self._under_way) < intake_module.UNDER_WAY:
        await _take(self, batch)


_take = Intake._take


def _never_give_back(self: State, graph: object, run: object, by: int) -> None:
    if by > 0:
        _count(self, graph, run, by)  # type: ignore[arg-type]


_count = State.count


def _adopt_nothing_of_partitions(self: State, graph: object, runs: object) -> None:
    _adopt(self, graph, runs)  # type: ignore[arg-type]
    self.busy.clear()


_adopt = State.adopt

DEFECTS = [
    Defect("acknowledge and start before the commit", EarlyWord),
    Defect("start before the commit", plant=_start_first),
    Defect("offset before state", OffsetFirst),
    Defect("state before offset", StateFirst),
    Defect("no fence", plant=_no_fence),
    Defect("token reused", plant=_same_token),
    Defect("any input is enough", plant=_any_input),
    Defect("poison stops its topic", swaps=((SourceJudge, "_dead", _raise),)),
    Defect("dead letter without a reason", NoReason),
    Defect("running attempts forgotten at restart", Forgetful),
    Defect("retries forgotten at restart", NoTimers),
    Defect("queue forgotten at restart", NoQueue),
    Defect("busy partitions forgotten at restart", swaps=((State, "adopt", _adopt_nothing_of_partitions),)),
    Defect("duplicates not recognised", NoMemory),
    Defect("waits not written", LostWaits),
    Defect("dropped when full", swaps=((Intake, "_take", _drop_when_full),)),
    Defect("unbounded intake", swaps=((intake_module, "UNDER_WAY", 10_000),)),
    Defect("records handed over twice are not cut off", swaps=((Intake, "_unread", lambda self, batch: batch),)),
    Defect("places not given back", swaps=((State, "count", _never_give_back),)),
]
__all__ = ["DEFECTS", "OPEN", "Defect"]
