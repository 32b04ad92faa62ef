"""Retry: how often an attempt that failed is tried again, and after how long."""

from dataclasses import dataclass

from reactor.model.duration import Duration, micros
from reactor.model.errors import DefinitionError


@dataclass(frozen=True)
class Retry:
    """Exponential backoff. `attempts` counts all tries, the first included.

    The n-th wait is `first * factor ** (n - 1)`, at most `most`, lengthened or shortened by up to `jitter` (0.1 = 10 %), so that
    many runs that failed together do not come back together.
    """

    attempts: int = 1
    first: Duration = "1s"
    most: Duration = "5m"
    factor: float = 2.0
    jitter: float = 0.1

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise DefinitionError(f"Retry(attempts={self.attempts}): the first try counts too, so at least 1.")
        if self.factor < 1:
            raise DefinitionError(f"Retry(factor={self.factor}): a wait that shrinks is no backoff; use 1 or more.")
        if not 0 <= self.jitter < 1:
            raise DefinitionError(f"Retry(jitter={self.jitter}): a share between 0 and 1.")
        micros(self.first), micros(self.most)

    def wait(self, failures: int, chance: float) -> int:
        """Microseconds until the next try after the n-th failure (from 1); `chance` is a number in [0, 1)."""
        plain = micros(self.first) * self.factor ** min(failures - 1, 64)
        return round(min(plain, micros(self.most)) * (1 + self.jitter * (2 * chance - 1)))
