"""What the client keeps to itself: brokers that are silent, a topic that is gone, partitions that nobody was given.

Law: it looks and says; the one thing that it does is to join the group once more where a partition was overlooked.
"""

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaConnectionError

from reactor.sources.base import Condition
from reactor.sources.kafka import trouble
from reactor.sources.kafka.lanes import Partition, Partitions

SILENT_SECONDS = 2.0
RECONNECT_SECONDS = 8.0
REJOIN_SECONDS = 2.0

Trouble = tuple[Condition, str | None]


class Watch:
    """Over one consumer. `look` is called about twice a second while it is read."""

    def __init__(
        self, consumer: AIOKafkaConsumer, partitions: Partitions, servers: str, listener: ConsumerRebalanceListener
    ) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._topic = partitions.topic
        self._servers = servers
        self._listener = listener
        self._count = 0
        self._count_differs: float | None = None
        self._absent: float | None = None

    def assigned(self) -> None:
        """The group has just shared out what there is."""
        self._count = self._there()

    def look(self, now: float, *, joined: bool) -> Trouble | None:
        """What is wrong with the connection, where something is. `now` is the loop's clock.

        Raises KafkaError where the client has given up, or has been silent for so long that a new one is better.
        """
        self._consumer._coordinator.check_errors()  # else only a poll would tell, and without partitions there is none
        if not joined:
            return (Condition.CONNECTING, None)
        self._look_for_partitions(now)
        if self._gone(now):
            return (Condition.BROKEN, trouble.gone(self._topic, self._servers))
        return self._silence(now)

    def _silence(self, now: float) -> Trouble | None:
        silent = [lane for lane in self._partitions.readable() if now - self._answered(lane, now) > SILENT_SECONDS]
        if not silent:
            return None
        longest = max(now - lane.answered for lane in silent)
        text = trouble.silent(self._servers, [lane.lane for lane in silent], longest)
        if longest > RECONNECT_SECONDS:
            raise KafkaConnectionError(text)
        return (Condition.CONNECTING, text)

    def _answered(self, lane: Partition, now: float) -> float:
        mark = self._consumer.last_poll_timestamp(TopicPartition(lane.topic, lane.number))
        if mark != lane.poll_mark:
            lane.poll_mark, lane.answered = mark, now
        return lane.answered

    def _gone(self, now: float) -> bool:
        """A topic without a leader is left out of the cluster's description too, but comes back."""
        if self._consumer.partitions_for_topic(self._topic) is not None:
            self._absent = None
            return False
        self._absent = self._absent or now
        return now - self._absent > SILENT_SECONDS

    def _look_for_partitions(self, now: float) -> None:
        """The group's leader notices a new partition. One that was restarted as a standing member does not: so every
        member that sees one, and is not told of it, joins once more.
        """
        if self._there() == self._count:
            self._count_differs = None
        elif self._count_differs is None:
            self._count_differs = now
        elif now - self._count_differs > REJOIN_SECONDS:
            self._count_differs = None
            self._consumer.subscribe([self._topic], listener=self._listener)

    def _there(self) -> int:
        return len(self._consumer.partitions_for_topic(self._topic) or ())
