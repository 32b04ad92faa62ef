"""The checker of layer B: what was told, what the tasks left outside the database, and the ledger must say the same. Its sentences are those of the
guarantees. It judges a world that has come to rest.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reactor.core.runs import LOST_AT_MOST
from reactor.model.events import DeadLetter, Readiness
from reactor.model.ids import AssetName
from reactor.model.run import OPEN, Run, RunState
from reactor.model.slot import Slot
from reactor.store.base import RunFilter
from reactor.store.sqlite import SqliteReader
from tests.simulation.checker import G
from tests.torture.project import POISON, SOURCES, WANTED
from tests.torture.topics import Topic

if TYPE_CHECKING:
    from tests.torture.world import World

MOST = 10_000_000
MADE = {"shipped": "ship", "counted": "count"}
"""The assets that tasks make, and by which."""
REFUSED = "StoreBusy"
"""What a second engine ends with, as it must."""

Finding = tuple[str, str]


@dataclass
class Ledger:
    """What the service's database holds."""

    ready: dict[str, list[Readiness]] = field(default_factory=dict)
    slots: dict[tuple[str, str], Slot] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    attempts: dict[str, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    """By run and token: the result."""
    balance: list[str] = field(default_factory=list)


async def broken(world: World) -> list[str]:
    """Every promise that this world saw broken."""
    ledger = await _read(_database(world.root))
    began = [json.loads(line) for line in (world.root / "history.jsonl").read_text().splitlines()]
    found = [
        *_effects(world, ledger),
        *_versions(ledger),
        *_poison(world, ledger),
        *_once(ledger),
        *_live(ledger),
        *_durable(ledger, began),
        *_early(ledger, began),
        *_fenced(ledger, began),
        *_alone(began),
        *_in_order(ledger),
        *(("G17", line) for line in ledger.balance),
    ]
    return [_say(*one) for one in found] + failures(world)


def failures(world: World) -> list[str]:
    """Services that ended by an error of their own. A second engine does, when all is well."""
    lines = [json.loads(line) for line in (world.root / "failures.jsonl").read_text().splitlines()]
    return [
        stopped(one["error"].splitlines()[0])
        for one in lines
        if one["kind"] != REFUSED and one["pid"] not in world.rivals
    ]


def stands(root: Path) -> dict[tuple[str, str], int]:
    """Where each lane of the ledger stands, by source and lane."""
    if not _database(root).exists():
        return {}
    with closing(sqlite3.connect(_database(root))) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'lane'").fetchone():
            return {}
        return {(source, lane): at for source, lane, at in db.execute("SELECT source, lane, position FROM lane")}


def ahead(topic: Topic, stands: Mapping[tuple[str, str], int]) -> list[str]:
    """The consumer group may lag behind the ledger, and never lead."""
    lanes = {lane: at for (_, lane), at in stands.items()}
    return [
        _say(
            "G12", f"the group was told {at} of partition {n}, the ledger stands at {lanes.get(f'{topic.name}/{n}', 0)}"
        )
        for n, at in topic.committed().items()
        if at > lanes.get(f"{topic.name}/{n}", 0)
    ]


def stopped(why: str) -> str:
    return _say("G3", f"the service stopped by itself: {why}")


def stuck(open_runs: int) -> str:
    return _say("G3", f"{open_runs} runs stay open" if open_runs > 0 else "the service does not answer")


def unanswered(n: int) -> str:
    return _say("G3", f"post {n} is not answered")


def two_engines(first: int, second: int) -> str:
    return _say("G13", f"process {second} opened the ledger that process {first} holds")


def _say(guarantee: str, what: str) -> str:
    return f"{G[guarantee]} [{guarantee}] {what}"


def _database(root: Path) -> Path:
    return root / ".reactor" / "reactor.db"


async def _read(database: Path) -> Ledger:
    ledger = Ledger()
    reader = await SqliteReader.open(database)
    try:
        for asset in (*SOURCES, *MADE):
            stored = await reader.events(0, MOST, AssetName(asset))
            ledger.ready[asset] = [s.readiness for s in stored]
            for slot in await reader.slots(AssetName(asset), MOST):
                ledger.slots[asset, slot.partition] = slot
        ledger.runs = await reader.runs(RunFilter(limit=MOST))
        ledger.dead = await reader.dead(None, MOST)
        ledger.balance = list(await reader.balance())
    finally:
        await reader.close()
    with closing(sqlite3.connect(database)) as db:  # the reader has no list of all attempts
        for run, token, result in db.execute("SELECT run, token, result FROM attempt"):
            ledger.attempts[run][token] = result
    return ledger


def _effects(world: World, ledger: Ledger) -> Iterator[Finding]:
    """What was acknowledged has its effect once; what nobody knows of, at most once."""
    for asset in SOURCES:
        told = world.tellers.told[asset]
        had = Counter((json.loads(r.evidence)["n"], str(r.partition)) for r in ledger.ready[asset])
        for n, order in told.sure.items():
            if order != POISON and not had[n, order]:
                yield "G1", f"{asset} {n} of {order} was acknowledged and left no trace"
        for (n, order), times in had.items():
            if times > 1:
                yield "G2", f"{asset} {n} of {order} had its effect {times} times"
            if told.sure.get(n, told.maybe.get(n)) != order and (asset != "paid" or n in told.sure):
                yield "G2", f"{asset} {n} of {order} had an effect, and nobody told it"


def _versions(ledger: Ledger) -> Iterator[Finding]:
    """Each readiness event is one version of its slot."""
    for asset, ready in ledger.ready.items():
        counts = Counter(str(r.partition) for r in ready)
        for order, count in counts.items():
            slot = ledger.slots.get((asset, order))
            version = slot.version if slot is not None else 0
            if version != count:
                yield "G2" if version > count else "G1", f"{asset} {order} came {count} times and has version {version}"


def _poison(world: World, ledger: Ledger) -> Iterator[Finding]:
    letters: Counter[int] = Counter()
    for letter in ledger.dead:
        named = re.search(r"poison (\d+)", letter.reason)
        if named is None or not letter.body:
            yield "G8", f"a dead letter of {letter.source} at {letter.position} says {letter.reason!r}"
        else:
            letters[int(named[1])] += 1
    for asset in SOURCES:
        told = world.tellers.told[asset]
        for n, what in told.sure.items():
            if what == POISON and letters[n] != 1:
                yield "G8", f"{asset} {n} is poison and left {letters[n]} dead letters"
        for n, what in told.maybe.items():
            if what == POISON and letters[n] > 1:
                yield "G8", f"{asset} {n} is poison and left {letters[n]} dead letters"


def _once(ledger: Ledger) -> Iterator[Finding]:
    runs = Counter((str(r.task), str(r.key), r.generation) for r in ledger.runs)
    for (task, key, generation), count in runs.items():
        if count > 1:
            yield "G2", f"{task} {key} has {count} runs of generation {generation}"


def _live(ledger: Ledger) -> Iterator[Finding]:
    """The newest run of each task has seen the newest version of each of its inputs, and succeeded."""
    for task, inputs in WANTED.items():
        newest: dict[str, Run] = {}
        for run in sorted((r for r in ledger.runs if r.task == task), key=lambda r: r.order):
            newest[str(run.key)] = run
            if run.state in OPEN:
                yield "G3", f"run {run.id} of {task} {run.key} is {run.state}, and nothing is under way"
            if run.state is RunState.FAILED and run.lost <= LOST_AT_MOST:
                yield "G3", f"run {run.id} of {task} {run.key} failed: {run.error}"
        for order in {o for a, o in ledger.slots if a in inputs}:
            if all((a, order) in ledger.slots for a in inputs):
                yield from _has_seen(ledger, task, order, newest.get(order))


def _has_seen(ledger: Ledger, task: str, order: str, run: Run | None) -> Iterator[Finding]:
    if run is None or run.state is not RunState.SUCCEEDED:
        yield "G3", f"the newest run of {task} {order} is {run.state if run is not None else 'missing'}"
        return
    seen = {str(i.asset): i.version for i in run.inputs}
    for asset in sorted(WANTED[task]):
        version = ledger.slots[asset, order].version
        if seen.get(asset) != version:
            yield "G3", f"the newest run of {task} {order} saw {asset} version {seen.get(asset, 0)} of {version}"


def _durable(ledger: Ledger, history: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """Every attempt that began is in the ledger, and what succeeded there has begun."""
    began = {(line["run"], line["token"]) for line in history if line["what"] == "began"}
    for run, token in sorted(began):
        if token not in ledger.attempts[run]:
            yield (
                "G4",
                f"run {run} began with token {token}, and the ledger knows the tokens {sorted(ledger.attempts[run])}",
            )
    for run in ledger.runs:
        if run.state is RunState.SUCCEEDED and (run.id, run.token) not in began:
            yield "G6", f"run {run.id} succeeded with token {run.token}, under which it never began"


def _early(ledger: Ledger, history: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    for line in history:
        if set(line["inputs"]) != WANTED[line["task"]]:
            yield "G5", f"{line['task']} {line['key']} began on {line['inputs']}"
        for asset, version in line["inputs"].items():
            slot = ledger.slots.get((asset, line["key"]))
            if slot is None or slot.version < version:
                yield "G5", f"{line['task']} {line['key']} began on {asset} version {version}, which never came"


def _fenced(ledger: Ledger, history: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    last: Counter[str] = Counter()
    pids: dict[str, int] = {}
    for line in history:
        if line["what"] == "began":
            run, token = line["run"], line["token"]
            stalled = (
                pids.get(run) == line["pid"] and line["task"] == "count"
            )  # a thread that was told to stop before it had said that it began
            if token == last[run] or (token < last[run] and not stalled):
                yield "G6", f"run {run} began with token {token} after {last[run]}"
            last[run], pids[run] = max(token, last[run]), line["pid"]
    tokens = {str(r.id): r.token for r in ledger.runs}
    for asset in MADE:
        for ready in ledger.ready[asset]:
            token = json.loads(ready.evidence)["token"]
            if token != tokens.get(ready.run):
                yield (
                    "G6",
                    f"{asset} {ready.partition} was made under token {token}, run {ready.run} holds {tokens.get(ready.run)}",
                )


def _alone(history: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """Within one life: a partition has one run of a task at a time."""
    busy: dict[tuple[int, str, str], tuple[str, int]] = {}
    for line in history:
        place, mine = (line["pid"], line["task"], line["key"]), (line["run"], line["token"])
        if line["what"] == "ended":
            if busy.get(place) == mine:
                del busy[place]
        else:
            other = busy.setdefault(place, mine)
            if other[0] != line["run"]:
                yield "one", f"{line['task']} {line['key']}: run {line['run']} began while run {other[0]} was under way"
            busy[place] = mine


def _in_order(ledger: Ledger) -> Iterator[Finding]:
    """Each lane took effect in its own order."""
    last: dict[tuple[str, str], int] = {}
    for asset in SOURCES:
        for ready in sorted(ledger.ready[asset], key=lambda r: r.seq):
            lane = (str(ready.source), str(ready.lane))
            if ready.position <= last.get(lane, -1):
                yield "G14", f"{lane}: position {ready.position} took effect after {last[lane]}"
            last[lane] = ready.position
