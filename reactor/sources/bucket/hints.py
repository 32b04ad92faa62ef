"""Names to look at soon, and who waits until they were: a notification is settled when what it led to is durable.

A hint only shortens the wait for the next listing. So it may be lost, come twice or lie, and nothing comes of it but one
look at an object; and it is never needed again once the source has started anew.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from reactor.sources.bucket.notifications import Named, NotANotification, parse
from reactor.sources.bucket.place import Place

MOST = 10_000
"""Names that may wait to be looked at. Whoever brings more waits until there is room."""


class Notice:
    """One message: settled when each name in it was looked at, and what was new is durable."""

    def __init__(self, names: int) -> None:
        self._left = names
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not names:
            self.settled.set_result(None)

    def one_less(self) -> None:
        self._left -= 1
        if not self._left and not self.settled.done():
            self.settled.set_result(None)


class Hints:
    """The hints of one source, from the message to the commit. `everything` asks for a whole listing."""

    def __init__(self, place: Place, everything: Callable[[], None]) -> None:
        self.everything = everything
        self.closed = asyncio.Event()
        self.refused = 0
        """Messages that were not understood."""
        self.last_refusal = ""
        self._place = place
        self._asked: dict[str, list[Notice]] = {}
        self._unsure: dict[str, list[Notice]] = {}
        self._ready: dict[str, list[Notice]] = {}
        self._under_way: deque[tuple[int, list[Notice]]] = deque()
        self._some, self._room = asyncio.Event(), asyncio.Event()

    # For those who bring messages -------------------------------------------------------------------------------

    async def message(self, body: bytes) -> "asyncio.Future[None] | None":
        """Takes a message as it came; None where it is not understood, which is counted."""
        try:
            named = parse(body)
        except NotANotification as error:
            self.refused += 1
            self.last_refusal = str(error)
            return None
        return await self.named(named)

    async def named(self, named: Iterable[Named]) -> "asyncio.Future[None]":
        """Takes the objects that a message named; those of other places are nobody's here. Waits while there is no room."""
        ours = (n for n in named if n.bucket == self._place.bucket)
        names = {name for n in ours for key in n.keys if (name := self._place.name_of(key)) is not None}
        while len(self._asked) >= MOST:
            self._room.clear()
            await self._room.wait()
        notice = Notice(len(names))
        for name in names:
            self._asked.setdefault(name, []).append(notice)
            self._some.set()
        return notice.settled

    def reads(self, bucket: str) -> bool:
        return bucket == self._place.bucket

    # For the source ---------------------------------------------------------------------------------------------

    async def next(self, most: int) -> dict[str, list[Notice]]:
        """Up to so many names to look at, with those who wait for each. Waits for the first."""
        while not self._asked:
            self._some.clear()
            await self._some.wait()
        taken = [name for name, _ in zip(self._asked, range(most), strict=False)]
        self._room.set()
        return {name: self._asked.pop(name) for name in taken}

    def left_to_listing(self, names: Mapping[str, list[Notice]]) -> None:
        """They could not be looked at: the next whole listing tells."""
        for name, notices in names.items():
            self._unsure.setdefault(name, []).extend(notices)

    def for_listing(self) -> dict[str, list[Notice]]:
        """A listing begins: what is left to it, to be called `looked` when it is complete."""
        unsure, self._unsure = self._unsure, {}
        return unsure

    def looked(self, name: str, notices: Sequence[Notice], *, ready: bool) -> None:
        """It was looked at. Not `ready`: it is what is known already, and the last batch under way may be what told it."""
        if ready:
            self._ready.setdefault(name, []).extend(notices)
        else:
            self._behind_the_last(notices)

    def handed_out(self, names: Iterable[str], until: int, still_ready: Mapping[str, object]) -> None:
        """A batch that ends at `until` tells these. What waited for a name that is not ready any more waits for it too."""
        told = set(names)
        over = [name for name in self._ready if name in told or name not in still_ready]
        self._under_way.append((until, [notice for name in over for notice in self._ready.pop(name)]))

    def nothing_to_tell(self) -> None:
        """Nothing is ready: what was has gone again."""
        while self._ready:
            self._behind_the_last(self._ready.popitem()[1])

    def done(self, until: int) -> None:
        """Everything before this position is durable."""
        while self._under_way and self._under_way[0][0] <= until:
            for notice in self._under_way.popleft()[1]:
                notice.one_less()

    def _behind_the_last(self, notices: Sequence[Notice]) -> None:
        if self._under_way:
            self._under_way[-1][1].extend(notices)
            return
        for notice in notices:
            notice.one_less()


class Channel(Protocol):
    """A way on which messages come."""

    async def run(self, hints: Hints) -> None:
        """Brings messages until it is cancelled. Trouble is told by `trouble` and tried again."""

    def trouble(self) -> str:
        """Why none comes; empty while all is well."""
