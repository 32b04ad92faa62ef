"""The doors that ask who is there, on the real broker."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from reactor.model.errors import Unreachable
from reactor.sources.base import Condition
from reactor.sources.kafka.producer import Producer
from reactor.sources.kafka.settings import KafkaSettings
from tests.sources.conformance import Ledger, Reading
from tests.sources.doors import PASSWORD, USER, Doors
from tests.sources.kafka_place import Place, place


@pytest.fixture
async def topic(kafka: Doors) -> AsyncIterator[Place]:
    async with place(kafka.bootstrap) as made:
        yield made


@pytest.fixture(scope="session")
def scram(kafka: Doors) -> None:
    kafka.add_scram_user()


def credentials(mechanism: str, password: str = PASSWORD) -> dict[str, Any]:
    return {"sasl_mechanism": mechanism, "sasl_username": USER, "sasl_password": password}


def through(kafka: Doors, protocol: str) -> dict[str, Any]:
    if protocol == "SASL_PLAINTEXT":
        return {"servers": kafka.sasl, "security_protocol": protocol}
    return {"servers": kafka.tls, "security_protocol": protocol, "ssl_cafile": kafka.certificates / "ca.pem"}


async def reads_one(topic: Place, settings: dict[str, Any]) -> None:
    async with Producer(KafkaSettings(**settings)) as out:
        await out.publish(topic.topic, b"n0")
    reading = await Reading(topic.make(**settings), Ledger(topic.label)).start()
    await reading.take(1)
    assert reading.ledger.labels == ["n0"]
    await reading.stop()


async def complaint(topic: Place, settings: dict[str, Any]) -> str:
    reading = await Reading(topic.make(**settings), Ledger(topic.label)).start()
    await reading.until(lambda: bool(reading.source.health().error), "the reason")
    health = reading.source.health()
    await reading.stop()
    assert health.condition in (Condition.CONNECTING, Condition.BROKEN)
    return str(health.error)


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
async def test_plain(kafka: Doors, topic: Place, protocol: str) -> None:
    await reads_one(topic, through(kafka, protocol) | credentials("PLAIN"))


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_scram(kafka: Doors, scram: None, topic: Place, mechanism: str) -> None:
    await reads_one(topic, through(kafka, "SASL_SSL") | credentials(mechanism))


async def test_a_certificate_of_its_own(kafka: Doors, topic: Place) -> None:
    own = {"ssl_certfile": kafka.certificates / "client.pem", "ssl_keyfile": kafka.certificates / "client.key"}
    await reads_one(topic, through(kafka, "SASL_SSL") | credentials("PLAIN") | own)


async def test_a_wrong_password_is_called_so_and_not_printed(kafka: Doors, topic: Place) -> None:
    text = await complaint(topic, through(kafka, "SASL_PLAINTEXT") | credentials("PLAIN", "not-the-one"))
    assert "The brokers refused the credentials" in text
    assert "not-the-one" not in text


async def test_a_broker_that_nobody_vouches_for_is_not_spoken_to(kafka: Doors, topic: Place) -> None:
    text = await complaint(topic, {"servers": kafka.tls, "security_protocol": "SASL_SSL"} | credentials("PLAIN"))
    assert "certificate" in text.lower()
    assert "kafka.ssl_cafile" in text


async def test_a_certificate_file_that_is_missing_is_named(kafka: Doors, topic: Place) -> None:
    wrong = through(kafka, "SASL_SSL") | credentials("PLAIN") | {"ssl_cafile": kafka.certificates / "nobody.pem"}
    assert "kafka.ssl_cafile" in await complaint(topic, wrong)


async def test_a_publisher_is_told_why(kafka: Doors) -> None:
    settings = KafkaSettings(**through(kafka, "SASL_PLAINTEXT"), **credentials("PLAIN", "not-the-one"))
    with pytest.raises(Unreachable, match="refused the credentials"):
        async with Producer(settings):
            pass
