"""Names and chance for a simulation: counted, so that a run is called the same in every play of the same seed."""

import random

from reactor.model.ids import Instant, RunId


class CountedIds:
    """`reactor.model.ports.Ids`. Without a seed, chance is always the middle: jitter then changes nothing."""

    traces = True

    def __init__(self, seed: int | None = None) -> None:
        self._runs = self._spans = 0
        self._chance = None if seed is None else random.Random(f"ids {seed}")

    def run(self, now: Instant) -> RunId:  # noqa: ARG002 - counted, so they sort by time anyway
        self._runs += 1
        return RunId(f"run-{self._runs:06d}")

    def trace(self) -> str:
        self._spans += 1
        return f"{self._spans:032x}"

    def span(self) -> str:
        self._spans += 1
        return f"{self._spans:016x}"

    def chance(self) -> float:
        return 0.5 if self._chance is None else self._chance.random()
