"""The outbox: every alert reaches every channel, in order, also after a crash; a channel that is down holds up nobody else."""

import pytest

from reactor import Arrived, Asset, Dynamic, Gate, Kafka, Ready, Record, Workflow, gate, sensor
from reactor.alerts.base import Undeliverable
from reactor.core.graph import Graph
from reactor.model.commands import Alert
from reactor.model.ids import Instant
from reactor.store.base import TOLD
from tests.service.place import OWNER, Place, living, project

thing = Asset("thing", Dynamic("n"))


@gate(thing)
async def shut(arrived: Arrived) -> bool:
    return False


def graph(*gates: Gate) -> Graph:
    @sensor(Kafka("t"))
    async def s(record: Record) -> Ready:
        return thing.ready(record.value)

    flow = Workflow("flow", owner=OWNER)

    @flow.task(inputs=thing)
    async def work() -> None: ...

    return project(flow, s, gates=gates or (shut,))


class Line:
    """A channel that does what the test says."""

    def __init__(self, name: str = "line") -> None:
        self.name = name
        self.told: list[str] = []
        self.tries = 0
        self.error: Exception | None = None

    async def send(self, alert: Alert) -> None:
        self.tries += 1
        if self.error is not None:
            raise self.error
        self.told.append(alert.subject)


async def put(place: Place, *values: str) -> None:
    place.fed.put(*values)
    await place.idle()


async def test_each_alert_is_told_once_in_order() -> None:
    line = Line()
    async with living(graph(), channels=[line]) as place:
        await put(place, "a", "b")
        await put(place, "c")
    assert line.told == ["thing a", "thing b", "thing c"]


async def test_a_channel_that_is_down_is_asked_again_ever_more_seldom_and_holds_up_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    down, up = Line("down"), Line("up")
    down.error = OSError("no route")
    async with living(graph(), channels=[down, up]) as place:
        await put(place, "a", "b")
        assert (down.tries, up.told) == (1, ["thing a", "thing b"])
        assert place.service.outbox.troubles == {"down": "OSError: no route"}
        for seconds, tries in ((1, 2), (1, 2), (1, 3), (4, 4)):
            await place.clock.advance(seconds * 1_000_000)
            await place.idle()
            assert down.tries == tries
        down.error = None
        await place.clock.advance(8_000_000)
        await place.idle()
        assert down.told == ["thing a", "thing b"]
        assert place.service.outbox.troubles == {}
    assert (
        caplog.messages.count(
            "Alerts cannot be told by down: OSError: no route. They wait, and are sent when it answers."
        )
        == 1
    )


async def test_an_alert_that_can_never_be_delivered_is_kept_with_the_reason_and_the_next_one_goes_on() -> None:
    line = Line()
    line.error = Undeliverable("no such user")
    async with living(graph(), channels=[line]) as place:
        await put(place, "a")
        line.error = None
        await put(place, "b")
        assert line.told == ["thing b"]
        assert [(u.alert, u.channel, u.reason) for u in await place.reader.undelivered(9)] == [
            (1, "line", "no such user")
        ]


async def test_what_was_not_told_before_a_crash_is_told_after_it() -> None:
    line = Line()
    line.error = OSError("down")
    async with living(graph(), channels=[line]) as place:
        await put(place, "a")
        ledger = place.ledger
        place.kill()
    line.error = None
    async with living(graph(), ledger, channels=[line]) as place:
        await place.idle()
        assert line.told == ["thing a"]


async def test_a_new_channel_does_not_tell_the_past() -> None:
    async with living(graph()) as place:
        await put(place, "a")
        ledger = place.ledger
    line = Line()
    async with living(graph(), ledger, channels=[line]) as place:
        await put(place, "b")
    assert line.told == ["thing b"]


async def test_a_channel_that_was_taken_out_is_not_waited_for_and_begins_anew_when_it_comes_back() -> None:
    line, other = Line("line"), Line("other")
    async with living(graph(), channels=[line, other]) as place:
        await put(place, "a")
        ledger = place.ledger
    async with living(graph(), ledger, channels=[other]) as place:
        await put(place, "b")
        assert ledger.meta[TOLD + "line"] == ""
        assert await place.disk.forget(Instant(place.clock.now() + 1), Instant(0), 100) >= 2
        assert ledger.alerts == {}
    async with living(graph(), ledger, channels=[line, other]) as place:
        await put(place, "c")
    assert (line.told, other.told) == (["thing a", "thing c"], ["thing a", "thing b", "thing c"])
