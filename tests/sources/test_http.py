"""Posted events: answered when they are durable, bounded while they wait, and handed on once however often they are
sent.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from reactor.model.errors import Unreachable
from reactor.model.events import CloudEvent, RawEvent
from reactor.model.source import Http, Webhook
from reactor.sources import http
from reactor.sources.base import ONLY_LANE, LaneStart
from reactor.sources.cloudevents import Posted
from reactor.sources.http import Busy, HttpIntake, HttpSource, Receipt, UnknownType, identity
from tests.clock import VirtualClock
from tests.sources.conformance import SourceConformance

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def posted(id: str = "1", kind: str = "shop.order", size: int = 10) -> Posted:
    return Posted(CloudEvent(id, "/shop", kind), TRACE, size)


async def running(*types: str) -> HttpIntake:
    intake = HttpIntake([Http(t) for t in types], VirtualClock())
    for source in intake.sources:
        await source.start({ONLY_LANE: LaneStart(100)})
    return intake


async def test_a_post_is_answered_when_its_events_are_durable_and_not_before() -> None:
    intake = await running("shop.order")
    [source] = intake.sources
    offer = asyncio.create_task(intake.offer([posted("1"), posted("2")]))
    batch = await anext(source.batches())
    assert [(e.position, e.id, e.traceparent) for e in batch.events] == [
        (100, "5:/shop1", TRACE),
        (101, "5:/shop2", TRACE),
    ]
    assert (batch.first, batch.until, batch.keep) == (100, 102, True)
    assert not offer.done()
    await source.done(batch)
    assert await offer == [[Receipt(source.name, 100)], [Receipt(source.name, 101)]]
    assert source.health().lag == 0


async def test_posts_that_come_at_once_share_a_batch() -> None:
    intake = await running("shop.order")
    [source] = intake.sources
    offers = [asyncio.create_task(intake.offer([posted(str(n))])) for n in range(1_200)]
    await asyncio.sleep(0)
    batches = source.batches()
    sizes = []
    for _ in range(2):
        batch = await anext(batches)
        sizes.append(len(batch.events))
        await source.done(batch)
    assert sizes == [1_000, 200]
    assert [r[0][0].position for r in await asyncio.gather(*offers)] == list(range(100, 1_300))


async def test_types_go_where_a_sensor_waits_for_them_by_name_or_by_prefix() -> None:
    intake = await running("shop.order", "shop.*", "bank.*")
    taken = {
        kind: [s.name for s in intake.sources if s.takes(kind)]
        for kind in ("shop.order", "shop.refund", "bank.", "other")
    }
    assert taken == {
        "shop.order": ["http:shop.order", "http:shop.*"],
        "shop.refund": ["http:shop.*"],
        "bank.": ["http:bank.*"],
        "other": [],
    }


async def test_an_event_for_two_sources_is_answered_when_it_is_durable_in_both() -> None:
    intake = await running("shop.order", "shop.*")
    offer = asyncio.create_task(intake.offer([posted()]))
    for source in intake.sources:
        assert not offer.done()
        await source.done(await anext(source.batches()))
        await asyncio.sleep(0)
    assert [sorted(r.source for r in each) for each in await offer] == [["http:shop.*", "http:shop.order"]]


async def test_a_type_that_nobody_takes_is_named_with_the_nearest_and_nothing_is_taken() -> None:
    intake = await running("shop.order", "shop.refund")
    with pytest.raises(UnknownType, match=r"'shop\.ordre'\. Did you mean 'shop\.order'"):
        await intake.offer([posted(), posted(kind="shop.ordre")])
    assert [s.health().lag for s in intake.sources] == [0, 0]
    assert intake.refuse("shop.order") is None
    assert "No sensor takes events by HTTP" in (HttpIntake([], VirtualClock()).refuse("a") or "")


async def test_what_waits_is_bounded_in_events_and_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "WAITING_EVENTS", 2)
    monkeypatch.setattr(http, "WAITING_BYTES", 100)
    intake = await running("shop.order")
    [source] = intake.sources
    first = asyncio.create_task(intake.offer([posted("1", size=90)]))
    await asyncio.sleep(0)
    with pytest.raises(Busy, match=r"1 events of http:shop\.order wait"):
        await intake.offer([posted("2", size=20)])
    with pytest.raises(Busy):
        await intake.offer([posted("2", size=1), posted("3", size=1)])
    batch = await anext(source.batches())
    with pytest.raises(Busy):
        await intake.offer([posted("2", size=20)])
    await source.done(batch)
    await first
    second = asyncio.create_task(intake.offer([posted("2", size=20)]))
    await source.done(await anext(source.batches()))
    await second


async def test_posts_that_are_not_durable_when_it_stops_are_told_so() -> None:
    intake = await running("shop.order")
    [source] = intake.sources
    offers = [asyncio.create_task(intake.offer([posted("1")]))]
    await anext(source.batches())
    offers.append(asyncio.create_task(intake.offer([posted("2")])))
    await asyncio.sleep(0)
    await source.stop()
    for offer in offers:
        with pytest.raises(Unreachable, match="Send it again"):
            await offer
    with pytest.raises(Unreachable, match="does not take events now"):
        await intake.offer([posted()])
    assert source.health().lag == 0


async def test_a_sender_that_leaves_takes_nothing_back() -> None:
    intake = await running("shop.order")
    [source] = intake.sources
    offer = asyncio.create_task(intake.offer([posted()]))
    await asyncio.sleep(0)
    offer.cancel()
    batch = await anext(source.batches())
    await source.done(batch)
    assert len(batch.events) == 1


def test_no_two_events_share_an_identity() -> None:
    assert identity(CloudEvent("1b", "a", "t")) != identity(CloudEvent("b", "a1", "t"))
    assert identity(CloudEvent("1:b", "", "t")) != identity(CloudEvent("b", "1:", "t"))


class HttpHarness:
    """With senders that come again until they are answered, as webhooks do."""

    ordered = True

    def __init__(self) -> None:
        self.intake = HttpIntake([Http("t")], VirtualClock())
        self.senders: list[asyncio.Task[None]] = []
        self.made = 0

    def make(self) -> HttpSource:
        self.intake = HttpIntake([Http("t")], VirtualClock())
        return self.intake.sources[0]

    async def produce(self, count: int) -> list[str]:
        labels = [str(n) for n in range(self.made, self.made + count)]
        self.made += count
        self.senders.append(asyncio.create_task(self._send(labels)))
        await asyncio.sleep(0)
        return labels

    async def _send(self, labels: list[str]) -> None:
        while True:
            with suppress(Unreachable):
                await self.intake.offer([posted(label, "t") for label in labels])
                return
            await asyncio.sleep(0.005)

    def label(self, event: RawEvent) -> str:
        assert isinstance(event.payload, CloudEvent)
        return event.payload.id

    async def break_it(self) -> None:
        raise AssertionError("there is nothing that could be out of reach")

    heal_it = break_it


class TestHttpConformance(SourceConformance):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[HttpHarness]:
        harness = HttpHarness()
        yield harness
        for sender in harness.senders:
            sender.cancel()
        await asyncio.gather(*harness.senders, return_exceptions=True)


HOOK = Webhook("/hooks/t", "secret", "stripe")


class WebhookHarness(HttpHarness):
    """With senders that deliver again what was not answered, each by itself."""

    def make(self) -> HttpSource:
        self.intake = HttpIntake([HOOK, Http("t")], VirtualClock())
        return self.intake.sources[0]

    async def _send(self, labels: list[str]) -> None:
        await asyncio.gather(*(self._deliver(label) for label in labels))

    async def _deliver(self, label: str) -> None:
        while True:
            with suppress(Unreachable):
                await self.intake.deliver(HOOK, posted(label, "t"))
                return
            await asyncio.sleep(0.005)


class TestWebhookConformance(SourceConformance):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[WebhookHarness]:
        harness = WebhookHarness()
        yield harness
        for sender in harness.senders:
            sender.cancel()
        await asyncio.gather(*harness.senders, return_exceptions=True)


async def test_what_is_delivered_to_a_webhook_is_for_no_type_and_what_has_a_type_for_no_webhook() -> None:
    intake = HttpIntake([HOOK, Http("*")], VirtualClock())
    hook, typed = intake.sources
    assert (hook.takes("t"), typed.takes("t")) == (False, True)
    assert (intake.hook("/hooks/t"), intake.hook("/hooks/x")) == (HOOK, None)
