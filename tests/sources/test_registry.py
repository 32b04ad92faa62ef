"""A schema registry as a source, against a real one; and its topic, on a real Kafka."""

import json
import uuid
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import msgspec
import pytest

from reactor import registered
from reactor.model.events import RawEvent, Record, SchemaChange
from reactor.model.ids import Instant
from reactor.model.source import RegistrySchema
from reactor.sources.base import Condition, Source
from reactor.sources.registry.client import RegistryAt
from reactor.sources.registry.source import RegistrySource
from tests.clock import MachineClock
from tests.services.kafka import Kafka
from tests.services.proxy import Proxy
from tests.services.registry import Registry
from tests.sources.conformance import Harness, Ledger, ReachConformance, Reading
from tests.sources.kafka_place import place


def schema(*fields: str) -> dict[str, object]:
    return {"type": "record", "name": "O", "fields": [{"name": f, "type": "int"} for f in fields]}


def columns(body: object) -> list[str]:
    return [f["name"] for f in json.loads(str(body))["fields"]]


class Watch:
    """A source on the subjects of one test, with what it told."""

    def __init__(self, registry: Registry) -> None:
        self.subject = f"t{uuid.uuid4().hex[:8]}"
        self._registry, self._ledger = registry, Ledger(str)

    async def begin(self) -> "Watch":
        spec = RegistrySchema(f"{self.subject}*", "20ms")
        self.source = RegistrySource(spec, RegistryAt(self._registry.url), MachineClock())
        self._reading = await Reading(self.source, self._ledger).start()
        return self

    async def next(self) -> list[tuple[str, str, str, list[str] | None]]:
        batch = await self._reading.batch()
        self._ledger.take(batch)
        found = []
        for event in batch.events:
            change = event.payload
            assert isinstance(change, SchemaChange)
            name = change.name.removeprefix(self.subject)
            found.append((change.command, name, change.version, None if change.body is None else columns(change.body)))
        return found

    async def until(self, condition: Condition) -> None:
        await self._reading.until(lambda: self.source.health().condition is condition, condition)

    async def end(self) -> None:
        await self._reading.stop()


@pytest.fixture
async def watch(registry: Registry) -> AsyncIterator[Watch]:
    made = await Watch(registry).begin()
    assert await made.next() == []
    yield made
    await made.end()


async def test_each_new_version_comes_with_its_text(watch: Watch, registry: Registry) -> None:
    await registry.register(watch.subject, schema("id"))
    assert await watch.next() == [("registered", "", "1", ["id"])]
    await registry.register(watch.subject, schema("id", "n"))
    assert await watch.next() == [("registered", "", "2", ["id", "n"])]
    await registry.register(f"{watch.subject}-b", schema("x"))
    assert await watch.next() == [("registered", "-b", "1", ["x"])]


async def test_a_version_that_is_taken_back_lets_the_one_before_hold_again(watch: Watch, registry: Registry) -> None:
    await registry.register(watch.subject, schema("id"))
    await watch.next()
    await registry.register(watch.subject, schema("id", "n"))
    await watch.next()
    await registry.delete(watch.subject, 2)
    assert await watch.next() == [("deleted 2", "", "1", ["id"])]


async def test_a_subject_that_is_deleted_is_gone(watch: Watch, registry: Registry) -> None:
    await registry.register(watch.subject, schema("id"))
    await watch.next()
    await registry.delete(watch.subject)
    assert await watch.next() == [("deleted", "", "", None)]


async def test_another_level_of_compatibility_is_told(watch: Watch, registry: Registry) -> None:
    await registry.register(watch.subject, schema("id"))
    await watch.next()
    await registry.compatibility(watch.subject, "FULL")
    assert await watch.next() == [("compatibility FULL", "", "1", ["id"])]


async def test_what_was_registered_during_an_absence_comes_in_order(watch: Watch, registry: Registry) -> None:
    await registry.register(watch.subject, schema("id"))
    await watch.next()
    await watch.end()
    await registry.register(watch.subject, schema("id", "a"))
    await registry.register(watch.subject, schema("id", "b"))
    await watch.begin()
    assert [(v, c) for _, _, v, c in await watch.next()] == [("2", ["id", "a"]), ("3", ["id", "b"])]


async def test_json_schemas_and_protobuf_are_told_apart(watch: Watch, registry: Registry) -> None:
    await registry.register(
        watch.subject, {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}, "JSON"
    )
    await registry.register(f"{watch.subject}-p", 'syntax = "proto3"; message A { int32 id = 1; }', "PROTOBUF")
    kinds: dict[str, str] = {}
    while len(kinds) < 2:
        batch = await watch._reading.batch()
        watch._ledger.take(batch)
        kinds |= {
            e.payload.name.removeprefix(watch.subject): e.payload.kind
            for e in batch.events
            if isinstance(e.payload, SchemaChange)
        }
    assert kinds == {"": "json", "-p": "protobuf"}


async def test_a_registry_that_is_away_is_broken_and_not_quiet() -> None:
    source = RegistrySource(RegistrySchema("*", "20ms"), RegistryAt("http://127.0.0.1:9"), MachineClock())
    reading = await Reading(source, Ledger(str)).start()
    await reading.until(lambda: source.health().condition is Condition.BROKEN, "broken")
    assert "nobody can tell whether a schema changed" in (source.health().error or "")
    await reading.stop()


class RegistryHarness:
    ordered = True

    def __init__(self, server: Registry, proxy: Proxy) -> None:
        self._server, self._proxy, self._made = server, proxy, 0
        self._subject = f"t{uuid.uuid4().hex[:8]}"

    def make(self) -> Source:
        behind = urlsplit(self._server.url)._replace(netloc=self._proxy.bootstrap).geturl()
        return RegistrySource(RegistrySchema(f"{self._subject}*", "50ms"), RegistryAt(behind), MachineClock())

    async def produce(self, count: int) -> list[str]:
        names = [f"{self._subject}-{self._made + n:04}" for n in range(count)]
        self._made += count
        for name in names:
            await self._server.register(name, schema("id"))
        return names

    def label(self, event: RawEvent) -> str:
        assert isinstance(event.payload, SchemaChange)
        return event.payload.name

    async def break_it(self) -> None:
        await self._proxy.refuse()

    async def heal_it(self) -> None:
        await self._proxy.accept()


class TestRegistry(ReachConformance):
    @pytest.fixture
    async def harness(self, registry: Registry) -> AsyncIterator[Harness]:
        at = urlsplit(registry.url)
        async with Proxy(at.hostname or "", at.port or 0) as proxy:
            yield RegistryHarness(registry, proxy)


# --- the topic


KEY = {"keytype": "SCHEMA", "subject": "orders-value", "version": 3, "magic": 1}


def record(key: object, value: object) -> Record:
    body = None if value is None else json.dumps(value).encode()
    return Record("_schemas", 0, 0, Instant(5), json.dumps(key).encode(), body)


async def test_the_topic_of_a_registry_is_read_from_a_real_broker(kafka: Kafka) -> None:
    async with place(kafka.bootstrap) as topic:
        for key, value in (({"keytype": "CONFIG"}, {}), (KEY, {"schema": '"int"', "id": 1})):
            await topic.producer.send_and_wait(topic.topic, json.dumps(value).encode(), json.dumps(key).encode())
        reading = await Reading(topic.make(), Ledger(topic.label)).start()
        events = [e.payload for b in await reading.take(2) for e in b.events]
        await reading.stop()
    found = [registered(e) for e in events if isinstance(e, Record)]
    assert [(f.name, f.body, f.version) for f in found if f is not None] == [("orders-value", '"int"', "3")]


def test_a_record_of_the_topic_is_a_change() -> None:
    value = {"subject": "orders-value", "version": 3, "id": 7, "schema": '"int"', "deleted": False}
    assert registered(record(KEY, value)) == SchemaChange(
        "avro", "orders-value", '"int"', "registered", Instant(5), "3"
    )
    assert registered(record(KEY, value | {"schemaType": "JSON"})) == SchemaChange(
        "json", "orders-value", '"int"', "registered", Instant(5), "3"
    )


@pytest.mark.parametrize("value", [None, {"subject": "orders-value", "version": 3, "schema": '"int"', "deleted": True}])
def test_a_schema_that_was_deleted_has_no_body(value: object) -> None:
    found = registered(record(KEY, value))
    assert found == SchemaChange("", "orders-value", None, "deleted 3", Instant(5), "3")


@pytest.mark.parametrize("key", [{"keytype": "CONFIG"}, {"keytype": "NOOP", "magic": 0}, None, 7])
def test_what_is_no_schema_is_nothing(key: object) -> None:
    assert registered(record(key, {})) is None


def test_what_is_no_record_of_a_registry_raises() -> None:
    with pytest.raises(msgspec.DecodeError):
        registered(Record("_schemas", 0, 0, Instant(0), b"{", b"{}"))
