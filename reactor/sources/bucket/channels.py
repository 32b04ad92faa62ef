"""Messages out of a topic, from any source of records: Kafka's, or that of the embedded log."""

from collections.abc import Callable
from contextlib import aclosing

from reactor.model.events import Record
from reactor.model.ids import Lane
from reactor.sources.base import Batch, LaneStart, Source
from reactor.sources.bucket.hints import Hints

PositionOf = Callable[[Lane], LaneStart | None]
MakeSource = Callable[[PositionOf], Source]
"""A new source of a topic, read from its end: what came before, the listing at the start finds."""


class TopicChannel:
    """The messages of one topic. A batch is acknowledged when all that it led to is durable."""

    def __init__(self, make: MakeSource) -> None:
        self._make = make
        self._source: Source | None = None

    async def run(self, hints: Hints) -> None:
        """See `Channel.run`."""
        stands: dict[Lane, LaneStart] = {}
        self._source = source = self._make(stands.get)
        await source.start({})
        try:
            async with aclosing(source.batches()) as batches:  # type: ignore[type-var]  # they are generators
                async for batch in batches:
                    if batch.first_time:
                        hints.everything()  # what came between the last listing and this moment was told to nobody
                    await _bring(batch, hints)
                    stands[batch.lane] = LaneStart(batch.until, batch.cursor)
                    await source.done(batch)
        finally:
            await source.stop()

    def trouble(self) -> str:
        """See `Channel.trouble`."""
        return (self._source.health().error or "") if self._source is not None else ""


async def _bring(batch: Batch, hints: Hints) -> None:
    bodies = [e.payload.body for e in batch.events if isinstance(e.payload, Record) and e.payload.body is not None]
    for settled in [await hints.message(body) for body in bodies]:
        if settled is not None:
            await settled
