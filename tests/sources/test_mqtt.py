"""The suite of all sources, against a real Mosquitto; and what only MQTT can do."""

import asyncio
import gc
import resource
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from reactor.model.events import Message, RawEvent
from reactor.model.source import Mqtt
from reactor.sources.base import ONLY_LANE, Batch, Condition
from reactor.sources.mqtt import source as module
from reactor.sources.mqtt import window
from reactor.sources.mqtt.window import WINDOW
from tests.services import mosquitto
from tests.services.mosquitto import Mosquitto, user_properties
from tests.services.wait import eventually
from tests.sources.conformance import Ledger, ReachConformance, Reading
from tests.sources.mqtt_place import Place

pytestmark = pytest.mark.mqtt
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
async def place(mqtt: mosquitto.Mqtt) -> Place:
    return Place(mqtt)


@pytest.fixture
async def own(own_mqtt: Mosquitto) -> Place:
    """On a broker of its own."""
    await own_mqtt.start()
    return Place(own_mqtt)


@pytest.fixture
async def read() -> AsyncIterator[Callable[..., Any]]:
    """Starts readings of a place, connected, and stops them in the end."""
    made: list[Reading] = []

    async def reading(of: Place, ledger: Ledger | None = None, **settings: Any) -> Reading:
        made.append(Reading(of.make(**settings), ledger or Ledger(of.label)))
        await made[-1].start()
        await connected(made[-1])
        return made[-1]

    yield reading
    for each in made:
        await each.stop()


Read = Callable[..., Any]


async def connected(reading: Reading) -> None:
    await eventually(lambda: reading.source.health().condition is Condition.CONNECTED)


def events(batches: list[Batch]) -> list[RawEvent]:
    return [event for batch in batches for event in batch.events]


def message(event: RawEvent) -> Message:
    assert isinstance(event.payload, Message)
    return event.payload


class TestMqtt(ReachConformance):
    @pytest.fixture
    async def harness(self, own_mqtt: Mosquitto) -> Place:
        await own_mqtt.start()
        return Place(own_mqtt)


class TestMessages:
    async def test_carries_topic_fields_quality_properties_and_trace(self, place: Place, read: Read) -> None:
        reading = await read(place)
        properties = user_properties({"unit": "kWh", "traceparent": TRACE}, "application/json")
        async with place.broker.client() as client:
            await client.publish(f"{place.root}/north sea/closed", b'{"n": 1}', qos=2, properties=properties)
        [event] = events(await reading.take(1))
        found = message(event)
        assert (found.topic, found.fields) == (f"{place.root}/north sea/closed", {"site": "north sea"})
        assert (found.value, found.qos, found.retained, found.content_type) == ({"n": 1}, 1, False, "application/json")
        assert (found.property("unit"), found.property("none")) == ("kWh", None)
        assert found.received > 1_700_000_000_000_000
        assert (event.traceparent, event.id, event.error) == (TRACE, "", None)

    @pytest.mark.parametrize(
        ("properties", "content_type", "body", "identity"),
        [
            ({"specversion": "1.0", "id": "7", "source": "/plc", "type": "t"}, "", b"{}", "event 4:/plc7"),
            ({"source": "not a CloudEvent", "id": "7"}, "", b"{}", "topic {n}:{topic}7"),
            ({}, "application/cloudevents+json", b'{"id": "7", "source": "/plc"}', "event 4:/plc7"),
            ({}, "application/cloudevents+json; charset=utf-8", b"no json", ""),
            ({"id": ""}, "", b"{}", ""),
        ],
    )
    async def test_its_identity_is_what_its_publisher_gave_it(
        self, place: Place, read: Read, properties: dict[str, str], content_type: str, body: bytes, identity: str
    ) -> None:
        reading = await read(place)
        async with place.broker.client() as client:
            given = user_properties(properties, content_type)
            await client.publish(place.topic, body, qos=1, properties=given)
        [event] = events(await reading.take(1))
        assert event.id == identity.format(n=len(place.topic), topic=place.topic)

    async def test_a_body_above_the_limit_comes_with_size_and_digest_and_without_its_body(
        self, place: Place, read: Read
    ) -> None:
        reading = await read(place, max_message_bytes=1_000)
        await place.broker.publish(place.topic, b"x" * 1_000, b"y" * 1_001, b"after")
        found = events(await reading.take(3))
        assert [len(message(e).body) for e in found] == [1_000, 0, 5]
        assert found[1].error is not None
        assert "has 1001 bytes and 1000 are allowed" in found[1].error
        assert (found[0].error, found[2].error) == (None, None)

    async def test_equal_publications_are_two_events(self, place: Place, read: Read) -> None:
        reading = await read(place)
        await place.broker.publish(place.topic, b"21.5", b"21.5")
        assert len(events(await reading.take(2))) == 2

    @pytest.mark.parametrize("qos", [0, 1, 2])
    async def test_every_quality_of_service_comes_once(self, place: Place, read: Read, qos: int) -> None:
        reading = await read(place)
        await place.broker.publish(place.topic, b"a", b"b", b"c", qos=qos)
        await reading.take(3)
        assert reading.ledger.labels == ["a", "b", "c"]


class TestAcknowledgement:
    async def test_what_is_not_durable_is_delivered_again_to_the_next_process(self, place: Place, read: Read) -> None:
        first = await read(place)
        labels = await place.produce(5)
        durable, *rest = await _one_by_one(first, 5)
        await first.source.done(durable)
        await first.stop()
        assert rest
        second = await read(place)
        await second.take(5 - len(durable.events))
        assert second.ledger.labels == labels[len(durable.events) :]

    async def test_a_connection_that_breaks_repeats_nothing(self, own: Place, read: Read) -> None:
        reading = await read(own)
        labels = await own.produce(3)
        batches = await reading.take(3, durable=False)
        await own.break_it()
        await own.heal_it()
        await connected(reading)
        labels += await own.produce(1)
        await reading.take(4, durable=False)
        for batch in batches:
            await reading.source.done(batch)
        assert reading.ledger.labels == labels
        assert "3 deliveries were repetitions" in reading.source.health().detail

    async def test_what_was_durable_before_its_acknowledgement_was_sent_is_not_announced_again(
        self, place: Place, read: Read
    ) -> None:
        """As after `kill -9` between the commit and the acknowledgement: the ledger has it, the broker does not know."""
        first = await read(place)
        labels = await place.produce(5)
        await first.take(5, durable=False)
        await first.stop()
        second = await read(place, first.ledger)
        labels += await place.produce(1)
        await second.take(6)
        assert second.ledger.labels == labels
        assert "5 deliveries were repetitions" in second.source.health().detail

    async def test_with_an_identity_what_is_announced_again_is_told_by_it(self, place: Place, read: Read) -> None:
        first = await read(place)
        await place.broker.publish(place.topic, b"x", id="7")
        [event] = events(await first.take(1, durable=False))
        await first.stop()
        second = await read(place, first.ledger)
        [again] = events(await second.take(2))
        assert again.id == event.id == f"topic {len(place.topic)}:{place.topic}7"


async def _one_by_one(reading: Reading, count: int) -> list[Batch]:
    taken: list[Batch] = []
    while sum(len(b.events) for b in taken) < count:
        taken.append(await reading.batch())
    return taken


class TestBackPressure:
    async def test_the_broker_keeps_what_is_above_the_window_and_nothing_is_lost(
        self, place: Place, read: Read
    ) -> None:
        reading = await read(place)
        labels = await place.produce(20 * WINDOW)
        await eventually(lambda: reading.source.health().lag == WINDOW)
        assert reading.source.health().lag == WINDOW
        await reading.take(20 * WINDOW)
        assert reading.ledger.labels == labels

    async def test_of_a_broker_that_sends_more_than_it_may_nothing_is_lost_and_not_all_of_it_is_held(
        self, place: Place, read: Read, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Mosquitto 2.0 does, when connections break while much is unacknowledged; here the room is less than the window."""
        monkeypatch.setattr(window, "ROOM", WINDOW // 4)
        reading = await read(place)
        labels = await place.produce(2 * WINDOW)
        await eventually(lambda: reading.source.health().lag == WINDOW // 4)
        await reading.take(2 * WINDOW)
        assert reading.ledger.labels == labels

    async def test_what_the_broker_has_heard_of_is_not_remembered(self, place: Place, read: Read) -> None:
        reading = await read(place)
        await place.produce(50)
        await reading.take(50)

        async def small() -> bool:
            await place.produce(1)
            await reading.take(len(reading.ledger.labels) + 1)
            return len(reading.ledger.lanes[ONLY_LANE].cursor) < 100

        await eventually(small)

    async def test_memory_is_flat_while_a_source_is_faster_than_its_reader(self, place: Place, read: Read) -> None:
        reading = await read(place)
        body = b"x" * 20_000
        await place.broker.publish(place.topic, *[body] * (2 * WINDOW))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await place.broker.publish(place.topic, *[body] * (10 * WINDOW))
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert after - before < 20_000, "KiB; all of it is 40 MB"
        await reading.take(12 * WINDOW)

    async def test_quality_0_has_no_back_pressure_so_what_has_no_room_is_a_gap_of_the_ledger(
        self, place: Place, read: Read, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(module, "WAITING", 10)
        reading = await read(place)
        await place.broker.publish(place.topic, *[b"%d" % n for n in range(30)], qos=0)
        await place.produce(1)
        await eventually(lambda: reading.source.health().lag == 11)
        batch = await reading.batch()
        assert (batch.first, batch.until, len(batch.events)) == (0, 31, 11)
        assert "20 publications of QoS 0 were dropped" in reading.source.health().detail
        assert "are dropped" in caplog.text

    async def test_a_reader_that_does_not_ask_is_shown_as_a_pause_and_resumes(self, place: Place, read: Read) -> None:
        reading = await read(place)
        labels = await place.produce(1)
        await reading.take(1)
        labels += await place.produce(WINDOW + 1)
        await eventually(lambda: reading.source.health().condition is Condition.PAUSED)
        await reading.take(WINDOW + 2)
        assert reading.ledger.labels == labels


class TestRetained:
    async def test_what_is_retained_comes_first_and_says_so(self, place: Place, read: Read) -> None:
        await place.broker.publish(place.topic, b"old", b"state", retain=True)
        reading = await read(place)
        await place.broker.publish(place.topic, b"live", retain=True)
        found = [message(e) for e in events(await reading.take(2))]
        assert [(m.text, m.retained) for m in found] == [("state", True), ("live", False)]

    async def test_it_does_not_come_again_at_the_next_connection(self, place: Place, read: Read) -> None:
        await place.broker.publish(place.topic, b"state", retain=True)
        first = await read(place)
        await first.take(1)
        await first.stop()
        second = await read(place, first.ledger)
        await place.produce(1)
        await second.take(2)
        assert second.ledger.labels == ["state", "n0"]

    async def test_after_a_session_that_was_lost_it_comes_where_it_is_another_than_was_read_last(
        self, own: Place, read: Read
    ) -> None:
        assert isinstance(own.broker, Mosquitto)
        same, changed = f"{own.root}/same/closed", f"{own.root}/changed/closed"
        first = await read(own)
        for topic in (same, changed):
            await own.broker.publish(topic, b"state", retain=True)
        await first.take(2)
        await first.stop()
        await own.break_it()
        own.broker.forget()
        await own.heal_it()
        await own.broker.publish(same, b"state", retain=True)
        await own.broker.publish(changed, b"another", retain=True)
        second = await read(own, first.ledger)
        await second.take(3)
        assert second.ledger.labels == ["state", "state", "another"]
        assert "the broker had not kept our session" in second.source.health().detail


class TestTrouble:
    async def test_a_wrong_password_is_broken_and_says_what_to_check(self, own: Place) -> None:
        source = own.make(password="a secret that is wrong")
        await source.start({})
        await eventually(lambda: source.health().condition is Condition.BROKEN)
        error = source.health().error
        assert error is not None
        assert "Check mqtt.user and mqtt.password" in error
        assert "a secret" not in repr(source.health())
        await source.stop()

    async def test_tls_with_the_broker_s_authority(self, own: Place, read: Read) -> None:
        assert isinstance(own.broker, Mosquitto)
        reading = await read(own, server=own.broker.tls, tls=True, tls_cafile=own.broker.certificates / "ca.pem")
        await own.produce(3)
        await reading.take(3)
        assert reading.ledger.labels == ["n0", "n1", "n2"]

    @pytest.mark.parametrize(
        ("settings", "text"),
        [
            ({"tls": True}, "Set mqtt.tls_cafile to the authority"),
            ({"tls": True, "tls_cafile": Path("not-there.pem")}, "mqtt.tls_cafile: not-there.pem cannot be used"),
        ],
    )
    @pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
    async def test_tls_that_cannot_be_trusted_is_broken(self, own: Place, settings: dict[str, Any], text: str) -> None:
        assert isinstance(own.broker, Mosquitto)
        source = own.make(server=own.broker.tls, **settings)
        await source.start({})
        await eventually(lambda: source.health().condition is Condition.BROKEN)
        assert text in str(source.health().error)
        await source.stop()
        gc.collect()  # paho leaves a socket whose handshake failed to the collector

    async def test_another_client_of_our_name_takes_over_and_is_named(self, own: Place, read: Read) -> None:
        reading = await read(own)
        thief = own.make()
        await thief.start({})
        await eventually(lambda: "give each its own mqtt.client_id" in str(reading.source.health().error))
        await thief.stop()
        await connected(reading)

    async def test_a_broker_that_falls_silent_does_not_hold_up_the_end(self, own: Place) -> None:
        assert isinstance(own.broker, Mosquitto)
        source = own.make()
        await source.start({})
        await eventually(lambda: source.health().condition is Condition.CONNECTED)
        own.broker.freeze()
        await asyncio.wait_for(source.stop(), 10.0)
        own.broker.thaw()

    async def test_a_broker_that_was_killed_comes_back_with_what_was_not_acknowledged(
        self, own: Place, read: Read
    ) -> None:
        assert isinstance(own.broker, Mosquitto)
        reading = await read(own)
        labels = await own.produce(3)
        batches = await reading.take(3, durable=False)
        await own.broker.kill()
        await own.heal_it()
        await connected(reading)
        for batch in batches:
            await reading.source.done(batch)
        labels += await own.produce(1)
        await reading.take(4)
        assert reading.ledger.labels == labels
        assert reading.ledger.lanes[ONLY_LANE].position == 4


@pytest.mark.parametrize(
    ("topic", "given", "fields"),
    [
        ("plant/{site}/closed", "plant/a/closed", {"site": "a"}),
        ("plant/{site}/closed", "plant/a/b/closed", None),
        ("plant/+/{line}", "plant/a/7", {"line": "7"}),
        ("plant/#", "plant", {}),
        ("plant/{site}/#", "plant/a/b/c", {"site": "a"}),
        ("plant/{site}/#", "plant", None),
        ("#", "$SYS/broker/uptime", None),
        ("{any}", "", {"any": ""}),
    ],
)
def test_a_filter_covers_topics_as_the_broker_does(topic: str, given: str, fields: dict[str, str] | None) -> None:
    assert Mqtt(topic).match(given) == fields
