"""What the demo hears of the service: lines for the screen, and the moments that the story waits for."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from reactor.model.commands import Announced, Noted
from reactor.model.partitions import moment
from reactor.model.run import RunState

PATIENCE = 30.0
"""Seconds that the story waits for what must happen next, before it says that the service is stuck."""


class Stuck(Exception):
    """What had to happen did not."""


class Watch(logging.Handler):
    """A listener of the service and of its alerts."""

    def __init__(self, tell: Callable[[str, str], None], now: Callable[[], int]) -> None:
        super().__init__()
        self._tell, self._now = tell, now
        self.reached: set[str] = set()
        self._news = asyncio.Event()

    def heard(self, announced: Sequence[Announced], noted: Sequence[Noted]) -> None:
        for each in announced:
            self._announced(each)
        for ended in noted:
            self._noted(ended)
        self._news.set()

    def _announced(self, each: Announced) -> None:
        slot = f"{each.readiness.asset} {each.readiness.partition}"
        self.reached.add(slot if each.version == 1 else f"{slot} again")
        if each.readiness.asset != "orders":
            again = f" version {each.version}" if each.version > 1 else ""
            self._tell("ready", f"✓ {slot} is ready{again}, by {each.readiness.by}")

    def _noted(self, each: Noted) -> None:
        run, attempt = each.run, each.attempt
        what = f"{run.task} {run.key}"
        if attempt.result == "succeeded":
            self._tell("run", f"▶ {what} attempt {attempt.number} succeeded ({run.reason})")
            return
        self.reached.add(f"failed attempt {run.key}")
        reason = (attempt.error or "").strip().splitlines()
        more = (
            f"; next at {moment(run.next_at, ZoneInfo('Europe/Berlin')):%H:%M}"
            if run.state is RunState.RETRYING and run.next_at
            else ""
        )
        self._tell("failed", f"✕ {what} attempt {attempt.number} {attempt.result}: {reason[0] if reason else ''}{more}")

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self._tell("alert", f"! alert {text}")
        if text.startswith("[late]"):
            self.reached.add("late " + " ".join(text.split()[1:3]))
        elif text.startswith("[dead letter]"):
            self.reached.add("dead letter")
        self._news.set()

    async def until(self, what: str, drift: Callable[[], None]) -> None:
        """Waits until `what` was reached; meanwhile time drifts on a little, for whoever polls.

        Raises:
            Stuck: it was not reached in `PATIENCE` seconds.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        while what not in self.reached:
            if loop.time() > deadline:
                raise Stuck(f"The story waits for {what!r}, but in {PATIENCE:g} s it did not come.")
            self._news.clear()
            try:
                async with asyncio.timeout(0.02):
                    await self._news.wait()
            except TimeoutError:
                drift()
