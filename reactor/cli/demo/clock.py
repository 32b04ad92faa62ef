"""A wall clock that runs faster than the world, and can be put forward. Lengths of waiting stay real."""

import asyncio
import time

from reactor.model.ids import Instant

LONGEST = 0.5
"""Seconds between two looks at a clock that may have been put forward."""


class FastClock:
    """`rate` seconds pass on it for one that passes here: one, until it is told another pace."""

    def __init__(self, start: Instant) -> None:
        self._at, self._since, self.rate = start, time.monotonic(), 1.0
        self._moved = asyncio.Event()

    def pace(self, rate: float) -> None:
        """From now on it runs so many times as fast as the world."""
        self._at, self._since, self.rate = self.now(), time.monotonic(), rate
        self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    def now(self) -> Instant:
        return Instant(self._at + int((time.monotonic() - self._since) * self.rate * 1e6))

    def put_forward(self, to: Instant) -> None:
        """Never back."""
        if to > self.now():
            self._at, self._since = to, time.monotonic()
            self._wake()

    async def sleep(self, length: int) -> None:
        await asyncio.sleep(length / 1e6)

    async def sleep_until(self, at: Instant) -> None:
        while (left := at - self.now()) > 0:
            moved = self._moved
            try:
                async with asyncio.timeout(min(left / self.rate / 1e6, LONGEST)):
                    await moved.wait()
            except TimeoutError:
                continue
