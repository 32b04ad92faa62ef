"""Waiting for something to become true, with a deadline. No test sleeps for a fixed time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(fn: Callable[[], Awaitable[T]], timeout: float = ..., every: float = ...) -> T: ...
@overload
async def eventually(fn: Callable[[], T], timeout: float = ..., every: float = ...) -> T: ...
async def eventually(fn: Callable[[], object], timeout: float = 10.0, every: float = 0.02) -> object:
    """Call `fn` (sync or async) until it gives something truthy and raises no AssertionError; give that back.

    After `timeout` seconds raises TimeoutError with the last answer, or the last AssertionError itself.
    An `fn` that hangs is cut off at the deadline too; any other error of it is raised at once.
    """
    deadline = time.monotonic() + timeout
    answer: object = None
    while True:
        failed: AssertionError | None = None
        try:
            answer = await _within(fn, max(deadline - time.monotonic(), every))
            if answer:
                return answer
        except AssertionError as error:
            failed = error
        if time.monotonic() >= deadline:
            raise failed or TimeoutError(f"still not true after {timeout:g} s; the last answer was {answer!r}")
        await asyncio.sleep(every)


async def _within(fn: Callable[[], object], seconds: float) -> object:
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            answer = fn()
            return await answer if inspect.isawaitable(answer) else answer
    except TimeoutError:
        if limit.expired():
            return None
        raise
