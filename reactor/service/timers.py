"""Timers: retries and deadlines, handed to the engine when they are due. Nothing is kept here that the ledger does not hold."""

import asyncio
import heapq
from collections.abc import Callable

from reactor.core.deadlines import between, next_after
from reactor.core.graph import Graph
from reactor.model.commands import SetTimer
from reactor.model.ids import Instant
from reactor.model.outcome import DeadlineDue, RetryDue, StepEvent
from reactor.model.ports import Clock
from reactor.store.base import Transaction

JUDGED = "deadlines judged until"
"""The ledger's note of the instant up to which deadlines were judged."""
CATCH_UP = 5_000_000
"""Microseconds after a start before overdue deadlines are judged: what landed while the service was down is read first."""

Ask = Callable[[list[StepEvent], Transaction | None], None]


class Timers:
    """One loop for all moments that are waited for."""

    def __init__(self, clock: Clock, graph: Callable[[], Graph], ask: Ask) -> None:
        self._clock, self._graph, self._ask = clock, graph, ask
        self._heap: list[tuple[Instant, str, int]] = []
        self._changed = asyncio.Event()
        self._redefined = asyncio.Event()

    def add(self, timer: SetTimer) -> None:
        heapq.heappush(self._heap, (timer.due, timer.run, timer.token))
        self._changed.set()

    async def run_retries(self) -> None:
        while True:
            if not self._heap:
                self._changed.clear()
                await self._changed.wait()
            await self._until(self._heap[0][0], self._changed)
            now = self._clock.now()
            due: list[StepEvent] = []
            while self._heap and self._heap[0][0] <= now:
                _, run, token = heapq.heappop(self._heap)
                due.append(RetryDue(run, token))  # type: ignore[arg-type]
            if due:
                self._ask(due, None)

    def graph_changed(self) -> None:
        """An asset may have another deadline now, or a first one."""
        self._redefined.set()

    async def _until(self, at: Instant, changed: asyncio.Event) -> None:
        """Sleeps to the instant, or until an earlier one may have come in."""
        changed.clear()
        sleep = asyncio.ensure_future(self._clock.sleep_until(at))
        change = asyncio.ensure_future(changed.wait())
        try:
            await asyncio.wait([sleep, change], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            change.cancel()

    async def run_deadlines(self, judged: Instant | None) -> None:
        """`judged`: up to when they were judged before; None: never, and what is overdue now is nobody's surprise."""
        last = self._clock.now() if judged is None else judged
        await self._clock.sleep(CATCH_UP)
        while True:
            now = self._clock.now()
            if now > last:
                self._judge(last, now)
                last = now
            due = next_after(self._graph(), now)
            await self._until(due if due is not None else Instant(now + 3_600_000_000), self._redefined)

    def _judge(self, last: Instant, now: Instant) -> None:
        graph = self._graph()
        found: list[DeadlineDue] = [
            d for name, a in graph.assets.items() if a.due for d in between(graph, name, last, now)
        ]
        self._ask([*found], Transaction(meta={JUDGED: str(now)}))
