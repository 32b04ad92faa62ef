"""The kernel's notices about one folder, as names to look at: a hint that shortens the wait, and never the truth.

Notices can be lost (a queue that overflows, a folder that is new, a process that was stopped) and none of that is
told. Where a loss is possible, `everything` is asked for instead of names. One thread per folder; it wakes every 20
ms, which costs about 0.3 % of a core.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from watchfiles import Change, watch

from reactor.model.duration import SECOND
from reactor.model.ports import Clock

STEP_MS = 20
GROUP_MS = 40
BEAT_MS = 1_000
MANY = 4_096
"""More names than this in one go: the kernel's queue (16,384 notices, up to four a file) may have overflowed."""

# It logs each change. Where the log lies in the watched folder, every line would cause the next one.
logging.getLogger("watchfiles").setLevel(logging.WARNING)

Hinted = Callable[[Iterable[str] | None], None]
"""Called on the loop with names relative to the folder, or None: look at everything."""


class Watch:
    """Watches until its folder is gone or another one stands in its place."""

    def __init__(self, root: Path, deep: bool, clock: Clock, hinted: Hinted) -> None:
        self._root = os.fspath(root)
        self._deep = deep
        self._clock = clock
        self._hinted = hinted
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._standing = False

    async def run(self) -> None:
        """Returns when the folder is gone or replaced. Raises OSError where it cannot be watched, and what the
        watcher raises.
        """
        thread = threading.Thread(target=self._watch, name=f"watch {self._root}", daemon=True)
        thread.start()
        try:
            await asyncio.shield(self._ended)
        finally:
            self._stopped.set()
            await asyncio.wait([self._ended])
            self._ended.exception()

    def is_set(self) -> bool:
        """Asked by the watcher at every step, for the first time when its watches stand: what came before them is
        found by a scan.
        """
        if not self._standing:
            self._standing = True
            self._call(partial(self._hinted, None))
        return self._stopped.is_set()

    def _watch(self) -> None:
        error: BaseException | None = None
        try:
            self._notices()
        except BaseException as caught:  # noqa: BLE001 - a panic of its Rust part is no Exception
            error = caught
        self._call(partial(self._end, error))

    def _notices(self) -> None:
        os.scandir(self._root).close()  # one that may not be listed would be watched without a notice, for ever
        identity, beat = self._identity(), self._clock.now()
        notices = watch(
            self._root, watch_filter=None, debounce=GROUP_MS, step=STEP_MS, rust_timeout=BEAT_MS, yield_on_timeout=True,
            stop_event=self, raise_interrupt=False, recursive=self._deep, ignore_permission_denied=True,
        )  # fmt: skip
        for changes in notices:
            now, before = self._clock.now(), beat
            beat = now
            slept = not 0 <= now - before <= 3 * SECOND  # this process was stopped, or the machine: notices may be lost
            if slept or len(changes) > MANY:
                self._call(partial(self._hinted, None))
            elif changes:
                names = [path[len(self._root) + 1 :] for _, path in changes]
                self._call(partial(self._hinted, names))
            if (Change.deleted, self._root) in changes or self._identity() != identity:
                return  # a new folder may get the number of one that was removed: the number alone does not tell

    def _identity(self) -> tuple[int, int]:
        info = Path(self._root).stat()
        return info.st_dev, info.st_ino

    def _call(self, function: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:
            self._stopped.set()  # the loop is closed: nobody listens any more

    def _end(self, error: BaseException | None) -> None:
        if error is None or isinstance(error, FileNotFoundError):
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)
