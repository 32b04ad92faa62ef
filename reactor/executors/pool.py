"""Threads that may be given up: a bounded pool whose threads are daemons, and whose hung ones are replaced.

May know: threads. May not know: jobs, the loop. (The standard pool waits for a hung thread when the interpreter
ends, and its place is lost for good.)
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")


class _Item:
    """One call that waits for a thread."""

    def __init__(self, future: Future[T], call: Callable[[], T]) -> None:
        self._future = cast("Future[object]", future)
        self._call = call

    def do(self) -> None:
        if not self._future.set_running_or_notify_cancel():
            return
        try:
            self._future.set_result(self._call())
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to whoever waits
            self._future.set_exception(error)


class DaemonPool(Executor):
    """At most `most` threads at work, made when they are needed."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._threads: set[int] = set()
        self._given_up: set[int] = set()
        self._starting = 0
        self._free = 0
        self._closed = False

    @property
    def given_up(self) -> int:
        """Threads that were given up and still run."""
        return len(self._given_up)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError(f"the {self._name} pool was shut down")
            self._queue.put(_Item(future, partial(fn, *args, **kwargs)))
            self._free -= 1
            if self._free < 0:
                self._grow()
        return future

    def give_up(self, thread: int) -> None:
        """This thread does not come back soon: another one may take its place. It ends once it is done with what it
        does.
        """
        with self._lock:
            if thread in self._threads:
                self._threads.discard(thread)
                self._given_up.add(thread)
                if self._free < 0:
                    self._grow()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 - the contract
        """No more work. Threads end when they are free; nobody waits for them."""
        with self._lock:
            self._closed = True
            for _ in range(len(self._threads) + self._starting):
                self._queue.put(None)

    def _grow(self) -> None:
        if len(self._threads) + self._starting < self._most:
            self._starting += 1
            threading.Thread(target=self._work, name=f"reactor {self._name}", daemon=True).start()

    def _work(self) -> None:
        me = threading.get_ident()
        with self._lock:
            self._starting -= 1
            self._threads.add(me)
            self._free += 1
        while (item := self._queue.get()) is not None:
            item.do()
            del item
            with self._lock:
                if me in self._given_up:
                    break
                self._free += 1
        with self._lock:
            self._threads.discard(me)
            self._given_up.discard(me)
