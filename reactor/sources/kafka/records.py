"""What a client fetched, as raw events. Law: the hot path. One pass, two Structs a record, no branch that a plain
record need not take.
"""

import hashlib
from collections.abc import Sequence
from typing import Protocol

from reactor.model.events import RawEvent, Record
from reactor.model.ids import Instant
from reactor.model.trace import trace_context

TRACE_HEADERS = ("traceparent", "ce_traceparent")
"""W3C trace context as clients write it themselves, and as the CloudEvents binding for Kafka does."""


class Fetched(Protocol):
    """The part of aiokafka's ConsumerRecord that is read here."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    serialized_key_size: int
    serialized_value_size: int


def raw_events(fetched: Sequence[Fetched], limit: int) -> list[RawEvent]:
    """Records of one partition, in order. One whose key and value are longer than `limit` bytes comes without them,
    as an error.
    """
    if not fetched:
        return []
    topic, partition = fetched[0].topic, fetched[0].partition
    events: list[RawEvent] = []
    add = events.append
    for found in fetched:
        offset = found.offset
        if found.headers or found.serialized_value_size + found.serialized_key_size > limit:
            add(_special(found, limit))
        else:
            # An Instant in all but name: the call that would say so is a tenth of the cost of a record.
            at: Instant = found.timestamp * 1000  # type: ignore[assignment]
            add(RawEvent(Record(topic, partition, offset, at, found.key, found.value), offset))
    return events


def _special(found: Fetched, limit: int) -> RawEvent:
    headers = tuple(found.headers)
    size = max(found.serialized_key_size, 0) + max(found.serialized_value_size, 0)
    at = Instant(found.timestamp * 1000)
    if size <= limit:
        record = Record(found.topic, found.partition, found.offset, at, found.key, found.value, headers)
        return RawEvent(record, found.offset, traceparent=traceparent(headers))
    digest = hashlib.sha256(found.value or b"").hexdigest()
    kept = headers if sum(len(k) + len(v or b"") for k, v in headers) <= limit else ()
    record = Record(found.topic, found.partition, found.offset, at, None, None, kept)
    error = (
        f"The record has {size} bytes and {limit} are allowed, so its body was left out (sha256 of the value: "
        f"{digest}). "
        f"It is still in Kafka at {found.topic}/{found.partition}, offset {found.offset}. Raise "
        "kafka.max_record_bytes to read it, or let "
        "the producer put the data elsewhere and send its place."
    )
    return RawEvent(record, found.offset, traceparent=traceparent(kept), error=error)


def traceparent(headers: Sequence[tuple[str, bytes]]) -> str | None:
    """The first trace context that is well formed."""
    for name, value in headers:
        if name in TRACE_HEADERS and value:
            found = trace_context(value.decode("ascii", "replace"))
            if found is not None:
                return found
    return None
