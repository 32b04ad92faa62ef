"""Layer B: the real service as a process, over real files and HTTP, killed with SIGKILL at random instants and at each labelled point."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

from reactor.model.ids import AssetName, PartitionKey, TaskName
from reactor.store.base import RunFilter
from reactor.store.sqlite import SqliteReader
from tests.simulation.checker import G
from tests.torture.world import World

KILLS = int(os.environ.get("REACTOR_TORTURE_KILLS", "200"))
SEED = int(os.environ.get("REACTOR_TEST_SEED", "0"))


async def broken(world: World, stuck: str) -> list[str]:
    """What the history, the acknowledgements and the ledger say together."""
    found = [f"{G['G3']} {stuck}"] if stuck else []
    reader = await SqliteReader.open(world.root / ".reactor" / "reactor.db")
    try:
        found += [f"{G['G17']} {line}" for line in await reader.balance()]
        for asset, told in (("paid", world.posted), ("packed", world.landed)):
            found += [line for order in told for line in await _versions(reader, asset, order, told[order])]
        for order in world.posted:
            found += await _newest(reader, order)
    finally:
        await reader.close()
    return found + _history(world)


async def _versions(reader: SqliteReader, asset: str, order: str, told: int) -> list[str]:
    """Every post is one version. A file that was overwritten before it was seen is not: there are at most as many versions as contents."""
    slot = await reader.slot(AssetName(asset), PartitionKey(order))
    version = slot.version if slot is not None else 0
    if version > told:
        return [f"{G['G2']} {asset} {order} was told {told} times and has version {version}"]
    if version < (told if asset == "paid" else 1):
        return [f"{G['G1']} {asset} {order} was told {told} times and has version {version}"]
    return []


async def _newest(reader: SqliteReader, order: str) -> list[str]:
    runs = [r for r in await reader.runs(RunFilter(task=TaskName("ship"), limit=10_000)) if r.key == order]
    if not runs or runs[0].state != "succeeded":
        return [f"{G['G3']} ship {order} has {[str(r.state) for r in runs[:3]]}"]
    found = []
    for item in runs[0].inputs:
        slot = await reader.slot(item.asset, item.partition)
        if slot is None or slot.version != item.version:
            found.append(
                f"{G['G3']} the newest run of ship {order} saw {item.asset} version {item.version} of {slot and slot.version}"
            )
    if len({(r.task, r.key, r.generation) for r in runs}) != len(runs):
        found.append(f"{G['G2']} ship {order}")
    return found


def _history(world: World) -> list[str]:
    last: dict[str, int] = defaultdict(int)
    found = []
    for line in (world.root / "history.jsonl").read_text().splitlines():
        began = json.loads(line)
        if began["token"] <= last[began["run"]]:
            found.append(f"{G['G6']} run {began['run']} began with token {began['token']} after {last[began['run']]}")
        last[began["run"]] = began["token"]
        wanted = {"ship": {"paid", "packed"}, "tell": {"shipped"}}[began["task"]]
        if set(began["inputs"]) != wanted:
            found.append(f"{G['G5']} {began}")
    return found


@pytest.mark.timeout(120 + 10 * KILLS)
async def test_nothing_is_lost_doubled_early_or_stuck_under_kill_9(tmp_path: Path) -> None:
    world = World(tmp_path, SEED)
    try:
        for _ in range(KILLS):
            world.kill_once()
        stuck = world.finish()
    finally:
        world.close()
    wrong = await broken(world, stuck)
    print(
        f"\n{KILLS} kills ({dict(world.kills)}), {sum(world.posted.values())} posts, {sum(world.landed.values())} files: {len(wrong)} failures"
    )
    assert not wrong, f"seed {SEED}\n" + "\n".join(wrong[:10])
