"""`POST /topics/{topic}`: records that people publish, into the embedded log or on to the brokers."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from reactor.model.source import Kafka
from reactor.sources.kafka.producer import Producer
from reactor.store.base import TopicRecord
from reactor.web.app import Word, held_up
from reactor.wiring import Assembly


class Publisher:
    """Records that people publish: into the embedded log, or on to the brokers."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._producer: Producer | None = None

    async def publish(self, topic: str, words: Sequence[Word]) -> None:
        Kafka(topic)  # refuses what is no name of a topic
        if self._assembly.sources.kafka.embedded:
            if (trouble := self._assembly.service.engine.trouble) is not None:
                raise held_up(trouble)
            now = self._assembly.clock.now()
            records = [TopicRecord(topic, _key(w), _body(w), _headers(w), now) for w in words]
            await self._assembly.commands.publish(records)
            return
        if self._producer is None:
            self._producer = await Producer(self._assembly.sources.kafka).__aenter__()
        for word in words:
            await self._producer.publish(topic, _body(word), key=_key(word), headers=dict(_headers(word)))

    async def close(self) -> None:
        if self._producer is not None:
            await self._producer.__aexit__(None, None, None)


def _key(word: Word) -> bytes | None:
    return None if word.key is None else word.key.encode()


def _body(word: Word) -> bytes | None:
    if word.text is not None:
        return word.text.encode()
    return None if word.value is UNSET else bytes(msgspec.json.encode(word.value))


def _headers(word: Word) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, value.encode()) for name, value in word.headers.items())
