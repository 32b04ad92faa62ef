"""Memory and SQLite mean the same: the same random, lawful history is played on both, and every answer of theirs is compared.

A history is a list of small steps that Hypothesis can shrink. `World` makes lawful transactions of them: an event enters waits when it comes, runs
change as the transition table lets them, and now and then something is left out, so that the two must also agree on what does not balance.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reactor.model.commands import Alert, AlertKind
from reactor.model.errors import ReactorError
from reactor.model.events import Dispose, Item, Readiness
from reactor.model.ids import AssetName, Instant, Owner, PartitionKey, RunId, SensorName, TaskName, WaitKey
from reactor.model.run import OPEN, TRANSITIONS, Run, RunState
from reactor.model.slot import Slot, Wait
from reactor.store.base import Audit, Kept, Reader, RunFilter, SensorState, TopicRecord, Transaction, Writer
from reactor.store.memory import Ledger, MemoryReader, MemoryStore
from reactor.store.sqlite import SqliteReader, SqliteStore
from tests.store.values import LANE, SOURCE, attempt, disposed, event, item, letter, move, run, slot

ASSETS = ("orders", "refunds")
KEYS = ("", "a", "b")
TASKS = (TaskName("build"), TaskName("other"))

Step = tuple[str, int, int, int]
T = TypeVar("T")
KINDS = (
    "event",
    "event",
    "event",
    "supersede",
    "fire",
    "fire",
    "move run",
    "move run",
    "merge",
    "merge",
    "misc",
    "wrong",
    "forget",
    "forget",
    "forget",
    "restart",
)
steps = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 7), st.integers(0, 7), st.integers(0, 7)), min_size=40, max_size=80
)


@dataclass
class World:
    """What the engine would know."""

    seq: int = 1
    order: int = 1
    position: int = 0
    now: int = 1
    waits: dict[tuple[TaskName, WaitKey], Wait] = field(default_factory=dict)
    slots: dict[tuple[AssetName, PartitionKey], Slot] = field(default_factory=dict)
    runs: dict[RunId, Run] = field(default_factory=dict)

    def event(self, a: int, b: int, c: int) -> Transaction:
        """A raw event arrives: it is ready, for one asset or two, or dies, or is of no interest."""
        self.now += 1
        first, self.position = self.position, self.position + 1 + c // 6
        tx = Transaction(seen=[(SOURCE, f"id{a}", Instant(self.now))])
        if c == 7:
            tx.dead = [letter(first, at=self.now)]
        dead, ready = int(c == 7), int(c != 7 and b > 0)
        other = 1 - dead - ready
        moved = move(first, self.position, new=first == 0, at=self.now, dead=dead, ready=ready, duplicate=other)
        tx.moves = [moved]
        for n in range(0 if c == 7 or not b else 1 + a // 6):
            self._ready(tx, ASSETS[(a + n) % 2], KEYS[a % 3], first, b)
        return tx

    def _ready(self, tx: Transaction, asset: str, key: str, position: int, b: int) -> None:
        e = event(self.seq, position, asset=asset, partition=key, at=self.now)
        self.seq += 1
        old = self.slots.get((e.asset, e.partition))
        self.slots[e.asset, e.partition] = made = slot(e, old.version + 1 if old else 1)
        tx.readiness.append(e)
        tx.versions.append((e.seq, made.version))
        tx.slots.append(made)
        tx.offered.append((e.seq, b % 3))
        for task in TASKS[: b % 3]:
            if b == 6:
                tx.dispositions.append(disposed(e, Dispose.FILTERED, task))
            elif b != 7:  # 7: forgotten by the engine, which the audit must find
                self._hold(tx, task, WaitKey(key), e)

    def _hold(self, tx: Transaction, task: TaskName, key: WaitKey, e: Readiness) -> None:
        old = self.waits.get((task, key), Wait(task, key))
        self.put(tx, replace(old, items=(*old.items, item(e, len(old.items) % 3))))

    def put(self, tx: Transaction, wait: Wait) -> None:
        self.waits[wait.task, wait.key] = wait
        tx.waits.append(wait)

    def _some_wait(self, a: int) -> Wait | None:
        held = [w for w in self.waits.values() if w.items]
        return held[a % len(held)] if held else None

    def supersede(self, a: int, b: int, c: int) -> Transaction:
        tx, wait = Transaction(), self._some_wait(a)
        if wait is not None:
            gone = wait.items[b % len(wait.items)]
            self.put(tx, replace(wait, items=tuple(i for i in wait.items if i.seq != gone.seq)))
            if not gone.used:
                tx.dispositions.append(
                    replace(disposed(event(gone.seq), Dispose.SUPERSEDED, wait.task), at=Instant(self.now))
                )
        return tx

    def fire(self, a: int, b: int, c: int) -> Transaction:
        """A wait leads to a run, which may begin at once; what it was handed stays, as used, or goes."""
        tx, wait = Transaction(), self._some_wait(a)
        if wait is None:
            return tx
        generation = wait.generation + 1
        made = run(self.order, *wait.items, task=wait.task, key=wait.key, generation=generation)
        if b % 2:
            made = replace(made, state=RunState.RUNNING, attempt=1, token=1, started=Instant(self.now))
        self.order += 1
        stay = tuple(replace(i, used=True) for i in wait.items) if c % 2 else ()
        self.put(tx, replace(wait, generation=generation, items=stay))
        self.runs[made.id] = made
        tx.runs.append(made)
        return tx

    def move_run(self, a: int, b: int, c: int) -> Transaction:
        """A run takes one of the moves that its state has. Success makes a slot whose newest version it is."""
        tx = Transaction()
        movable = [r for r in self.runs.values() if TRANSITIONS[r.state]]
        if not movable:
            return tx
        self.now += 1
        old = movable[a % len(movable)]
        state = list(TRANSITIONS[old.state].values())[b % len(TRANSITIONS[old.state])]
        new = replace(old, state=state, token=old.token + 1, ended=None if state in OPEN else Instant(self.now))
        if old.state not in OPEN:
            new, self.order = replace(new, order=self.order), self.order + 1
        if old.state is RunState.RUNNING:
            tx.attempts.append(attempt(old, old.token))
        if state is RunState.SUCCEEDED and c % 2:
            made = Slot(AssetName("revenue"), PartitionKey(old.key), self.seq, 0, run=old.id)
            tx.slots.append(made)
        self.runs[new.id] = new
        tx.runs.append(new)
        return tx

    def merge(self, a: int, b: int, c: int) -> Transaction:
        """A queued run takes in a later request of its wait."""
        tx = Transaction()
        queued = [r for r in self.runs.values() if r.state is RunState.QUEUED and self.waits[r.task, r.key].items]
        if queued:
            old = queued[a % len(queued)]
            wait = self.waits[old.task, old.key]
            keep: tuple[Item, ...] = old.inputs if b % 2 else ()
            known = {i.seq for i in keep}
            inputs = (*keep, *(i for i in wait.items if i.seq not in known))
            new = replace(old, inputs=inputs, generation=wait.generation + 1, merged=old.merged + 1)
            self.put(tx, replace(wait, generation=wait.generation + 1, items=()))
            for i in old.inputs if not b % 2 else ():
                if not i.used and i.seq not in {j.seq for j in inputs}:
                    tx.dispositions.append(disposed(event(i.seq), Dispose.MERGED, old.task))
            self.runs[new.id] = new
            tx.runs.append(new)
        return tx

    def misc(self, a: int, b: int, c: int) -> Transaction:
        self.now += 1
        at = Instant(self.now)
        return Transaction(
            topics=[TopicRecord(f"t{a % 2}", None, bytes([b]), (), at)],
            alerts=[Alert(f"k{b}", AlertKind.LATE, Owner(""), "s", f"{c}", at)],
            audits=[Audit(at, "eve", "act", f"{a}")],
            states=[SensorState(SensorName(f"s{a % 2}"), bytes([c]))],
            kept=[Kept(SOURCE, LANE, a, "", at, b"{}")],
            dead_moved=[(1 + c % 3, "dropped")],
            meta={f"m{a}": f"{b}"},
        )

    def wrong(self, a: int, b: int, c: int) -> Transaction:
        """Something that both must refuse, with a part that would be written otherwise."""
        tx = Transaction(meta={"wrong": "yes"})
        if a % 3 == 0:
            tx.moves = [move(self.position + 1, self.position + 2)]
        elif a % 3 == 1 and self.runs:
            some = list(self.runs.values())[b % len(self.runs)]
            tx.runs = [replace(some, id=RunId("twin"), order=self.order + 1)]
        else:
            tx.epoch = -1
        return tx


async def play(history: list[Step], folder: Path) -> None:
    ledger = Ledger()
    sqlite = SqliteStore(folder / "reactor.db")
    world = World()
    writers: list[Writer] = [MemoryStore(ledger), sqlite]
    epoch = same([await w.restore("test") for w in writers]).epoch
    readers: list[Reader] = [MemoryReader(ledger), await SqliteReader.open(folder / "reactor.db")]
    try:
        for kind, a, b, c in history:
            if kind == "restart":
                epoch = same([await w.restore("test") for w in writers]).epoch
            elif kind == "forget":
                same([await forgotten(w, world.now - a, world.now - b, 1 + c * 3) for w in writers])
                world.runs = {id: r for id, r in world.runs.items() if id in ledger.runs}
            else:
                tx: Transaction = getattr(world, kind.replace(" ", "_"))(a, b, c)
                tx.epoch = epoch if tx.epoch == 0 else tx.epoch
                same([await outcome(w, tx) for w in writers])
        same([await everything(r, world) for r in readers])
    finally:
        await readers[1].close()
        await sqlite.close()


def same(answers: list[T]) -> T:
    assert answers[0] == answers[1]
    return answers[0]


async def forgotten(writer: Writer, before: int, seen_before: int, most: int) -> int:
    """Which rows a step takes first is each keeper's own affair; what all steps together leave is not."""
    gone = 0
    while step := await writer.forget(Instant(before), Instant(seen_before), most):
        assert step <= most
        gone += step
    return gone


async def outcome(writer: Writer, tx: Transaction) -> object:
    try:
        return dict(await writer.commit(tx))
    except ReactorError as error:
        return type(error)


async def everything(reader: Reader, world: World) -> dict[str, object]:
    """Every answer that a reader can give."""
    found: dict[str, object] = {
        "runs": await reader.runs(RunFilter(limit=999)),
        "failed": await reader.runs(RunFilter(state=RunState.FAILED)),
        "counts": await reader.run_counts(),
        "attempts": [await reader.attempts(id) for id in world.runs],
        "slots": [await reader.slots(AssetName(a), 99) for a in (*ASSETS, "revenue")],
        "waits": [await reader.waits(task, 99) for task in TASKS],
        "events": await reader.events(None, 999),
        "last": [await reader.last_arrival(AssetName(a)) for a in ASSETS],
        "lanes": await reader.lanes(),
        "spans": await reader.spans(None, 999),
        "dead": await reader.dead(None, 999),
        "alerts": [row.alert for row in await reader.alerts(0, 999)],
        "audits": await reader.audits(999),
        "topics": await reader.topic_ends(),
        "balance": list(await reader.balance()),
        "totals": await reader.totals(),
    }
    return found


@given(steps)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_memory_and_sqlite_agree(history: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(history, Path(folder)))
