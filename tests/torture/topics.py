"""The topic that a torture's third asset is told by: one on real Apache Kafka, or the embedded one of the service itself."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol, TypeVar  # aiokafka is not typed

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError

from tests.torture.lives import Life

T = TypeVar("T")
PARTITIONS = 2
PATIENCE = 30.0


class Topic(Protocol):
    """Where records are told."""

    name: str
    settings: str
    """The project's reactor.toml."""

    def tell(self, life: Life | None, record: Mapping[str, object]) -> bool | None:
        """True: acknowledged. False: nobody knows. None: it could not even be tried."""

    def committed(self) -> Mapping[int, int]:
        """What the consumer group was told, by partition."""

    def close(self) -> None: ...


class Embedded:
    """The service's own log: it can be told only while the service lives."""

    name = "stock"
    settings = ""

    def tell(self, life: Life | None, record: Mapping[str, object]) -> bool | None:
        if life is None:
            return None
        answer = life.ask("POST", f"/topics/{self.name}", json.dumps({"value": record}))
        assert answer is None or answer[0] in (202, 503), answer
        return answer is not None and answer[0] == 202

    def committed(self) -> Mapping[int, int]:
        return {}

    def close(self) -> None:
        return


class KafkaTopic:
    """A new topic on a broker, with a producer that outlives all services: what it was acknowledged is there, once."""

    def __init__(self, bootstrap: str) -> None:
        self.name = f"stock-{uuid.uuid4().hex[:8]}"
        self.settings = f'[kafka]\nservers = "{bootstrap}"\ngroup = "{self.name}"\n'
        self._bootstrap = bootstrap
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="producer", daemon=True)
        self._thread.start()
        self._told = 0
        self._do(self._open())

    def tell(self, life: Life | None, record: Mapping[str, object]) -> bool | None:
        self._told += 1
        body = json.dumps(record).encode()
        self._do(self._producer.send_and_wait(self.name, body, partition=self._told % PARTITIONS))
        return True

    def committed(self) -> Mapping[int, int]:
        try:
            found = self._do(self._admin.list_consumer_group_offsets(self.name))
        except GroupCoordinatorNotAvailableError:  # no group ever joined this broker
            return {}
        return {place.partition: at.offset for place, at in found.items() if at.offset >= 0}

    def close(self) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def _open(self) -> None:
        self._admin: Any = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await self._admin.start()
        await self._admin.create_topics([NewTopic(self.name, PARTITIONS, 1)])
        self._producer: Any = AIOKafkaProducer(bootstrap_servers=self._bootstrap, enable_idempotence=True, acks="all")
        await self._producer.start()

    async def _close(self) -> None:
        await self._producer.stop()
        await self._admin.close()

    def _do(self, work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)
