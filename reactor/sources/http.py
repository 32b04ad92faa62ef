"""Events that are posted, by type or to a webhook: sources that the web layer feeds. A post is answered once its events and their effects
are durable, never before.

Posts that arrive while a batch is being written are the next batch. What waits is bounded in events and in bytes:
beyond that a post is turned away at once with `Busy`, and its sender, who still has the event, comes again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import NamedTuple

from reactor.model.errors import NotFound, ReactorError, Unreachable, nearest
from reactor.model.events import CloudEvent, RawEvent
from reactor.model.ids import Instant, Lane, SourceName
from reactor.model.ports import Clock
from reactor.model.source import Http, Webhook
from reactor.sources.base import ONLY_LANE, Batch, Condition, Health, LaneStart
from reactor.sources.cloudevents import Posted

BATCH = 1_000
WAITING_EVENTS = 10_000
WAITING_BYTES = 64 * 1024 * 1024


class Busy(ReactorError):
    """More events wait than may wait. Nothing of this post was taken: send it again after `retry_after` seconds."""

    exit_code = 75
    retry_after = 1


class UnknownType(NotFound):
    """No sensor takes events of this type. Nothing of this post was taken."""


class Receipt(NamedTuple):
    """Where one event stands, durable: once for each source that took it."""

    source: SourceName
    position: int


class _Post:
    """One call of `offer`: it is answered when all of its events are durable in all of their sources."""

    def __init__(self, events: int) -> None:
        self.receipts: list[list[Receipt]] = [[] for _ in range(events)]
        self.left = 0
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(self, number: int, receipt: Receipt) -> None:
        self.receipts[number].append(receipt)
        self.left -= 1
        if self.left == 0 and not self.answer.done():
            self.answer.set_result(None)

    def fail(self, error: ReactorError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class _Waiting(NamedTuple):
    posted: Posted
    post: _Post
    number: int


class HttpSource:
    """The events of one `Http` or `Webhook` spec. Made by `HttpIntake`."""

    def __init__(self, spec: Http | Webhook, clock: Clock) -> None:
        self._spec = spec
        self._clock = clock
        self._queue: deque[_Waiting] = deque()
        self._handed: dict[int, list[_Waiting]] = {}
        self._bytes = 0
        self._held = 0
        self._position = 0
        self._first_time = True
        self._more = asyncio.Event()
        self._running = False
        self._since = clock.now()
        self._last_event: Instant | None = None
        self.trouble: str | None = None
        """Why nothing can be taken although it runs."""

    @property
    def name(self) -> SourceName:
        return self._spec.name

    @property
    def running(self) -> bool:
        return self._running

    def takes(self, kind: str) -> bool:
        """Whether events of this type are for this source. What a webhook takes is said by its path."""
        if isinstance(self._spec, Webhook):
            return False
        wanted = self._spec.type
        return kind.startswith(wanted[:-1]) if wanted.endswith("*") else kind == wanted

    def room(self, events: int, size: int) -> bool:
        """Whether so much more may wait. Any post is taken by a source that is empty."""
        fits = self._held + events <= WAITING_EVENTS and self._bytes + size <= WAITING_BYTES
        return fits or self._held == 0

    def put(self, waiting: Iterable[_Waiting]) -> None:
        for each in waiting:
            self._queue.append(each)
            self._held += 1
            self._bytes += each.posted.size
        self._more.set()

    async def start(self, lanes: Mapping[Lane, LaneStart]) -> None:
        self._turn_away(
            "The service read its sources anew before this event was durable. Send it again: it is recognised by "
            "its id."
        )
        at = lanes.get(ONLY_LANE)
        self._position = 0 if at is None else at.position
        self._first_time = at is None
        self._more = asyncio.Event()
        self._running = True
        self._since = self._clock.now()

    async def stop(self) -> None:
        self._running = False
        self._since = self._clock.now()
        self._turn_away(
            "The service is stopping and this event is not durable. Send it again: it is recognised by its id."
        )
        self._more.set()

    async def batches(self) -> AsyncIterator[Batch]:
        more = self._more
        while self._running and more is self._more:
            await more.wait()
            if self._queue and more is self._more:
                yield self._batch()
            else:
                more.clear()

    async def done(self, batch: Batch) -> None:
        handed = self._handed.pop(batch.first, [])
        self._let_go(handed)
        for position, each in enumerate(handed, start=batch.first):
            each.post.settle(each.number, Receipt(self.name, position))

    def health(self) -> Health:
        condition = Condition.CONNECTED if self._running else Condition.STOPPED
        if self._running and self.trouble is not None:
            condition = Condition.BROKEN
        return Health(condition, self._since, self._held, self._last_event, self.trouble)

    def say(self, trouble: str | None) -> None:
        if (trouble is None) is not (self.trouble is None):
            self._since = self._clock.now()
        self.trouble = trouble

    def _batch(self) -> Batch:
        waiting = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
        first = self._position
        self._position += len(waiting)
        self._handed[first] = waiting
        self._last_event = self._clock.now()
        events = [
            RawEvent(w.posted.event, position, identity(w.posted.event), w.posted.traceparent)
            for position, w in enumerate(waiting, start=first)
        ]
        first_time, self._first_time = self._first_time, False
        return Batch(self.name, ONLY_LANE, first, self._position, events, keep=True, first_time=first_time)

    def _turn_away(self, why: str) -> None:
        waiting = [*self._queue, *(w for handed in self._handed.values() for w in handed)]
        self._queue.clear()
        self._handed.clear()
        self._let_go(waiting)
        for each in waiting:
            each.post.fail(Unreachable(why))

    def _let_go(self, waiting: Sequence[_Waiting]) -> None:
        self._held -= len(waiting)
        self._bytes -= sum(w.posted.size for w in waiting)


class HttpIntake:
    """What the web layer posts to. Its `sources` are given to the engine like any others."""

    def __init__(self, specs: Sequence[Http | Webhook], clock: Clock) -> None:
        self._sources = {spec.name: HttpSource(spec, clock) for spec in specs}
        self._types = sorted({spec.type for spec in specs if isinstance(spec, Http)})
        self._hooks = {spec.path: spec for spec in specs if isinstance(spec, Webhook)}

    @property
    def sources(self) -> list[HttpSource]:
        return list(self._sources.values())

    def refuse(self, kind: str) -> str | None:
        """Why no event of this type is taken; None where one is."""
        if any(source.takes(kind) for source in self._sources.values()):
            return None
        known = f"Known: {', '.join(self._types[:8])}." if self._types else "No sensor takes events by HTTP."
        return f"No sensor takes events of the type {kind!r}.{nearest(kind, self._types)} {known}"

    def hook(self, path: str) -> Webhook | None:
        """The webhook at this path."""
        return self._hooks.get(path)

    def trouble(self, hook: Webhook, text: str | None) -> None:
        """Why nothing can be taken at this webhook; None where something can."""
        self._sources[hook.name].say(text)

    async def deliver(self, hook: Webhook, posted: Posted) -> None:
        """Returns when it is durable. Raises Busy or Unreachable, as `offer` does."""
        post = _Post(1)
        await self._hand_over({hook.name: [_Waiting(posted, post, 0)]}, post)

    async def offer(self, posted: Sequence[Posted]) -> list[list[Receipt]]:
        """Takes all of these events or none. Returns when they are durable: for each of them, where it stands in
        each source.

        Raises:
            UnknownType: one of them has a type that nobody takes (see `refuse`).
            Busy: too much waits already.
            Unreachable: the service is not running, or it stopped before they were durable. They may be sent again.
        """
        post = _Post(len(posted))
        await self._hand_over(self._shares(posted, post), post)
        return post.receipts

    async def _hand_over(self, shares: Mapping[SourceName, Sequence[_Waiting]], post: _Post) -> None:
        self._check(shares)
        for name, share in shares.items():
            post.left += len(share)
            self._sources[name].put(share)
        if post.left:
            await post.answer

    def _shares(self, posted: Sequence[Posted], post: _Post) -> dict[SourceName, list[_Waiting]]:
        shares: dict[SourceName, list[_Waiting]] = {}
        for number, each in enumerate(posted):
            taken = False
            for name, source in self._sources.items():
                if source.takes(each.event.type):
                    shares.setdefault(name, []).append(_Waiting(each, post, number))
                    taken = True
            if not taken:
                raise UnknownType(self.refuse(each.event.type))
        return shares

    def _check(self, shares: Mapping[SourceName, Sequence[_Waiting]]) -> None:
        for name, share in shares.items():
            source = self._sources[name]
            if not source.running:
                raise Unreachable(
                    "The service does not take events now: it is starting or stopping. Send them again in a moment."
                )
            if not source.room(len(share), sum(w.posted.size for w in share)):
                raise Busy(
                    f"{source.health().lag} events of {name} wait to be written, and no more may wait. Send these "
                    "again in a moment."
                )


def identity(event: CloudEvent) -> str:
    """What a second delivery is recognised by: source and id, joined so that no two pairs give the same text."""
    return f"{len(event.source)}:{event.source}{event.id}"
