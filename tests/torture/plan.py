"""What kills a life, and when: drawn from a seed of its own, so that the same seed gives the same plan whatever the machine does."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from reactor.service.work import POINTS

RANDOM = "at random"
NTH = dict.fromkeys(POINTS, 12) | {"before-commit": 25, "after-commit": 25}
"""A point is passed at most so often before it kills: a commit is passed several times in each start."""
LENGTHS = (0.1, 0.3, 0.3, 0.4, 0.4, 2.0)
"""Seconds that a life which is killed at random may last, its start included. The consumer group is told offsets after half a second."""


@dataclass(frozen=True)
class Kill:
    """The end of one life: by itself at the n-th passing of a point, or from outside after some seconds."""

    point: str = RANDOM
    nth: int = 0
    seconds: float = 0.0
    rival: bool = False
    """A second engine tries to get at the ledger meanwhile."""


def kills(seed: int) -> Iterator[Kill]:
    """Half of them at random instants, the others at each labelled point in turn; one of a block meets a rival."""
    dice = random.Random(f"kills {seed}")
    while True:
        block = [_at_random(dice) for _ in POINTS] + [Kill(point, dice.randint(1, NTH[point])) for point in POINTS]
        block[0] = Kill(seconds=1.0, rival=True)
        dice.shuffle(block)
        yield from block


def _at_random(dice: random.Random) -> Kill:
    return Kill(seconds=dice.random() * dice.choice(LENGTHS))
