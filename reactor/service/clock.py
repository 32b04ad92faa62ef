"""The machine's own time, identity and chance: the one place, beside `wiring`, that may ask for them."""

import asyncio
import random
import time

from reactor.model.ids import Instant, RunId

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case: no letters that look like digits
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_TAILS = 1 << 20  # ids that may begin alike
_LONGEST_SLEEP = 1.0  # seconds: a wall clock that jumps is noticed within this


class SystemClock:
    """`reactor.model.ports.Clock` on the machine's clocks."""

    def now(self) -> Instant:
        return Instant(time.time_ns() // 1000)

    async def sleep(self, length: int) -> None:
        await asyncio.sleep(max(length, 0) / 1e6)

    async def sleep_until(self, at: Instant) -> None:
        while (left := at - self.now()) > 0:
            await asyncio.sleep(min(left / 1e6, _LONGEST_SLEEP))


class SystemIds:
    """`reactor.model.ports.Ids` from a generator that was seeded by the operating system's entropy."""

    def __init__(self, *, traces: bool = True) -> None:
        self.traces = traces
        self._chance = random.Random(random.SystemRandom().getrandbits(256))
        self._bits = self._chance.getrandbits
        self._millisecond, self._head, self._tail = -1, "", _TAILS

    def run(self, now: Instant) -> RunId:
        """26 characters: 48 bits of milliseconds, 62 bits of chance, and 20 bits that count from there: ids sort by time."""
        self._tail += 1
        if now // 1000 != self._millisecond or self._tail >= _TAILS:
            self._millisecond, self._tail = now // 1000, 0
            number = (self._millisecond << 62) | self._bits(62)
            self._head = "".join([_PAIRS[number >> shift & 1023] for shift in range(100, -1, -10)])
        return RunId(self._head + _PAIRS[self._tail >> 10] + _PAIRS[self._tail & 1023])

    def trace(self) -> str:
        return f"{self._bits(128) or 1:032x}"

    def span(self) -> str:
        return f"{self._bits(64) or 1:016x}"

    def chance(self) -> float:
        return self._chance.random()
