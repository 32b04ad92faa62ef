"""Bodies are read up to a limit and no further: a hundred megabytes are refused at the first one too many."""

from starlette.requests import Request


class TooLarge(Exception):
    """The body is larger than it may be."""


async def body_of(request: Request, most: int) -> bytes:
    """The body, of at most `most` bytes.

    Raises:
        TooLarge: it is larger; what is left of it is not read.
    """
    told = request.headers.get("content-length", "0")
    if told.isdecimal() and int(told) > most:
        raise TooLarge(f"The body has {told} bytes; {most} are allowed here.")
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise TooLarge(f"The body has more than {most} bytes.")
        parts.append(part)
    return b"".join(parts)
