"""Completeness as numbers, for those who watch: how many of each asset's newest partitions are in which state, and how fresh it is.

Counted when somebody asks, and at most every `KEPT`: whoever asks more often gets the last answer, and nobody can make it work for him alone.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from reactor.core.graph import Graph
from reactor.model.ids import Instant
from reactor.model.ports import Clock
from reactor.service.views import board
from reactor.service.views.board import Known
from reactor.service.views.words import SlotState
from reactor.store.base import Reader

PARTITIONS = 7
"""The newest of each asset; of an hourly one seven days."""
KEPT = 15_000_000
"""Microseconds for which an answer is good enough."""
AT_ONCE = 20
"""Partitions that are judged before others on the loop have their turn."""


class Numbers(msgspec.Struct, frozen=True):
    """`partitions`: by asset and state, those without any too. `newest`: when an asset last got a version, where it ever did."""

    partitions: Mapping[tuple[str, str], int]
    newest: Mapping[str, Instant]


class Counting:
    """See the file's head."""

    def __init__(self, reader: Callable[[], Awaitable[Reader]], graph: Callable[[], Graph], clock: Clock) -> None:
        self._reader, self._graph, self._clock = reader, graph, clock
        self._last: tuple[Graph, Instant, Numbers] | None = None
        self._counting = asyncio.Lock()

    async def numbers(self) -> Numbers:
        async with self._counting:
            now, graph, last = self._clock.now(), self._graph(), self._last
            if last is None or last[0] is not graph or not last[1] <= now < last[1] + KEPT:
                last = self._last = (graph, now, await count(await self._reader(), graph, now))
            return last[2]


async def count(reader: Reader, graph: Graph, now: Instant) -> Numbers:
    """Everything anew."""
    known, judged = Known(), 0
    for name in board.in_order(graph):
        many = board.newest_of(graph, name, PARTITIONS)
        await board.read(reader, graph, known, name, many)
        for key in board.keys(graph, known, name, now, many):
            board.judge(graph, known, name, key, now)
            judged += 1
            if judged % AT_ONCE == 0:
                await asyncio.sleep(0)
    found = Counter((cell.asset, str(cell.state)) for cell in known.cells.values())
    newest: dict[str, Instant] = {}
    for slot in known.slots.values():
        if slot.version:
            newest[slot.asset] = max(slot.at, newest.get(slot.asset, slot.at))
    return Numbers({(a, str(s)): found[a, str(s)] for a in graph.assets for s in SlotState}, newest)
