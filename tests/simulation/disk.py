"""A disk that outlives the process: what was committed stays, what was not is gone, and a commit takes its time.

Keeps the promises of `reactor.store.base.Writer` in plain dictionaries. That it means the same as SQLite is shown by the store's own conformance
suite, which plays the same transactions on both.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from reactor.model.commands import Alert
from reactor.model.errors import Fenced
from reactor.model.events import DeadLetter, Disposition, Readiness
from reactor.model.ids import AssetName, Instant, PartitionKey, RunId, SensorName, SourceName, TaskName, WaitKey
from reactor.model.run import OPEN, Attempt, Run
from reactor.model.seen import FileSeen
from reactor.model.slot import Slot, Wait
from reactor.store.base import Audit, Found, LaneAt, Restored, Span, Transaction, Wanted


@dataclass
class Platter:
    """What is durable."""

    epoch: int = 0
    lanes: dict[tuple[str, str], LaneAt] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)
    readiness: dict[int, Readiness] = field(default_factory=dict)
    offered: dict[int, int] = field(default_factory=dict)
    dispositions: list[Disposition] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    slots: dict[tuple[AssetName, PartitionKey], Slot] = field(default_factory=dict)
    waits: dict[tuple[TaskName, WaitKey], Wait] = field(default_factory=dict)
    runs: dict[RunId, Run] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    states: dict[SensorName, bytes] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    audits: list[Audit] = field(default_factory=list)
    meta: dict[str, str] = field(default_factory=dict)
    orders: int = 0


class DiskWriter:
    """One engine's hold of the platter."""

    unique = True
    fenced = True

    def __init__(self, platter: Platter, rng: random.Random) -> None:
        self._p, self._rng = platter, rng

    async def _spin(self) -> None:
        await asyncio.sleep(self._rng.random() * 0.004)

    async def restore(self, holder: str) -> Restored:
        await self._spin()
        p = self._p
        p.epoch += 1
        return Restored(
            p.epoch,
            max(p.readiness, default=0) + 1,
            p.orders + 1,
            [r for r in p.runs.values() if r.state in OPEN],
            list(p.lanes.values()),
            dict(p.meta),
        )

    async def load(self, wanted: Wanted) -> Found:
        await self._spin()
        p = self._p
        found = Found(
            {i for i in wanted.seen if i in p.seen},
            [p.slots[k] for k in wanted.slots if k in p.slots],
            [p.waits[k] for k in wanted.waits if k in p.waits],
            [p.runs[i] for i in wanted.runs if i in p.runs],
        )
        await self._spin()
        return found

    async def load_files(self, source: SourceName) -> list[FileSeen]:
        return []

    async def load_states(self) -> dict[SensorName, bytes]:
        return dict(self._p.states)

    async def waits_of(self, task: TaskName, after: WaitKey | None, limit: int) -> list[Wait]:
        held = sorted((w for (t, _), w in self._p.waits.items() if t == task and w.items), key=lambda w: w.key)
        return [w for w in held if after is None or w.key > after][:limit]

    async def commit(self, transaction: Transaction) -> Mapping[str, int]:
        await self._spin()
        if self._rng.random() < 0.03:
            await asyncio.sleep(0.4)  # a disk that has other things to do
        self.apply(transaction)
        await self._spin()
        return {}

    def apply(self, tx: Transaction) -> None:
        """All of it, or nothing and an error."""
        p = self._p
        if self.fenced and tx.epoch != p.epoch:
            raise Fenced("another engine holds the lease")
        self._check_moves(tx)
        keys = {(r.task, r.key, r.generation): r.id for r in p.runs.values()}
        for run in tx.runs:
            other = keys.setdefault((run.task, run.key, run.generation), run.id)
            if self.unique and other != run.id:
                raise AssertionError(f"two runs for {run.task} {run.key} generation {run.generation}")
        self._write_rows(tx)

    def _check_moves(self, tx: Transaction) -> None:
        standing = dict(self._p.lanes)
        for move in tx.moves:
            key = (move.span.source, move.span.lane)
            at = standing.get(key)
            if (at is None) != move.first_time or (at is not None and at.position != move.span.first):
                raise Fenced(f"lane {key} stands at {at}, not at {move.span.first}")
            standing[key] = LaneAt(move.span.source, move.span.lane, move.span.until, move.cursor)
        self._p.lanes = standing

    def _write_rows(self, tx: Transaction) -> None:
        p = self._p
        p.spans += [m.span for m in tx.moves]
        p.seen |= {(s, i) for s, i, _ in tx.seen}
        p.readiness |= {r.seq: r for r in tx.readiness}
        p.offered |= dict(tx.offered)
        p.dispositions += tx.dispositions
        p.dead += tx.dead
        p.slots |= {(s.asset, s.partition): s for s in tx.slots}
        p.waits |= {(w.task, w.key): w for w in tx.waits}
        p.runs |= {r.id: r for r in tx.runs}
        p.orders = max([p.orders, *(r.order for r in tx.runs)])
        p.attempts += tx.attempts
        p.states |= {s.sensor: s.state for s in tx.states}
        for alert in tx.alerts:
            p.alerts.setdefault(alert.key, alert)
        p.audits += tx.audits
        p.meta |= tx.meta

    async def forget(self, before: Instant, seen_before: Instant, most: int) -> int:
        return 0

    async def checkpoint(self) -> None:
        return

    async def close(self) -> None:
        return
