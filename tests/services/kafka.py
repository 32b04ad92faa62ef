"""A real Apache Kafka: one KRaft node from its published jars, which tests may stop, kill, freeze and start again.

`REACTOR_TEST_KAFKA=host:port` names a broker that is already there; it serves the tests that need no control over it.
"""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.errors import KafkaError

from tests.services import cache
from tests.services.process import Server, free_ports, listening

RECIPE = Path(__file__).with_name("kafka") / "pom.xml"
JVM = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
)
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "num.partitions": "1",
    "auto.create.topics.enable": "true",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A killed broker comes back only when the controller has given up its predecessor: 9 s unless told otherwise.
    "broker.session.timeout.ms": "1000",
    "broker.heartbeat.interval.ms": "200",
}


class Kafka:
    """A broker that answers at `bootstrap`."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    async def create_topic(self, name: str, partitions: int = 1, **configs: str) -> str:
        """Create a topic (`retention_ms="100"` sets retention.ms) and return its name."""
        dotted = {key.replace("_", "."): value for key, value in configs.items()}
        async with self._admin() as admin:
            await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=dotted)])
        return name

    async def new_topic(self, partitions: int = 1, **configs: str) -> str:
        """Create a topic that no other test has."""
        return await self.create_topic(f"test-{uuid.uuid4().hex[:12]}", partitions, **configs)

    async def delete_topic(self, name: str) -> None:
        async with self._admin() as admin:
            await admin.delete_topics([name])

    async def cut_before(self, topic: str, partition: int, offset: int) -> None:
        """Delete the records before `offset`, as retention would: who still stands there is out of range."""
        async with self._admin() as admin:
            await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before_offset=offset)})

    async def answers(self) -> bool:
        """True where the broker describes its cluster."""
        try:
            async with self._admin() as admin:
                described = await admin.describe_cluster()
                return bool(described["brokers"])
        except (KafkaError, OSError):
            return False

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5000)
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()


class KafkaBroker(Kafka):
    """A broker of the tests' own. Stopped and started again it has the same log and the same port.

    `settings` adds to or replaces lines of server.properties. `advertised` (host:port) is what clients are told to
    connect to: set it before the start to put a proxy in between, whose target is `address`.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self._port, self._controller = free_ports(2)
        super().__init__(f"127.0.0.1:{self._port}")
        self.address = ("127.0.0.1", self._port)
        self.advertised: str | None = None
        self._folder = folder
        self._settings = dict(settings or {})
        self._server = Server(_java("kafka.Kafka", str(folder / "server.properties")), folder / "broker.log")

    async def start(self, timeout: float = 60.0) -> None:
        """Returns when the broker answers a metadata request."""
        if not (self._folder / "data").exists():
            shutil.copytree(_home() / "formatted", self._folder / "data")
        _write(self._folder / "server.properties", self._properties())
        await self._server.start(self._itself_answers, timeout)

    async def stop(self) -> None:
        """SIGTERM: an orderly end."""
        await self._server.stop()

    async def kill(self) -> None:
        """SIGKILL."""
        await self._server.kill()

    async def restart(self) -> None:
        """Stop where it runs, and start on the same log and port."""
        await self.stop()
        await self.start()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing answers, until `thaw`."""
        self._server.freeze()

    def thaw(self) -> None:
        self._server.thaw()

    async def _itself_answers(self) -> bool:
        return listening(*self.address) and await Kafka(f"127.0.0.1:{self._port}").answers()

    def _properties(self) -> dict[str, str]:
        plain, controller = f"PLAINTEXT://127.0.0.1:{self._port}", f"CONTROLLER://127.0.0.1:{self._controller}"
        told = f"PLAINTEXT://{self.advertised}" if self.advertised else plain
        return {
            **SETTINGS,
            "listeners": f"{plain},{controller}",
            "advertised.listeners": f"{told},{controller}",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller}",
            "log.dirs": str(self._folder / "data"),
            **self._settings,
        }


def external() -> Kafka | None:
    """The broker that REACTOR_TEST_KAFKA names."""
    address = os.environ.get("REACTOR_TEST_KAFKA")
    return Kafka(address) if address else None


def prepare() -> None:
    """Fetch the jars where they are not cached; Unavailable where they cannot be had."""
    _java("kafka.Kafka")


def _home() -> Path:
    """The cached folder with `lib/` (the jars) and `formatted/` (an empty log folder: no start has to format)."""
    return cache.made_once("kafka", [RECIPE], _fetch)


def _fetch(folder: Path) -> None:
    maven, java = cache.tool("mvn", "Apache Kafka from its jars"), cache.tool("java", "Apache Kafka from its jars")
    argv = [maven, "-q", "-B", "-f", str(RECIPE), "dependency:copy-dependencies", "-DincludeScope=runtime"]
    cache.run([*argv, f"-DoutputDirectory={folder / 'lib'}"], cwd=folder, purpose="Apache Kafka from its jars")
    _format(java, folder)


def _format(java: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        properties = Path(scratch) / "server.properties"
        _write(properties, {
            **SETTINGS, "listeners": "PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2",
            "controller.quorum.voters": "1@127.0.0.1:2", "log.dirs": str(folder / "formatted"),
        })  # fmt: skip
        argv = [java, "-cp", f"{folder}/lib/*", "kafka.tools.StorageTool", "format", "-t", "cmVhY3Rvci10ZXN0cy0wMQ"]
        cache.run([*argv, "-c", str(properties)], cwd=folder, purpose="Apache Kafka: formatting its log folder")


def _java(main: str, *arguments: str) -> list[str]:
    java = cache.tool("java", "Apache Kafka from its jars")
    version = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    if version.split('"')[1].split(".")[0] in {"1", "8", "11"}:
        raise cache.Unavailable("Apache Kafka 4 needs Java 17 or newer")
    return [java, *JVM, "-cp", f"{_home()}/lib/*", main, *arguments]


def _write(file: Path, properties: Mapping[str, str]) -> None:
    file.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
