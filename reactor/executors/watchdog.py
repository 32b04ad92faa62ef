"""Notices that the event loop does not turn, and names who holds it.

May know: the loop, and the stacks of this process. May not know: executors; it is told whose an asyncio task is.
It sleeps while nothing runs inline: one thread, and no wake-ups.
"""

import asyncio
import logging
import sys
import threading
from typing import Protocol

from reactor.executors.base import LogSink
from reactor.executors.trouble import stack
from reactor.model.job import Job

BLOCKED_AFTER = 0.5
"""Seconds without a turn of the loop that are worth a warning."""

_log = logging.getLogger(__name__)


class Held(Protocol):
    """What the warning needs to know of an attempt."""

    job: Job

    @property
    def log(self) -> LogSink: ...


class Crew(Protocol):
    """Who runs on the loop."""

    def busy(self) -> bool: ...

    def whose(self, work: asyncio.Task[object]) -> Held | None:
        """The attempt that an asyncio task belongs to."""


class Watchdog:
    """Asks the loop for a sign of life twice per `limit` seconds while it is told to `watch`; warns once for each
    time that none comes.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: float, crew: Crew) -> None:
        self._loop = loop
        self._limit = limit
        self._crew = crew
        self._loop_thread = threading.get_ident()
        self._wanted = threading.Event()
        self._ticked = threading.Event()
        self._over = threading.Event()
        self.watching = False

    def start(self) -> None:
        """Called on the loop's own thread."""
        threading.Thread(target=self._watch, name="reactor watchdog", daemon=True).start()

    def watch(self) -> None:
        """Something runs on the loop now. Costs one comparison while it is watched already."""
        if not self.watching:
            self.watching = True
            self._wanted.set()

    def stop(self) -> None:
        self._over.set()
        self._ticked.set()
        self._wanted.set()

    def _watch(self) -> None:
        while self._wanted.wait() and not self._over.is_set():
            self._ticked.clear()
            try:
                self._loop.call_soon_threadsafe(self._tick)
            except RuntimeError:  # the loop was closed
                return
            if not self._ticked.wait(self._limit):
                self._warn()
                self._ticked.wait()
            self._over.wait(self._limit / 2)

    def _tick(self) -> None:
        """On the loop: it lives. Where no task runs inline any more, the thread goes to sleep."""
        if not self._crew.busy():
            self.watching = False
            self._wanted.clear()
        self._ticked.set()

    def _warn(self) -> None:
        current = asyncio.current_task(self._loop)
        frame = sys._current_frames().get(self._loop_thread)
        if current is None or frame is None:
            return  # the machine was busy elsewhere, or it was no task
        held = self._crew.whose(current)
        name = f"Task {held.job.task!r} (run {held.job.run})" if held else f"The asyncio task {current.get_name()!r}"
        text = (
            f"{name} has blocked the event loop for more than {self._limit * 1000:.0f} ms: nothing else can "
            "start meanwhile. Await what it waits "
            f"for, or let it run on a thread or in a process (executor='process'). It stands at:\n{stack(frame)}"
        )
        _log.warning(text)
        if held:
            for line in text.splitlines():
                held.log.line(line)
