"""Row: a burst of files."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from tests.bench.definitions import LANDED
from tests.bench.measure import Figures, Size, Spent, spread
from tests.bench.place import running


async def files(root: Path, size: Size) -> Figures:
    """Files that land in one folder as fast as they can be renamed, each to the first line of the task that it starts. `ready p99`: to the
    transaction that made it durable, by the wall clock of the ledger."""
    count = size.of(10_000, 200)
    async with running(root, LANDED) as place:
        await asyncio.sleep(1)
        spent = Spent(place.pid)
        landed, wall = await asyncio.to_thread(_land, root, count)
        marks = await place.marked(count, 60)
        spent.end()
        lags = [(at - landed[what]) / 1e6 for what, at in marks]
        arrived = place.rows("SELECT partition, arrived FROM readiness")
        durable = [(at - wall[what]) / 1e3 for what, at in arrived]
    beside = spent.each(count, "file")
    return {
        **spread(lags),
        **beside,
        "ready p99": spread(durable)["p99"],
        "lost": count - len({what for what, _ in marks}),
    }


def _land(root: Path, count: int) -> tuple[dict[str, int], dict[str, int]]:
    for n in range(count):
        (root / f".part{n}").touch()
    landed, wall = {}, {}
    for n in range(count):
        landed[f"o{n}"], wall[f"o{n}"] = time.monotonic_ns(), time.time_ns() // 1000
        (root / f".part{n}").rename(root / "landing" / f"o{n}.txt")
    return landed, wall
