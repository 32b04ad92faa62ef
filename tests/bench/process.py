"""Rows: what the service costs when nothing happens."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from tests.bench.definitions import LANDED
from tests.bench.measure import Figures, Size
from tests.bench.place import running


async def process(root: Path, size: Size) -> Figures:
    """From the start of the process to the line that says where it serves, the median of five; memory and CPU over five idle seconds."""
    starts, idle = [], {}
    for n in range(size.of(5, 1)):
        async with running(root / str(n), LANDED) as place:
            starts.append(place.ready * 1000)
            if n == 0:
                await asyncio.sleep(3)
                before, seconds = place.cpu, size.of(5, 1)
                await asyncio.sleep(seconds)
                idle = {"MiB": place.rss, "CPU %": (place.cpu - before) / seconds * 100}
    return {"start ms": sorted(starts)[len(starts) // 2], **idle}


async def help_time(root: Path, size: Size) -> Figures:
    """`reactor --help`: the median of some."""
    took = []
    for _ in range(size.of(9, 1)):
        began = time.perf_counter()
        reactor = str(Path(sys.executable).with_name("reactor"))
        child = await asyncio.create_subprocess_exec(reactor, "--help", cwd=root, stdout=asyncio.subprocess.DEVNULL)
        await child.wait()
        took.append((time.perf_counter() - began) * 1000)
    return {"ms": sorted(took)[len(took) // 2]}
