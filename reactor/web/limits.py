"""Bodies are read up to a limit and no further: a hundred megabytes are refused at the first one too many, and one that trickles in is cut."""

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class TooLarge(Exception):
    """The body is larger than it may be."""


class TooSlow(Exception):
    """The body did not come in the time that it may take."""


class Patience:
    """Gives every request's body `seconds` from its first line on. Whoever is slower holds a connection, and memory, for nothing."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app, self._seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        end, whole = asyncio.get_running_loop().time() + self._seconds, False

        async def received() -> Message:
            """Raises TooSlow. What comes behind the body (the client goes away) may take its time."""
            nonlocal whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(end):
                    message = await receive()
            except TimeoutError:
                raise TooSlow(
                    f"The body was not here after {self._seconds:g} s. Send it faster, or in parts."
                ) from None
            whole = message["type"] != "http.request" or not message.get("more_body", False)
            return message

        await self._app(scope, received, send)


async def body_of(request: Request, most: int) -> bytes:
    """The body, of at most `most` bytes.

    Raises:
        TooLarge: it is larger; what is left of it is not read.
        TooSlow: it takes longer than it may; see `Patience`.
    """
    told = request.headers.get("content-length", "0")
    if told.isdecimal() and int(told) > most:
        raise TooLarge(_text(f"{told}", most))
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise TooLarge(_text(f"more than {most}", most))
        parts.append(part)
    return b"".join(parts)


def _text(size: str, most: int) -> str:
    return (
        f"The body has {size} bytes; {most} are allowed here. Nothing of it was taken. Send it in parts, or put the data where it belongs and "
        "send its place."
    )
