"""Time, identity and chance, as things that are handed in: nobody below `wiring` asks the machine for them."""

from collections.abc import Callable
from typing import Protocol

from reactor.model.ids import Instant, RunId

Redact = Callable[[str], str]
"""A text without the secrets that may have got into it. `str` where there are none to know of."""


class Clock(Protocol):
    """Time as the hands and the shell may know it. Tests own it."""

    def now(self) -> Instant:
        """Wall-clock time, UTC. May jump."""

    async def sleep(self, length: int) -> None:
        """Microseconds, on the monotonic clock."""

    async def sleep_until(self, at: Instant) -> None:
        """Returns when the wall clock has reached the instant. Re-reads it at least every second, so that a jump is noticed."""


class Ids(Protocol):
    """Names for new things. None of them is ever given twice."""

    @property
    def traces(self) -> bool:
        """Whether anybody collects spans. Where nobody does, no trace begins here, and those that come in are handed through as they are."""

    def run(self, now: Instant) -> RunId:
        """Sorts by time."""

    def trace(self) -> str:
        """32 hexadecimal digits."""

    def span(self) -> str:
        """16 hexadecimal digits."""

    def chance(self) -> float:
        """A number in [0, 1), for jitter."""
