"""The story's clock: time passes when the story says so. A `reactor.model.ports.Clock`."""

import asyncio
import heapq
import itertools

from reactor.model.ids import Instant


class StoryClock:
    """Begins at `start` and stands still until `pass_to`."""

    def __init__(self, start: Instant) -> None:
        self._now = start
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> Instant:
        return self._now

    async def sleep(self, length: int) -> None:
        await self.sleep_until(Instant(self._now + max(length, 0)))

    async def sleep_until(self, at: Instant) -> None:
        if at <= self._now:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (at, next(self._order), woken))
        await woken

    def pass_to(self, at: Instant) -> None:
        """Lets time pass, and wakes who slept until then."""
        self._now = max(self._now, at)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
