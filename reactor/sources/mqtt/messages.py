"""A publication as a raw event. Law: pure; a packet as the client decoded it goes in.

The attributes of a CloudEvent are read where the MQTT binding puts them: in the user properties, or in the body where the
content type says so.
"""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from reactor.model.events import Message
from reactor.model.ids import Instant
from reactor.model.source import Mqtt
from reactor.model.trace import trace_context

STRUCTURED = "application/cloudevents+json"


class Packet(Protocol):
    """The part of paho's MQTTMessage that is read here."""

    qos: int
    retain: bool
    mid: int
    dup: bool

    @property
    def topic(self) -> str: ...
    @property
    def payload(self) -> bytes | bytearray: ...
    @property
    def properties(self) -> object: ...


class Taken(NamedTuple):
    """A publication, but for its place in the lane."""

    message: Message
    identity: str
    """What a second publication of the same is recognised by; empty where its publisher gave it none."""
    mark: str
    """A digest of all that was published."""
    traceparent: str | None
    error: str | None


class _Envelope(msgspec.Struct):
    """The part of a structured CloudEvent that is read here."""

    id: str = ""
    source: str = ""
    traceparent: str | None = None


def taken(packet: Packet, spec: Mqtt, limit: int, now: Instant) -> Taken:
    """A body of more than `limit` bytes is left out, and said to be."""
    properties: Sequence[tuple[str, str]] = getattr(packet.properties, "UserProperty", ())
    content_type = getattr(packet.properties, "ContentType", "")
    size = len(packet.payload)
    body, error = (bytes(packet.payload), None) if size <= limit else (b"", _too_large(packet, limit))
    topic = packet.topic
    message = Message(
        topic, spec.match(topic) or {}, body, packet.qos, packet.retain, now, content_type, tuple(properties)
    )
    envelope = _envelope(message)
    identity = _identity(message, envelope)
    trace = trace_context(message.property("traceparent")) or trace_context(envelope.traceparent)
    return Taken(message, identity, _mark(packet, message), trace, error)


def _envelope(message: Message) -> _Envelope:
    if not message.content_type.startswith(STRUCTURED):
        return _Envelope()
    try:
        return msgspec.json.decode(message.body, type=_Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Envelope()  # its sensor will say what is wrong with it


def _identity(message: Message, envelope: _Envelope) -> str:
    """Joined so that no two of them give the same text."""
    id, source = message.property("id"), message.property("source")
    if envelope.id and envelope.source:
        id, source = envelope.id, envelope.source
    elif message.property("specversion") is None:
        source = None
    if not id:
        return ""
    return f"event {len(source)}:{source}{id}" if source else f"topic {len(message.topic)}:{message.topic}{id}"


def _mark(packet: Packet, message: Message) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in (message.topic, message.content_type, *(text for pair in message.properties for text in pair)):
        digest.update(part.encode() + b"\0")
    digest.update(packet.payload)
    return b64encode(digest.digest()).decode().rstrip("=")


def _too_large(packet: Packet, limit: int) -> str:
    return (
        f"The publication on {packet.topic} has {len(packet.payload)} bytes and {limit} are allowed, so its body was left "
        f"out (sha256: {hashlib.sha256(packet.payload).hexdigest()}). Raise mqtt.max_message_bytes to read such ones and have it "
        "published again, or let the publisher put the data elsewhere and send its place."
    )
