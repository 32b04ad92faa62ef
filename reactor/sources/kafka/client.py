"""A connected consumer on one topic, as its source needs it. Law: the one place that says how aiokafka's consumer is
set up, and why.

- `auto_offset_reset="none"`: a position that is gone is an error that we see, never a silent jump.
- `read_committed`: what a transaction aborted is no event.
- No poll is demanded (`max_poll_interval`): a consumer that does not ask is back-pressure, not death. aiokafka's own
  task keeps the membership alive meanwhile and holds at most one fetch of each partition.
- `group_instance_id`: a process that was killed gets its partitions back at once when it returns, instead of after
  the session timeout.
- A fetch is small (1 MiB of a partition, 16 MiB in all): a broker still answers a single larger record whole, alone.
"""

import asyncio
import hashlib
from contextlib import suppress

from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError

from reactor.model.errors import ReactorError
from reactor.sources.kafka import trouble
from reactor.sources.kafka.settings import KafkaSettings

NEVER_MS = 2**31 - 1
SESSION_MS = 10_000
REBALANCE_MS = 20_000
CLOSE_SECONDS = 5.0
CONNECT_SECONDS = 15.0


class NoTopic(ReactorError):
    """The topic is not there (yet)."""


def connection(settings: KafkaSettings) -> dict[str, object]:
    """What consumers and producers share. Raises ConfigError where a certificate cannot be used."""
    options: dict[str, object] = {
        "bootstrap_servers": settings.servers,
        "client_id": settings.client_id,
        "security_protocol": settings.security_protocol,
        "ssl_context": settings.ssl_context(),
        "metadata_max_age_ms": settings.discover_ms,
    }
    if settings.sasl and settings.sasl_password is not None:
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = settings.sasl_password.get_secret_value()
    return options


def instance(settings: KafkaSettings, topic: str) -> str:
    """This node's standing membership for one topic: the same after a restart, at most 249 characters."""
    name = f"{settings.client_id}.{topic}"
    return name if len(name) <= 249 else f"{name[:180]}.{hashlib.sha256(name.encode()).hexdigest()[:32]}"


async def connect(settings: KafkaSettings, topic: str, listener: ConsumerRebalanceListener) -> AIOKafkaConsumer:
    """A consumer that is about to join the group. Raises NoTopic, ConfigError, KafkaError, OSError or TimeoutError."""
    consumer = AIOKafkaConsumer(
        **connection(settings),
        group_id=settings.group,
        group_instance_id=instance(settings, topic),
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        fetch_max_wait_ms=settings.fetch_max_wait_ms,
        max_partition_fetch_bytes=1024 * 1024,
        fetch_max_bytes=16 * 1024 * 1024,
        max_poll_interval_ms=NEVER_MS,
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=500,
        rebalance_timeout_ms=REBALANCE_MS,
        request_timeout_ms=REBALANCE_MS + 10_000,
    )
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await consumer.start()
            known = await consumer.topics()
        if topic not in known:
            raise NoTopic(trouble.no_topic(topic, settings.servers, known))
        consumer.subscribe([topic], listener=listener)
    except BaseException:
        await close(consumer)
        raise
    return consumer


async def why(settings: KafkaSettings, error: Exception) -> Exception:
    """What is behind a failed bootstrap. aiokafka writes the reason to its log and raises that there was one: so
    each server is asked again.
    """
    unexplained = error
    if not isinstance(error, KafkaConnectionError):
        return unexplained
    options = connection(settings)
    for unwanted in ("bootstrap_servers", "metadata_max_age_ms"):
        del options[unwanted]
    for host, port, _ in collect_hosts(settings.servers):
        try:
            opened = await create_conn(host, port, **options, request_timeout_ms=5_000)
        except (KafkaError, OSError, TimeoutError) as found:
            reason: Exception = found
            return reason
        opened.close()
    return unexplained


async def close(consumer: AIOKafkaConsumer) -> None:
    """Closes it whatever state it is in. A broker that does not answer is not waited for."""
    ending = asyncio.ensure_future(consumer.stop())
    await asyncio.wait([ending], timeout=CLOSE_SECONDS)
    if not ending.done():
        ending.cancel()
        await asyncio.wait([ending])
    if ending.cancelled() or ending.exception() is not None:
        # Its `stop` raises CancelledError when a fetch is just waiting to be tried again, and then leaves its sockets
        # open.
        with suppress(KafkaError, OSError):
            await consumer._client.close()
