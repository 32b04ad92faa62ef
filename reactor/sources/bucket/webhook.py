"""Messages that are posted: the web layer hands each one in, and answers when all that it led to is durable."""

import asyncio

from reactor.model.errors import NotFound, Unreachable
from reactor.sources.bucket.hints import Hints
from reactor.sources.bucket.notifications import Named, parse

PATIENCE = 10.0
"""Seconds that a poster waits. Long after them the object is still read, by its hint or by the next listing."""


class Webhook:
    """The door for all buckets of a project that are told of by posts."""

    def __init__(self) -> None:
        self._listening: list[Hints] = []

    async def run(self, hints: Hints) -> None:
        """See `Channel.run`."""
        self._listening.append(hints)
        try:
            await asyncio.get_running_loop().create_future()  # until it is cancelled
        finally:
            self._listening.remove(hints)

    def trouble(self) -> str:
        """See `Channel.trouble`."""
        return ""

    async def post(self, body: bytes) -> int:
        """Returns how many objects the message named, once all that it led to is durable.

        Raises:
            NotANotification: the message says nothing that could be understood.
            NotFound: nobody here reads the bucket.
            Unreachable: it is not durable yet. Post it again; twice does no harm.
        """
        named = parse(body)
        readers = [hints for hints in self._listening if any(hints.reads(n.bucket) for n in named)]
        if named and not readers:
            raise NotFound(f"No sensor reads s3://{named[0].bucket} with notify='webhook'.")
        await asyncio.gather(*(_settled(hints, named) for hints in readers))
        return len(named)


async def _settled(hints: Hints, named: list[Named]) -> None:
    async def taken() -> None:
        await (await hints.named(named))

    ends = [asyncio.ensure_future(taken()), asyncio.ensure_future(hints.closed.wait())]
    try:
        await asyncio.wait(ends, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if not ends[0].done():
            raise Unreachable("The bucket was not looked at in time. The next listing does it; or post this again.")
    finally:
        for end in ends:
            end.cancel()
