"""Layer B: the real service as a process, over real files, HTTP and Kafka, killed with SIGKILL at random instants and at each labelled point.

`REACTOR_TORTURE_KILLS` says how often, `REACTOR_TEST_SEED` plays another plan.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from reactor.service.work import POINTS
from tests.torture.defects import DEFECTS, Defect
from tests.torture.lives import Zygote
from tests.torture.plan import RANDOM
from tests.torture.tables import Tables
from tests.torture.topics import Topic
from tests.torture.world import World

KILLS = int(os.environ.get("REACTOR_TORTURE_KILLS", "200"))
SEED = int(os.environ.get("REACTOR_TEST_SEED", "0"))
RESTS = 4
"""How often on the way everything comes to rest, is compared, and ends in peace."""
CHECK_EVERY = 5
"""Kills between two looks for a seeded defect."""
DEFECT_KILLS = 60
"""Within so many kills each of them is found."""
EACH_POINT = 4
"""Of 200 kills, at least so many are at each point."""


@pytest.mark.timeout(240 + 3 * KILLS)
@pytest.mark.parametrize(
    ("topic", "kills"),
    [pytest.param("kafka", KILLS, marks=pytest.mark.kafka), ("embedded", max(28, KILLS // 5))],
    indirect=["topic"],
    ids=["kafka", "embedded"],
)
def test_nothing_is_lost_doubled_early_or_stuck_under_kill_9(
    tmp_path: Path, zygote: Zygote, topic: Topic, kills: int, tables: Tables
) -> None:
    world, begun = World(tmp_path, zygote, topic, SEED), time.monotonic()
    wrong: list[str] = []
    for n in range(1, kills + 1):
        world.kill_once()
        if n == kills or n % max(1, kills // RESTS) == 0:
            wrong = world.settle(patience=90)
            if wrong:
                break
    tables.kills.append(_summary(type(topic).__name__, world, len(wrong), time.monotonic() - begun))
    tables.kills.extend(f"    {world.kills[point]:6} kills  {point}" for point in (RANDOM, *POINTS))
    tables.kills.extend(f"    {lives:6} lives  read {source}" for source, lives in sorted(world.read.items()))
    assert not wrong, f"REACTOR_TEST_SEED={SEED} plays this plan again\n" + "\n".join(wrong[:10])
    rare = [point for point in POINTS if world.kills[point] < kills * EACH_POINT // 200]
    assert not rare, f"hardly any kill came at {rare}: {world.kills}"
    assert len(world.read) == 3 and min(world.read.values()) > kills // 10, f"lives that read each source: {world.read}"


def _summary(topic: str, world: World, wrong: int, seconds: float) -> str:
    told = {asset: len(told.sure) + len(told.maybe) for asset, told in world.tellers.told.items()}
    return (
        f"{topic}: {sum(world.kills.values())} kills in {seconds:.0f} s, seed {world.seed}; {told['paid']} posts, {told['packed']} files, "
        f"{told['stocked']} records: {wrong} failures"
    )


@pytest.mark.parametrize(
    ("defect", "topic"),
    [pytest.param(d, "kafka", marks=pytest.mark.kafka) if d.kafka else (d, "embedded") for d in DEFECTS],
    indirect=["topic"],
    ids=[d.name for d in DEFECTS],
)
def test_a_seeded_defect_is_found(tmp_path: Path, zygote: Zygote, topic: Topic, defect: Defect, tables: Tables) -> None:
    world, kills = World(tmp_path, zygote, topic, SEED, defect.name), 0
    while kills < DEFECT_KILLS:
        for _ in range(CHECK_EVERY):
            world.kill_once()
        kills += CHECK_EVERY
        wrong = world.settle(patience=20, still=1.5)
        named = [one for promise in defect.promises for one in wrong if f"[{promise}]" in one]
        if wrong:
            tables.defects.append(f"{defect.name:48} found after {kills:3} kills: {(named or wrong)[0]}")
            assert named, f"{defect.name} breaks {defect.promises}, and was found as something else:\n" + "\n".join(
                wrong
            )
            return
    pytest.fail(f"{DEFECT_KILLS} kills did not find {defect.name!r}: the checker is blind to it")
