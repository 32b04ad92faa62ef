"""The way out: what users publish to a topic. Law: a publication that returned is on the brokers, once and in order."""

from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from reactor.model.errors import ReactorError, Unreachable
from reactor.sources.kafka import trouble
from reactor.sources.kafka.client import connection, why
from reactor.sources.kafka.settings import KafkaSettings


class Place(NamedTuple):
    """Where a record was written."""

    partition: int
    offset: int


class Producer:
    """An idempotent producer: `async with Producer(settings) as out: await out.publish("orders", b"{}")`.

    Idempotent means that its own repeated attempts write a record once. Two calls of `publish` write two records.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer = AIOKafkaProducer(
            **connection(settings),
            enable_idempotence=True,
            acks="all",
            request_timeout_ms=15_000,
            max_request_size=64 * 1024 * 1024,
        )

    async def __aenter__(self) -> Self:
        """Raises Unreachable where no broker answers."""
        try:
            await self._producer.start()
        except (KafkaError, OSError) as error:
            await self._producer.stop()
            reason = await why(self._settings, error)
            raise Unreachable(trouble.connecting(self._settings.servers, reason)) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._producer.stop()

    async def publish(
        self,
        topic: str,
        body: bytes | None,
        *,
        key: bytes | None = None,
        headers: Mapping[str, bytes] | None = None,
        traceparent: str | None = None,
    ) -> Place:
        """Writes one record and returns where, once all in-sync replicas have it. Concurrent calls share requests.

        Raises:
            ValueError: neither a body nor a key, which would say nothing.
            Unreachable: no answer. The record may have been written.
            ReactorError: the brokers refuse it.
        """
        if body is None and key is None:
            raise ValueError(
                f"A record for {topic!r} without a body deletes what is under its key, but no key was given."
            )
        carried = dict(headers or {})
        if traceparent is not None:
            carried.setdefault("traceparent", traceparent.encode("ascii"))
        try:
            written = await self._producer.send_and_wait(topic, body, key=key, headers=list(carried.items()))
        except MessageSizeTooLargeError as error:
            size = len(body or b"") + len(key or b"")
            raise ReactorError(
                f"The record for {topic!r} has {size} bytes, which the topic does not take. Raise max.message.bytes "
                "of the topic, or put the data "
                "elsewhere and send its place."
            ) from error
        except (KafkaError, OSError) as error:
            kind = Unreachable if getattr(error, "retriable", True) else ReactorError
            raise kind(trouble.connecting(self._settings.servers, error)) from error
        return Place(written.partition, written.offset)
