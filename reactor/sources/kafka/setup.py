"""What a topic's source is given. Law: values alone."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from reactor.model.ids import Lane
from reactor.model.ports import Clock, Ids
from reactor.model.source import Kafka
from reactor.sources.base import LaneStart
from reactor.sources.kafka.lanes import Partitions
from reactor.sources.kafka.settings import KafkaSettings

PositionOf = Callable[[Lane], Awaitable[LaneStart | None]]
"""Where the ledger stands in a lane. Asked when a partition comes to this node; the answer must not be older than
the last `done`.
"""


@dataclass(frozen=True)
class Ports:
    """What the source needs of its surroundings."""

    clock: Clock
    ids: Ids
    position_of: PositionOf


@dataclass(frozen=True)
class Setup:
    """What does not change while the source lives."""

    spec: Kafka
    settings: KafkaSettings
    ports: Ports
    partitions: Partitions
    settled: asyncio.Event
    """Set by the source whenever nothing that was handed out is still in flight."""
