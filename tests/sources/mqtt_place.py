"""A topic on the real broker, as the tests of the MQTT source use it."""

import itertools
from typing import Any
from uuid import uuid4

from reactor.model.events import Message, RawEvent
from reactor.model.source import Mqtt
from reactor.sources.base import Condition, Source
from reactor.sources.mqtt.settings import MqttSettings
from reactor.sources.mqtt.source import MqttSource
from tests.clock import MachineClock
from tests.services import mosquitto
from tests.services.mosquitto import Mosquitto
from tests.services.wait import eventually
from tests.sources.kafka_place import PlainIds


class Place:
    """Topics of its own under one filter, read by sources that are one client to the broker."""

    ordered = True

    def __init__(self, broker: mosquitto.Mqtt) -> None:
        self.broker = broker
        self.root = f"t-{uuid4().hex[:8]}"
        self.spec = Mqtt(self.root + "/{site}/closed")
        self.topic = f"{self.root}/north/closed"
        self._sources: list[MqttSource] = []
        self._subscribed = False
        self._count = itertools.count()

    def make(self, **settings: Any) -> Source:
        given = {"server": self.broker.server, "user": self.broker.user, "password": self.broker.password}
        settings = {k: v for k, v in (given | settings).items() if v is not None}
        made = MqttSource(self.spec, MqttSettings.model_validate(settings), MachineClock(), PlainIds())
        self._sources.append(made)
        return made

    async def subscribed(self) -> None:
        """The broker knows our session from now on, and keeps what comes for it."""
        if not self._subscribed:
            await eventually(lambda: any(s.health().condition is Condition.CONNECTED for s in self._sources))
            self._subscribed = True

    async def produce(self, count: int) -> list[str]:
        await self.subscribed()
        labels = [f"n{next(self._count)}" for _ in range(count)]
        await self.broker.publish(self.topic, *(label.encode() for label in labels))
        return labels

    def label(self, event: RawEvent) -> str:
        assert isinstance(event.payload, Message)
        return event.payload.text

    async def break_it(self) -> None:
        assert isinstance(self.broker, Mosquitto)
        await self.broker.stop()

    async def heal_it(self) -> None:
        assert isinstance(self.broker, Mosquitto)
        await self.broker.start()
