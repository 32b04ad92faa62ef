"""Events: what arrived, and what the engine is handed.

`Record`, `File`, `CloudEvent`, `Row`, `Tick` and `Message` are what a source yields and a sensor is given. `Ready` is what a sensor
answers. `Readiness` is a `Ready` with its place in the ledger: the one kind of data event that the core knows.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any  # JSON values have no narrower type that users could live with

import msgspec

from reactor.model.ids import NO_PARTITION, AssetName, EventId, Instant, Lane, PartitionKey, SensorName, SourceName

Json = Any  # type: ignore[explicit-any]  # the one named hole: a JSON value

SHAPE = "schema:"
"""Changes of an asset's schema are events of a hidden asset whose name begins with this."""
EVIDENCE_LIMIT = 16 * 1024
"""Bytes of JSON that a readiness event may carry."""
DEPTH_LIMIT = 32
"""How deep evidence may be nested: what is deeper could be written by one stack and not be read by another."""


class Status(StrEnum):
    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


class Record(msgspec.Struct, gc=False):
    """One record of a topic, of Kafka or of the embedded log.

    `value` decodes the body as JSON when it is first asked for; `body` is the bytes as they came (None: a tombstone).
    """

    topic: str
    partition: int
    offset: int
    timestamp: Instant
    key: bytes | None
    body: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    _value: Json = msgspec.UNSET

    @property
    def value(self) -> Json:
        """The body as JSON. Raises `msgspec.DecodeError` where it is not JSON; the event is then dead-lettered."""
        if self._value is msgspec.UNSET:
            self._value = None if self.body is None else _decoded(self.body)
        return self._value

    @property
    def text(self) -> str:
        """The body as UTF-8 text. Raises `UnicodeDecodeError`."""
        return (self.body or b"").decode()

    def header(self, name: str) -> str | None:
        for key, value in self.headers:
            if key == name:
                return value.decode("utf-8", "replace")
        return None


def _decoded(body: bytes) -> Json:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise msgspec.DecodeError(
            f"the record's body is no JSON ({error}). Let its producer write JSON, or read `record.text` or `record.body`"
        ) from error


class File(msgspec.Struct, frozen=True):
    """A file or an object that is complete. `path` is absolute, or the object's URL; `name` is what stands below the folder (of a pattern, all
    before its first wildcard)."""

    path: str
    name: str
    fields: Mapping[str, str]
    """What the pattern's `{placeholders}` matched."""
    size: int
    mtime: Instant
    version: int
    """The n-th content that was seen under this name, from 1."""
    etag: str = ""
    """What the bucket tells this content by; empty for a file."""

    @property
    def key(self) -> str:
        """An object's whole key in its bucket; of a file, its name."""
        return self.path.split("/", 3)[3] if "://" in self.path else self.name

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).stem


class CloudEvent(msgspec.Struct, frozen=True):
    """A CloudEvents 1.0 event that came by HTTP. `id` and `source` together are its identity."""

    id: str
    source: str
    type: str
    subject: str | None = None
    time: Instant | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    data: Json = None
    extensions: Mapping[str, Json] = {}


class Row(msgspec.Struct, frozen=True):
    """A row of a polled query, by column name."""

    values: Mapping[str, Json]
    cursor: Json

    def __getitem__(self, column: str) -> Json:
        return self.values[column]


class Tick(msgspec.Struct, frozen=True):
    """A moment that a schedule names. `at` is the slot, not the time at which it was noticed."""

    schedule: str
    at: Instant


class SchemaChange(msgspec.Struct, frozen=True):
    """The shape of something is another one than before, or it is seen for the first time."""

    kind: str
    """How `body` says it: `postgres` (a list of columns), `avro`, `json`, `protobuf` (the text of a schema)."""
    name: str
    """What has this shape: `public.orders`, or a subject of a registry."""
    body: Json
    """None: it is gone."""
    command: str
    """What was done, in the words of its source: `ALTER TABLE`, `compared`, `registered`, `deleted`."""
    at: Instant
    version: str = ""
    """Its number, where the source counts."""


class Message(msgspec.Struct, frozen=True):
    """One MQTT publication. `value` decodes the body as JSON; `body` is the bytes as they came."""

    topic: str
    fields: Mapping[str, str]
    """What the source's `{placeholders}` matched."""
    body: bytes
    qos: int
    """At which it came: at most 1, whatever it was published with."""
    retained: bool
    """The broker kept it for whoever comes: it was published before this topic was subscribed to."""
    received: Instant
    """MQTT says nothing of when it was published."""
    content_type: str = ""
    properties: tuple[tuple[str, str], ...] = ()
    """The user properties of MQTT 5, in their order; a name may stand twice."""

    @property
    def value(self) -> Json:
        """The body as JSON. Raises `msgspec.DecodeError` where it is not JSON; the event is then dead-lettered."""
        return msgspec.json.decode(self.body)

    @property
    def text(self) -> str:
        """The body as UTF-8 text. Raises `UnicodeDecodeError`."""
        return self.body.decode()

    def property(self, name: str) -> str | None:
        """The first user property of this name."""
        return next((value for key, value in self.properties if key == name), None)


Payload = Record | File | CloudEvent | Row | Tick | Message | SchemaChange


def encode_payload(payload: Payload) -> bytes:
    """The payload as JSON, as it is kept; `msgspec.json.decode(..., type=Record)` and so on reads it back."""
    if isinstance(payload, Record):
        payload = Record(
            payload.topic,
            payload.partition,
            payload.offset,
            payload.timestamp,
            payload.key,
            payload.body,
            payload.headers,
        )
    return msgspec.json.encode(payload)


class RawEvent(msgspec.Struct, gc=False):
    """A payload with its place in its source."""

    payload: Payload
    position: int
    """Its number in its lane: a Kafka offset, or a count that the source keeps. Grows; gaps are allowed."""
    id: str = ""
    """The identity that redelivery is recognised by. Empty where the position is the identity (Kafka)."""
    traceparent: str | None = None
    error: str | None = None
    """Set where the source itself could not make a payload of it (a 10 MB record, a file that vanished)."""


class Ready(msgspec.Struct, frozen=True, gc=False):
    """A sensor's answer: this cut of this asset has arrived. Made with `Asset.ready`."""

    asset: AssetName
    partition: PartitionKey = NO_PARTITION
    evidence: Mapping[str, Json] = {}
    status: Status = Status.OK
    at: Instant | None = None
    """When the event says that it happened, where that differs from its arrival."""
    body: bytes = b""
    """The evidence as JSON, as `evidence_json` wrote it."""
    shape: Json = None
    """What the content is made of, as the sensor gave it: see `Asset.ready` and `Asset.changed`."""
    schema: bytes = b""
    """The same as a `Schema` in JSON. Set by the service."""
    held: str = ""
    """Why a gate does not let it through. Set by the service."""


def evidence_json(evidence: Mapping[str, Json]) -> bytes:
    """The evidence as it is stored.

    Raises:
        ValueError: it is no JSON, larger than `EVIDENCE_LIMIT`, or nested deeper than `DEPTH_LIMIT`.
    """
    if depth(evidence) > DEPTH_LIMIT:
        raise ValueError(f"it is nested deeper than {DEPTH_LIMIT} levels")
    try:
        body = msgspec.json.encode(evidence)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"it cannot be written as JSON: {error}") from error
    if len(body) > EVIDENCE_LIMIT:
        raise ValueError(
            f"it has {len(body)} bytes; {EVIDENCE_LIMIT} are allowed. Put the data where it belongs and name the place"
        )
    return body


_FLAT = frozenset({str, int, float, bool, type(None)})


def depth(value: Json) -> int:
    """How deep a value is nested; one more than the limit stands for all that is deeper."""
    if type(value) is dict and _FLAT.issuperset(map(type, value.values())):
        return 1  # most evidence is flat
    layer, depth = [value], 0
    while layer and depth <= DEPTH_LIMIT:
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, Mapping) else outer)
            if isinstance(inner, (dict, list, tuple))
        ]
        depth += 1
    return depth


class Readiness(msgspec.Struct, frozen=True, gc=False):
    """A readiness event with everything that the ledger keeps of it. Stored whole."""

    seq: int
    """Its number in this ledger: grows with every readiness event, never used twice."""
    id: EventId
    asset: AssetName
    partition: PartitionKey
    status: Status
    evidence: bytes
    """JSON, at most `EVIDENCE_LIMIT` bytes."""
    arrived: Instant
    at: Instant
    source: SourceName
    lane: Lane
    position: int
    by: SensorName
    """The sensor, or `task NAME` for the output of a run."""
    run: str = ""
    """The run that made it, where one did."""
    traceparent: str | None = None
    held: str = ""
    """Why a gate does not let it through; empty where all did. Not kept with the event: its disposition says it."""
    schema: bytes = b""
    """What its content is made of, a `Schema` in JSON, where somebody looked. Not kept with the event."""


class Item(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A readiness event as one operand of a wait, or one input of a run, holds it."""

    operand: int
    seq: int
    event: EventId
    asset: AssetName
    partition: PartitionKey
    version: int
    at: Instant
    evidence: bytes
    traceparent: str | None
    used: bool = False
    """A start was handed this one before; it stays because the rule runs again on a new version of any input."""


class Dispose(StrEnum):
    """Where a readiness event ended for one rule. `pending` and `used` are not written: they are in the waits and the runs."""

    FILTERED = "filtered"
    SUPERSEDED = "superseded"
    DUPLICATE = "duplicate"
    LATE = "late"
    EXPIRED = "expired"
    DROPPED = "dropped"
    STATUS = "status"
    """The event itself said that it is not ok."""
    MERGED = "merged"
    """A newer request for the same partition took its place before the run began."""
    RECORDED = "recorded"
    """The rule only records new versions after its start."""
    HELD = "held"
    """A gate did not let it through: no rule was asked. A person approves it, as an event of its own, or rejects it."""
    APPROVED = "approved"
    """It was held, and a person let it through, as an event of its own."""
    REJECTED = "rejected"
    """It was held, and a person closed the partition to it."""
    RELEASED = "released"
    """The rule is gone from the definitions; its wait was closed."""


class Disposition(msgspec.Struct, frozen=True, gc=False):
    """One line of the ledger: event `seq`, for rule `task` (empty: for the asset as a whole), ended so."""

    seq: int
    task: str
    outcome: Dispose
    detail: str = ""
    at: Instant = Instant(0)


class DeadLetter(msgspec.Struct, frozen=True):
    """An event that could not be turned into readiness, kept whole, to be looked at and retried."""

    source: SourceName
    lane: Lane
    position: int
    sensor: str
    reason: str
    detail: str
    """A traceback, redacted."""
    body: bytes
    """The payload as JSON, at most 1 MiB; of a larger one its size and digest."""
    at: Instant
    digest: str = ""
    """The version of the sensor's file."""
    id: int = 0
    """Given by the store."""
    state: str = "open"
    """`open`, `retried` or `dropped`."""
