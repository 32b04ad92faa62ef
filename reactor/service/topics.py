"""Embedded topics: the log in the ledger's own database, as a source reads it, and the bell that wakes a reader after a commit."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from reactor.sources.base import LogRecord
from reactor.store.base import Reader


class EmbeddedLog:
    """`reactor.sources.base.TopicLog` over the store's reader."""

    def __init__(self, reader: Callable[[], Awaitable[Reader]]) -> None:
        self._reader = reader
        self._bell = asyncio.Event()

    async def read(self, topic: str, offset: int, limit: int) -> list[LogRecord]:
        found = await (await self._reader()).topic(topic, offset, limit)
        return [LogRecord(r.topic, r.offset, r.key, r.body, r.headers, r.at) for r in found]

    async def ends(self, topic: str) -> tuple[int, int]:
        return (await (await self._reader()).topic_ends()).get(topic, (0, 0))

    async def wait(self, topic: str, offset: int) -> None:
        while (await self.ends(topic))[1] <= offset:
            self._bell.clear()
            if (await self.ends(topic))[1] > offset:
                return
            await self._bell.wait()

    def rang(self, appended: Mapping[str, int]) -> None:
        """Records were committed."""
        if appended:
            self._bell.set()
