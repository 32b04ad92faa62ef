"""The services themselves: each one does for real what tests elsewhere rely on."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.services import cache
from tests.services.jaeger import Jaeger
from tests.services.kafka import Kafka, KafkaBroker
from tests.services.mosquitto import Mosquitto, Mqtt
from tests.services.otlp import OtlpReceiver
from tests.services.proxy import Proxy
from tests.services.spans import tree
from tests.services.wait import eventually


async def test_a_record_goes_through_the_real_broker(kafka: Kafka) -> None:
    topic = await kafka.new_topic(partitions=3)
    await send(kafka.bootstrap, topic, b"one", b"two")
    assert sorted(await read(kafka.bootstrap, topic, 2)) == [b"one", b"two"]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_every_compression_can_be_read(kafka: Kafka, codec: str) -> None:
    topic = await kafka.new_topic()
    await send(kafka.bootstrap, topic, b"x" * 10_000, codec=codec)
    assert await read(kafka.bootstrap, topic, 1) == [b"x" * 10_000]


async def test_records_before_a_cut_are_gone(kafka: Kafka) -> None:
    topic = await kafka.new_topic()
    await send(kafka.bootstrap, topic, b"0", b"1", b"2")
    await kafka.cut_before(topic, 0, 2)
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="none") as consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek(partition, 0)
        with pytest.raises(OffsetOutOfRangeError):
            await consumer.getone()
    assert await read(kafka.bootstrap, topic, 1) == [b"2"]


async def test_a_broker_keeps_its_log_and_its_port_over_stop_and_kill(own_kafka: KafkaBroker) -> None:
    await own_kafka.start()
    topic = await own_kafka.new_topic()
    await send(own_kafka.bootstrap, topic, b"before")
    await own_kafka.restart()
    await send(own_kafka.bootstrap, topic, b"between")
    await own_kafka.kill()
    assert not await own_kafka.answers()
    await own_kafka.start()
    await send(own_kafka.bootstrap, topic, b"after")
    assert await read(own_kafka.bootstrap, topic, 3) == [b"before", b"between", b"after"]


async def test_a_broker_of_mqtt_keeps_sessions_and_what_waits_in_them_over_a_stop(own_mqtt: Mosquitto) -> None:
    await own_mqtt.start()
    kept = {"identifier": "reader", "clean_start": False, "properties": session()}
    async with own_mqtt.client(**kept) as client:
        await client.subscribe("t", qos=1)
    await own_mqtt.publish("t", b"before")
    await own_mqtt.restart()
    await own_mqtt.publish("t", b"after")
    async with own_mqtt.client(**kept) as client:
        async with asyncio.timeout(10):
            assert [(await anext(client.messages)).payload for _ in range(2)] == [b"before", b"after"]
    await own_mqtt.kill()
    assert not await own_mqtt.answers()
    await own_mqtt.start()
    assert await own_mqtt.answers()


async def test_a_broker_of_mqtt_lets_nobody_in_without_the_password(own_mqtt: Mosquitto) -> None:
    await own_mqtt.start()
    assert await own_mqtt.answers()
    assert not await Mqtt(own_mqtt.server, own_mqtt.user, "a wrong one").answers()
    assert not await Mqtt(own_mqtt.server).answers()


def session() -> Properties:
    asked = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's
    asked.SessionExpiryInterval = 600
    return asked


async def test_a_broker_behind_a_proxy_takes_a_record_once_the_net_is_back(own_kafka: KafkaBroker) -> None:
    async with Proxy(*own_kafka.address) as proxy:
        own_kafka.advertised = proxy.bootstrap
        await own_kafka.start()
        topic = await own_kafka.new_topic()
        async with AIOKafkaProducer(bootstrap_servers=proxy.bootstrap, enable_idempotence=True) as producer:
            await producer.send_and_wait(topic, b"first")
            await proxy.refuse()
            sending = asyncio.create_task(producer.send_and_wait(topic, b"second"))
            await proxy.accept()
            await sending
        assert await read(proxy.bootstrap, topic, 2) == [b"first", b"second"]


async def test_a_span_of_the_sdk_is_found_in_the_real_jaeger(jaeger: Jaeger) -> None:
    trace_id, service = send_spans(jaeger.endpoint)
    assert tree(await jaeger.trace(trace_id, spans=2)) == "process orders consumer\n  sensor internal"
    assert [[span.trace_id for span in found] for found in await jaeger.find_traces(service)] == [[trace_id] * 2]


async def test_jaeger_and_the_receiver_tell_the_same_of_a_span(jaeger: Jaeger, otlp: OtlpReceiver) -> None:
    for backend in (jaeger, otlp):
        trace_id, service = send_spans(backend.endpoint)
        root, sensor = await backend.trace(trace_id, spans=2)
        assert (root.kind, root.parent_id, root.status, root.service) == ("consumer", "", "unset", service)
        assert (sensor.kind, sensor.parent_id, sensor.status) == ("internal", root.span_id, "error")
        assert root.attributes["messaging.kafka.offset"] == 42
        assert [link.trace_id for link in root.links] == ["ab" * 16]
        assert [(event.name, event.attributes["by"]) for event in root.events] == [("queued", "limit")]
        assert root.start <= sensor.start <= sensor.end <= root.end


async def test_an_unwell_receiver_keeps_nothing_and_counts(otlp: OtlpReceiver) -> None:
    otlp.status = 400
    send_spans(otlp.endpoint)
    assert (otlp.spans, otlp.refused) == ([], 1)


@pytest.fixture
async def echo() -> AsyncIterator[tuple[str, int]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()


async def test_the_proxy_passes_delays_swallows_cuts_and_refuses(echo: tuple[str, int]) -> None:
    async with Proxy(*echo) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await said(reader, writer, b"a") == b"a"

        proxy.delay, began = 0.05, time.monotonic()
        assert await said(reader, writer, b"b") == b"b"
        assert time.monotonic() - began >= 0.1

        proxy.delay, proxy.blackhole = 0.0, True
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await said(reader, writer, b"c")

        await proxy.cut()
        with pytest.raises(ConnectionResetError):
            await reader.read(1)

        await proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", proxy.port)

        proxy.blackhole = False
        await proxy.accept()
        again = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await said(*again, b"d") == b"d"
        again[1].close()
        writer.close()


async def test_eventually_says_what_the_last_answer_was() -> None:
    with pytest.raises(TimeoutError, match=r"still not true after 0.05 s; the last answer was \[\]"):
        await eventually(list, timeout=0.05)


async def test_eventually_cuts_off_what_hangs() -> None:
    with pytest.raises(TimeoutError):
        await eventually(asyncio.Event().wait, timeout=0.05)


async def test_eventually_raises_the_last_failed_assertion() -> None:
    def never() -> bool:
        raise AssertionError("two runs of one day")

    with pytest.raises(AssertionError, match="two runs of one day"):
        await eventually(never, timeout=0.05)


def test_a_missing_tool_is_told_in_one_line() -> None:
    with pytest.raises(cache.Unavailable, match="A thing: `no-such-program` is not installed"):
        cache.tool("no-such-program", "A thing")


def test_what_is_made_is_made_once_for_each_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTOR_TEST_CACHE", str(tmp_path / "cache"))
    recipe, made = tmp_path / "recipe", list[Path]()
    for text in ("one", "one", "two"):
        recipe.write_text(text)
        cache.made_once("thing", [recipe], made.append)
    assert len(made) == 2


async def send(bootstrap: str, topic: str, *values: bytes, codec: str | None = None) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type=codec) as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def read(bootstrap: str, topic: str, count: int) -> list[bytes]:
    async with (
        asyncio.timeout(20),
        AIOKafkaConsumer(
            topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50
        ) as consumer,
    ):
        return [(await consumer.getone()).value for _ in range(count)]


async def said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> bytes:
    writer.write(data)
    return await reader.read(100)


def send_spans(endpoint: str) -> tuple[str, str]:
    """Two spans, the second below the first, through the real SDK; returns the trace id and the service."""
    service = f"test-{uuid.uuid4().hex[:8]}"
    provider = TracerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
    tracer = provider.get_tracer("reactor.tests")
    other = trace.SpanContext(int("ab" * 16, 16), int("cd" * 8, 16), is_remote=True)
    with tracer.start_as_current_span(
        "process orders", kind=trace.SpanKind.CONSUMER, links=[trace.Link(other)]
    ) as root:
        root.set_attribute("messaging.kafka.offset", 42)
        root.add_event("queued", {"by": "limit"})
        with tracer.start_as_current_span("sensor") as child:
            child.set_status(trace.StatusCode.ERROR, "no such day")
    provider.shutdown()
    return f"{root.get_span_context().trace_id:032x}", service
