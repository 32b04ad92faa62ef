"""pytest plugin: the real services as fixtures. What cannot be had skips its tests with one line of reason.

With REACTOR_TEST_REQUIRE=all no test may be skipped, for whatever reason: a skip is reported as a failure.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import TypeVar

import pytest

from tests.services import jaeger as jaegers
from tests.services import kafka as kafkas
from tests.services import mosquitto as mosquittos
from tests.services import postgres as databases
from tests.services import registry as registries
from tests.services import s3 as s3s
from tests.services.cache import Unavailable
from tests.services.jaeger import Jaeger, JaegerServer
from tests.services.kafka import Kafka, KafkaBroker
from tests.services.mosquitto import Mosquitto, Mqtt
from tests.services.otlp import OtlpReceiver
from tests.services.postgres import Postgres, PostgresServer
from tests.services.registry import Registry, RegistryServer
from tests.services.s3 import S3, S3Server

T = TypeVar("T")
MARKED = {
    "kafka": "kafka",
    "own_kafka": "kafka",
    "jaeger": "jaeger",
    "mqtt": "mqtt",
    "own_mqtt": "mqtt",
    "postgres": "postgres",
    "own_postgres": "postgres",
    "registry": "registry",
    "s3": "s3",
    "own_s3": "s3",
    "moto": "moto",
}


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One broker for all tests: take topics and groups of your own (`await kafka.new_topic()`); leave it running."""
    if there := kafkas.external():
        yield there
        return
    broker = _had(lambda: KafkaBroker(tmp_path_factory.mktemp("kafka")))
    asyncio.run(broker.start())
    yield broker
    asyncio.run(broker.kill())


@pytest.fixture
async def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KafkaBroker]:
    """A broker for this test alone, not started yet, to stop, kill and restart. A start takes seconds."""
    broker = _had(lambda: KafkaBroker(tmp_path_factory.mktemp("own-kafka")))
    yield broker
    await broker.kill()


@pytest.fixture(scope="session")
def mqtt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mqtt]:
    """One broker of MQTT for all tests: take topics of your own; leave it running."""
    if there := mosquittos.external():
        yield there
        return
    broker = _had(lambda: Mosquitto(tmp_path_factory.mktemp("mqtt")))
    asyncio.run(broker.start())
    yield broker
    asyncio.run(broker.kill())


@pytest.fixture
async def own_mqtt(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mosquitto]:
    """A broker for this test alone, not started yet, to stop, kill and restart, with TLS and a password."""
    broker = _had(lambda: Mosquitto(tmp_path_factory.mktemp("own-mqtt"), *mosquittos.EAGER))
    yield broker
    await broker.kill()


@pytest.fixture(scope="session")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaeger]:
    """One Jaeger for all tests: tell traces apart by trace id or by a service name of your own."""
    if there := jaegers.external():
        yield there
        return
    server = _had(lambda: JaegerServer(tmp_path_factory.mktemp("jaeger")))
    asyncio.run(server.start())
    yield server
    asyncio.run(server.kill())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests: take databases of your own (`await postgres.new_database()`); leave it running."""
    if there := databases.external():
        yield there
        return
    server = _had(PostgresServer)
    asyncio.run(server.start())
    yield server
    asyncio.run(server.kill())
    server.remove()


@pytest.fixture
async def own_postgres() -> AsyncIterator[PostgresServer]:
    """A server for this test alone, not started yet, to stop, kill and start again."""
    server = _had(PostgresServer)
    yield server
    await server.kill()
    server.remove()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One registry for all tests: take subjects of your own, and thaw it where you froze it."""
    if there := registries.external():
        yield there
        return
    server = _had(lambda: RegistryServer(tmp_path_factory.mktemp("registry")))
    asyncio.run(server.start())
    yield server
    asyncio.run(server.kill())


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """One real S3 server for all tests: take buckets of your own (`await s3.new_bucket()`); leave it running."""
    if there := s3s.external():
        yield there
        return
    server = _had(lambda: s3s.seaweedfs(tmp_path_factory.mktemp("s3")))
    asyncio.run(server.start())
    yield server
    asyncio.run(server.kill())


@pytest.fixture
async def own_s3(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[S3Server]:
    """A real S3 server for this test alone, not started yet, to kill, freeze and restart."""
    server = _had(lambda: s3s.seaweedfs(tmp_path_factory.mktemp("own-s3")))
    yield server
    await server.kill()


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One server with buckets that tell queues (`moto.client("sqs")`) what happens in them."""
    server = s3s.moto(tmp_path_factory.mktemp("moto"))
    asyncio.run(server.start())
    yield server
    asyncio.run(server.kill())


@pytest.fixture(scope="session")
def otlp_server() -> Iterator[OtlpReceiver]:
    receiver = OtlpReceiver()
    receiver.start()
    yield receiver
    receiver.stop()


@pytest.fixture
def otlp(otlp_server: OtlpReceiver) -> OtlpReceiver:
    """A receiver of traces that is empty and well when the test starts."""
    otlp_server.clear()
    otlp_server.status, otlp_server.refused = 200, 0
    return otlp_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that use a service carry its marker: `-m "not kafka and not mqtt and not jaeger"` runs the rest."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKED:
                item.add_marker(MARKED[fixture])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("REACTOR_TEST_REQUIRE") == "all":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"REACTOR_TEST_REQUIRE=all allows no skip. {reason}"
    return report


def _had(make: Callable[[], T]) -> T:
    try:
        return make()
    except Unavailable as reason:
        pytest.skip(str(reason))
