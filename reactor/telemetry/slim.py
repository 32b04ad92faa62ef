"""What was told, without what no span needs: bodies and evidence. A queue of it is then bounded in bytes too, not in number alone."""

from msgspec.structs import replace

from reactor.model.commands import Noted
from reactor.model.events import CloudEvent, Item, Message, Payload, RawEvent, Record, Row
from reactor.telemetry.base import Sensed

SMALL = 256
"""Bytes of evidence that are not worth a copy."""


def slim_sensed(found: Sensed) -> Sensed:
    event = found.event
    payload = _slim_payload(event.payload)
    if payload is event.payload:
        return found
    return replace(found, event=RawEvent(payload, event.position, event.id, event.traceparent))


def _slim_payload(payload: Payload) -> Payload:
    match payload:
        case Record():
            return Record(payload.topic, payload.partition, payload.offset, payload.timestamp, None, None)
        case CloudEvent():
            return CloudEvent(payload.id, payload.source, payload.type)
        case Message():
            return Message(payload.topic, {}, b"", payload.qos, payload.retained, payload.received)
        case Row():
            return Row({}, None)
        case _:
            return payload


def slim_noted(ended: Noted) -> Noted:
    run = ended.run
    if all(len(i.evidence) <= SMALL for i in run.inputs):
        return ended
    return replace(ended, run=replace(run, inputs=tuple(map(_slim_item, run.inputs))))


def _slim_item(item: Item) -> Item:
    return replace(item, evidence=b"")
