"""Rows: what an event costs where there are many rules, much history, or a million orders that wait. The same work each time, so that the
figures of one family may be laid side by side."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from functools import partial
from pathlib import Path

import httpx

from reactor.model.outcome import Resumed
from tests.bench import memory
from tests.bench.definitions import JOIN, RULES, SLOTS, project
from tests.bench.measure import Figures, Measure, Size, spread
from tests.bench.place import Place, running
from tests.bench.throughput import all_relevant

LEDGER = Path(".reactor") / "reactor.db"


def with_rules(number: int) -> Measure:
    """This many tasks, each with an input of its own."""
    return partial(_with_rules, number)


async def _with_rules(number: int, root: Path, size: Size) -> Figures:
    """Each event concerns one rule, drawn at random, and starts its task; topic in memory. Many rules are also many slots and waits, each met
    for the first time: that is part of the cost. `load ms`: to import and check the definitions, with the start of everything else."""
    count = size.of(10_000, 500)
    chance = random.Random(7)
    topic = memory.Topic([b'{"input":%d}' % chance.randrange(number) for _ in range(count)])
    began = time.perf_counter()
    async with memory.service(root, RULES.replace("NUMBER", str(number)), topic) as runner:
        loaded = time.perf_counter()
        await runner.service.engine.answer([Resumed()])  # what the start itself had to write is durable
        spent = await memory.drained(topic, memory.Ends(runner), count)
        return {**spent.each(count), "load ms": (loaded - began) * 1000}


def with_history(number: int) -> Measure:
    """This many runs that are over, of two events each."""
    return partial(_with_history, number)


async def _with_history(number: int, root: Path, size: Size) -> Figures:
    """The work of the row `events`, on a ledger in which so much has happened. `start ms`: of `reactor run` on it, with nothing to do."""
    number, count = size.of(number, number // 1_000), size.of(20_000, 1_000)
    found: Figures = {}
    if number:
        found |= await _written(root, JOIN, "done", number)
    async with running(root, SLOTS) as place:
        found |= {"start ms": place.ready * 1000, "MiB": place.rss}
    spent = await memory.spent_on(root, JOIN, all_relevant(count), count // 2)
    return {**spent.each(count), **found}


async def slots(root: Path, size: Size) -> Figures:
    """A million orders that were paid and wait to be packed, left behind by an engine that was killed. From the start of `reactor run` to the line
    that says where it serves; memory beyond that of a service with nothing open; then a few of them are packed, from the POST to the first line."""
    number = size.of(1_000_000, 2_000)
    async with running(root / "empty", SLOTS) as place:
        empty = place.rss
    written = await _written(root, SLOTS, "waiting", number)
    async with running(root, SLOTS) as place:
        bytes_each = (place.rss - empty) * 2**20 / number
        ready = {"restart s": place.ready, "MiB": place.rss, "bytes a slot": max(bytes_each, 0.0)}
        packed = spread(await _pack(place, number, size.of(100, 10)), "packed ms ")
    return {**ready, **packed, **written}


async def _pack(place: Place, number: int, count: int) -> list[float]:
    sent: dict[str, int] = {}
    async with httpx.AsyncClient(base_url=place.url) as client:
        for n in random.Random(7).sample(range(number), count):
            order = f"order{n:07}"
            sent[order] = time.monotonic_ns()
            answer = await client.post("/events", json={"order": order}, headers=place.headers(n, "bench.packed"))
            answer.raise_for_status()
        marks = await place.marked(count)
    assert len(marks) == count, f"{count - len(marks)} were lost"
    return [(at - sent[what]) / 1e6 for what, at in marks]


async def _written(root: Path, definitions: str, kind: str, number: int) -> Figures:
    """The ledger, by a process of its own; what it takes on the disk."""
    project(root, definitions)
    argv = [sys.executable, "-m", "tests.bench.ledger", str(root), kind, str(number)]
    child = await asyncio.create_subprocess_exec(*argv)
    if await child.wait():
        raise RuntimeError("the ledger could not be written; see above")
    files = [root / LEDGER, (root / LEDGER).with_name("reactor.db-wal")]
    return {"bytes on disk each": sum(f.stat().st_size for f in files if f.exists()) / number}
