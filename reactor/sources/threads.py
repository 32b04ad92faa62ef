"""A blocking call in a thread of its own, which never keeps the process from ending: a query can hang for as long
as its server likes.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def apart(function: Callable[[], T], name: str) -> T:
    """What the function returns or raises. Where this is cancelled, the call goes on unheard."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: Exception | None) -> None:
        if answer.cancelled():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(value)  # type: ignore[arg-type]  # None only where T has None

    def call() -> None:
        try:
            outcome: tuple[T | None, Exception | None] = function(), None
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            outcome = None, error
        try:
            loop.call_soon_threadsafe(settle, *outcome)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    threading.Thread(target=call, name=name, daemon=True).start()
    return await answer
