"""Faults: what goes wrong in a simulation, by a seed, so that a play that found something can be played again."""

import random
from dataclasses import dataclass

from reactor.model.duration import MINUTE, SECOND, Duration, micros
from reactor.model.errors import DefinitionError


@dataclass(frozen=True)
class Faults:
    """How often things go wrong: shares between 0 and 1; `delay` is the longest that any event is late.

    - `duplicates`: an event is delivered twice.
    - `reordering`: an event is overtaken by those behind it, for up to ten minutes.
    - `failures`: an attempt that nothing was scripted for fails.
    - `crash`: around a commit, the engine dies and comes back seconds to minutes later.
    """

    duplicates: float = 0.0
    reordering: float = 0.0
    delay: Duration = 0
    failures: float = 0.0
    crash: float = 0.0

    def __post_init__(self) -> None:
        micros(self.delay)
        for name in ("duplicates", "reordering", "failures", "crash"):
            if not 0 <= getattr(self, name) <= 1:
                raise DefinitionError(f"Faults({name}={getattr(self, name)}): a share between 0 and 1.")

    @classmethod
    def some(cls) -> "Faults":
        """A bad month: every kind of fault, often enough to matter."""
        return cls(duplicates=0.1, reordering=0.2, delay="30m", failures=0.1, crash=0.1)


class Dice:
    """The faults of one play. Each kind has its own generator: more of one does not move the others."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self._faults = faults
        self._by = {name: random.Random(f"{name} {seed}") for name in ("deliver", "fail", "crash")}

    def delays(self) -> list[int]:
        """For one event: after how many microseconds it is delivered, once for each time."""
        dice, faults = self._by["deliver"], self._faults
        times = 2 if faults.duplicates and dice.random() < faults.duplicates else 1
        return [self._delay() for _ in range(times)]

    def _delay(self) -> int:
        dice, faults = self._by["deliver"], self._faults
        longest = micros(faults.delay)
        late = dice.randrange(longest + 1) if longest else 0
        if faults.reordering and dice.random() < faults.reordering:
            late += dice.randrange(10 * MINUTE)
        return late

    def fails(self) -> bool:
        return bool(self._faults.failures) and self._by["fail"].random() < self._faults.failures

    def crashes(self) -> tuple[str, int] | None:
        """Where around this commit the engine dies, and for how long it is down; None: not now."""
        dice = self._by["crash"]
        if not self._faults.crash or dice.random() >= self._faults.crash:
            return None
        return dice.choice(("before-commit", "after-commit")), dice.randrange(SECOND, 5 * MINUTE)
