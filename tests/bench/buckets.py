"""The row of the buckets: 100,000 objects that are there at the start, each to its place in the ledger, and the listing of them all again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

from reactor.project.config import load_settings
from reactor.project.load import load
from reactor.sources.bucket import BucketSource
from reactor.store.base import LaneAt
from reactor.web.runner import make_service
from tests.bench.measure import Figures, Size

SENSOR = """
from reactor import Asset, Bucket, Dynamic, File, Ready, sensor

order = Dynamic("order")
stored = Asset("stored", order)

@sensor(Bucket("file://{root}/objects/{{order}}.txt", every="250ms"))
def object_landed(file: File) -> Ready:
    return stored.ready(file.fields["order"])
"""


async def bucket(root: Path, size: Size) -> Figures:
    count = size.of(100_000, 500)
    (root / "objects").mkdir()
    (root / "sensors").mkdir()
    (root / "sensors" / "bench.py").write_text(SENSOR.format(root=root))
    (root / "reactor.toml").touch()
    for n in range(count):
        (root / "objects" / f"o{n}.txt").write_text("x")
    runner = await make_service(load_settings(root, flags={"port": 0}).settings, load(root, ("sensors",)))
    began = time.perf_counter()
    await runner.open()
    try:
        (source,) = (i.source for i in runner.service.intakes.values())
        assert isinstance(source, BucketSource)
        held = await _until(runner.service.engine.lanes, count)
        took = time.perf_counter() - began
        before, again = source.listings, time.perf_counter()
        while source.listings < before + 3:
            await asyncio.sleep(0.01)
        return {
            "keys/s": count / took,
            "again ms": (time.perf_counter() - again) / 3 * 1000 - 250,
            "loop held ms": held * 1000,
        }
    finally:
        await runner.close()


async def _until(lanes: Mapping[tuple[str, str], LaneAt], count: int) -> float:
    """Waits until the ledger stands behind the last object. Returns how long the loop stood still at most."""
    longest = 0.0
    while not any(at.position >= count for at in lanes.values()):
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - before)
    return longest
