"""Clocks for tests: one that a test owns, and the machine's own for tests of what only the kernel can do.

`VirtualClock` moves when `advance` is called and never otherwise. Law: no test sleeps for a fixed time.
"""

import asyncio
import heapq
import itertools
import time

from reactor.model.ids import Instant

START = Instant(1_795_000_000_000_000)
"""2026-11-18T11:06:40Z, for tests that do not care."""

SETTLE = 20
"""Turns of the loop that are given to whoever was woken, before time goes on."""


class VirtualClock:
    """Time stands still until it is told to pass. The wall clock may jump; the monotonic one only goes on."""

    def __init__(self, start: Instant = START) -> None:
        self._wall = int(start)
        self._gone = 0
        self._order = itertools.count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._until: list[tuple[int, int, asyncio.Future[None]]] = []

    def now(self) -> Instant:
        return Instant(self._wall)

    async def sleep(self, length: int) -> None:
        await self._wait(self._sleepers, self._gone + length)

    async def sleep_until(self, at: Instant) -> None:
        if at > self._wall:
            await self._wait(self._until, int(at))

    async def advance(self, length: int) -> None:
        """Lets time pass, and wakes each sleeper at its own moment, in order."""
        end = self._gone + length
        await self._turns()
        while (due := self._next()) is not None and due <= end:
            self._pass(due - self._gone)
            await self._turns()
        self._pass(end - self._gone)
        await self._turns()

    async def jump(self, length: int) -> None:
        """Moves the wall clock (negative: back) while no time passes. Who waits for a moment that is now past wakes."""
        self._wall += length
        self._wake()
        await self._turns()

    async def idle(self) -> None:
        """Lets everything run that can run without time passing."""
        await self._turns()

    def _next(self) -> int | None:
        due = [self._sleepers[0][0]] if self._sleepers else []
        due += [max(self._gone, self._gone + self._until[0][0] - self._wall)] if self._until else []
        return min(due) if due else None

    def _pass(self, length: int) -> None:
        self._gone += length
        self._wall += length
        self._wake()

    def _wake(self) -> None:
        for queue, now in ((self._sleepers, self._gone), (self._until, self._wall)):
            while queue and queue[0][0] <= now:
                future = heapq.heappop(queue)[2]
                if not future.done():
                    future.set_result(None)

    async def _wait(self, queue: list[tuple[int, int, asyncio.Future[None]]], due: int) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(queue, (due, next(self._order), future))
        if due <= (self._gone if queue is self._sleepers else self._wall):
            self._wake()
        await future

    async def _turns(self) -> None:
        for _ in range(SETTLE):
            await asyncio.sleep(0)


class MachineClock:
    """The real one: for watchers, brokers and processes, which nobody can simulate."""

    def now(self) -> Instant:
        return Instant(time.time_ns() // 1_000)

    async def sleep(self, length: int) -> None:
        await asyncio.sleep(length / 1e6)

    async def sleep_until(self, at: Instant) -> None:
        while (left := at - self.now()) > 0:
            await asyncio.sleep(min(left / 1e6, 1.0))
