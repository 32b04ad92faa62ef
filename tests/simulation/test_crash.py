"""Layer A: the real shell on virtual time, killed at random steps, ten thousand times in CI (`REACTOR_TEST_CRASHES`)."""

from __future__ import annotations

import os

import pytest

from tests.simulation.checker import broken
from tests.simulation.defects import DEFECTS, Defect
from tests.simulation.world import World

CRASHES = int(os.environ.get("REACTOR_TEST_CRASHES", "1000"))
FIRST_SEED = int(os.environ.get("REACTOR_TEST_SEED", "0"))


@pytest.mark.timeout(2400)
def test_nothing_is_lost_doubled_early_or_stuck_whenever_it_is_killed() -> None:
    crashes = steps = runs = 0
    seed = FIRST_SEED
    while crashes < CRASHES:
        world = World(seed)
        history = world.live()
        wrong = broken(world)
        world.bury()
        assert not wrong, f"seed {seed}: REACTOR_TEST_SEED={seed} plays it again\n" + "\n".join(wrong[:10])
        crashes, steps, runs, seed = (
            crashes + history.crashes,
            steps + history.steps,
            runs + len(world.platter.runs),
            seed + 1,
        )
    worlds = seed - FIRST_SEED
    print(
        f"\n{worlds} worlds, {crashes} crashes, {steps} steps, {runs} runs: 0 failures, so fewer than {300 / crashes:.3f} % (95 %)"
    )


def test_the_same_seed_gives_the_same_history() -> None:
    first, second = World(7), World(7)
    assert first.live() == second.live()
    assert first.platter == second.platter
    first.bury()
    second.bury()


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.name)
def test_a_seeded_defect_is_found(defect: Defect) -> None:
    for seed in range(60):
        with defect.planted():
            world = World(seed, defect.plant, defect.writer)
            world.live()
            wrong = broken(world)
            world.bury()
        if wrong:
            print(f"\n{defect.name}: found by seed {seed}: {wrong[0]}")
            return
    pytest.fail(f"60 seeds did not find {defect.name!r}: the checker is blind to it")
