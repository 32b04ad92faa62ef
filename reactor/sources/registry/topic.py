"""The compacted topic in which Confluent's registry, and those that follow it, keep their schemas: its records as changes.

@sensor(Kafka("_schemas"))
def schemas(record: Record) -> SchemaSeen | None: ... registered(record) ...
"""

import msgspec

from reactor.model.events import Json, Record, SchemaChange
from reactor.sources.registry.client import KINDS


def registered(record: Record) -> SchemaChange | None:
    """What a record of the topic `_schemas` says; None for those that are no schema (settings, modes, no-ops).

    A key is `{"keytype": "SCHEMA", "subject": ..., "version": ...}`, a value the schema, or null where it was deleted for good.

    Raises:
        msgspec.MsgspecError: it is no record of a registry.
    """
    key: Json = msgspec.json.decode(record.key or b"null")
    if not isinstance(key, dict) or key.get("keytype") != "SCHEMA":
        return None
    subject, version = str(key.get("subject", "")), str(key.get("version", ""))
    value: Json = msgspec.json.decode(record.body) if record.body is not None else None
    if not isinstance(value, dict) or value.get("deleted"):
        return SchemaChange("", subject, None, f"deleted {version}", record.timestamp, version)
    kind = str(value.get("schemaType") or "AVRO")
    return SchemaChange(
        KINDS.get(kind, kind.lower()), subject, value.get("schema"), "registered", record.timestamp, version
    )
