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
