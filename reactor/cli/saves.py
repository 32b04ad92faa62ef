"""Saved definitions: says that the files of the definitions folders are not what they were, however that came about.

Law: notices are hints, the files' digests are the truth. So a save before the watch stands is found, a folder that is made later is watched
from then on, and a notice about nothing is nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path

from reactor.model.duration import SECOND, spell
from reactor.model.ports import Clock
from reactor.project.importing import files_of
from reactor.project.load import digests
from reactor.sources.files.watch import Watch

log = logging.getLogger(__name__)

DEBOUNCE = SECOND // 20
"""Several saves within it count as one."""
LOOK = SECOND // 10
"""Between two looks for a folder that is not there."""
UNWATCHED = SECOND
"""Between two looks where the system gives no notices."""


class Saves:
    """Calls `saved` each time that the definition files are not as `known` says. Whoever loads them says in `known` what was loaded."""

    def __init__(self, root: Path, folders: Sequence[str], known: Mapping[str, str], clock: Clock) -> None:
        self.known = known
        self._root, self._folders, self._clock = root, folders, clock
        self._hint = asyncio.Event()

    async def run(self, saved: Callable[[], Awaitable[None]]) -> None:
        """Until it is cancelled, or `saved` raises."""
        async with asyncio.TaskGroup() as group:
            for folder in self._folders:
                group.create_task(self._watch(self._root / folder), name=f"watch {folder}")
            while True:
                await self._hint.wait()
                self._hint.clear()
                await self._clock.sleep(DEBOUNCE)
                now = await asyncio.to_thread(lambda: digests(files_of(self._root, self._folders)))
                if now != self.known:
                    self.known = now
                    await saved()

    async def _watch(self, folder: Path) -> None:
        while True:
            while not folder.is_dir():  # noqa: ASYNC240 - one look at the disk, ten times a second
                await self._clock.sleep(LOOK)
            try:
                await Watch(folder, True, self._clock, self._hinted).run()
            except Exception as error:  # noqa: BLE001 - a limit of the kernel: then it is looked at now and again
                log.warning(
                    "No notices of saves in %s (%s): it is looked at every %s.", folder, error, spell(UNWATCHED)
                )
                await self._look_now_and_again(folder)
            self._hint.set()

    async def _look_now_and_again(self, folder: Path) -> None:
        while folder.is_dir():  # noqa: ASYNC240 - as above
            await self._clock.sleep(UNWATCHED)
            self._hint.set()

    def _hinted(self, names: Iterable[str] | None) -> None:
        if names is None or any(name.endswith(".py") for name in names):
            self._hint.set()
