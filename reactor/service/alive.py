"""Is the loop alive? A beat that measures how late the loop comes to it, for `/metrics`, `/livez` and the watchdog of systemd."""

import asyncio

from reactor.model.ports import Clock

BEAT = 500_000
"""Microseconds between two beats."""


class Heart:
    """`lag` is in seconds: how late the last beat came."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.lag = 0.0

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            asked = loop.time()
            await self._clock.sleep(BEAT)
            self.lag = max(0.0, loop.time() - asked - BEAT / 1e6)
