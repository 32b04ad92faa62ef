"""A deterministic event loop: virtual time, a seeded order of tasks, and a stop at any step.

The same seed gives the same history, whatever the heap looks like. Only the order of *task steps* is shuffled: everything else keeps its order, as
library code may rely on it. Work that would go to a thread is done on the loop after a delay, and its answer comes after a second one, so that a
crash can fall between the two: what a real disk does between the commit and the word of it.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlock(Exception):
    """Nothing is left to do, and somebody still waits."""


class Crash(BaseException):
    """The process is killed here."""


class SimTask(asyncio.Task[T]):
    """Hashes by its number: sets of tasks are walked in the same order in every process."""

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other

    number = 0


class SimFuture(asyncio.Future[T]):
    number = 0

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


class SimSelector(selectors.BaseSelector):
    """No files: to wait is to let virtual time pass."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        raise RuntimeError("a simulated world has no files and sockets")

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        raise RuntimeError("a simulated world has no files and sockets")

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock("nothing is scheduled, and somebody waits")
        self._loop.pass_time(timeout)
        return []

    def get_map(self) -> dict[Any, selectors.SelectorKey]:
        return {}


class SimLoop(asyncio.BaseEventLoop):
    """See the file's head. `budget`: steps until the process is killed; None: it lives."""

    def __init__(self, rng: random.Random, start: float, budget: int | None = None) -> None:
        super().__init__()
        self._rng = rng
        self._now = start
        self._clock_resolution = 1e-7  # coarser than the rounding of the times that are added up
        self._numbers = itertools.count(1)
        self._selector = SimSelector(self)
        self.steps = 0
        self.budget = budget
        self.set_task_factory(self._make_task)  # type: ignore[arg-type]

    def time(self) -> float:
        return self._now

    def pass_time(self, length: float) -> None:
        self._now += max(length, 0.0)

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, T], **options: Any
    ) -> asyncio.Task[T]:
        task: SimTask[T] = SimTask(coro, loop=loop, **options)
        task.number = next(self._numbers)
        return task

    def create_future(self) -> asyncio.Future[Any]:
        future: SimFuture[Any] = SimFuture(loop=self)
        future.number = next(self._numbers)
        return future

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        future = self.create_future()

        def work() -> None:
            try:
                answer = func(*args)
            except BaseException as error:  # noqa: BLE001 - goes to who waits
                self.call_later(self._delay(), _fail, future, error)
            else:
                self.call_later(self._delay(), _answer, future, answer)

        self.call_later(self._delay(), work)
        return future

    def _delay(self) -> float:
        return self._rng.random() * 0.003

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def _run_once(self) -> None:
        self.steps += 1
        if self.budget is not None and self.steps > self.budget:
            raise Crash
        self._shuffle()
        super()._run_once()  # type: ignore[misc]

    def _shuffle(self) -> None:
        """The steps of tasks change places among themselves."""
        ready = self._ready  # type: ignore[attr-defined]
        places = [n for n, handle in enumerate(ready) if _is_step(handle)]
        if len(places) < 2:
            return
        order = places[:]
        self._rng.shuffle(order)
        handles = [ready[n] for n in order]
        for place, handle in zip(places, handles, strict=True):
            ready[place] = handle

    def _process_events(self, event_list: Any) -> None:
        assert not event_list

    def _write_to_self(self) -> None:
        return


def _is_step(handle: asyncio.Handle) -> bool:
    callback = handle._callback  # type: ignore[attr-defined]
    return isinstance(getattr(callback, "__self__", None), asyncio.Task)


def _answer(future: asyncio.Future[T], answer: T) -> None:
    if not future.done():
        future.set_result(answer)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
