"""Whatever a person, a source or a file gives as a schema: which reader reads it."""

from collections.abc import Callable, Mapping

from pydantic import BaseModel

from reactor.model.asset import Accepted
from reactor.model.events import Json, SchemaChange
from reactor.model.schema import Schema, SchemaError
from reactor.schemas.arrow import of_arrow
from reactor.schemas.avro import of_avro
from reactor.schemas.jsonschema import of_json_schema, parsed
from reactor.schemas.models import of_model
from reactor.schemas.protobuf import of_proto
from reactor.schemas.sql import of_columns

_KINDS: Mapping[str, Callable[[Json], Schema]] = {
    "postgres": of_columns,
    "avro": of_avro,
    "json": of_json_schema,
    "protobuf": of_proto,
}
"""The kinds of `SchemaChange`, and who reads their bodies."""


def declared(schema: object) -> Schema | None:
    """What `Asset(schema=...)` says; None where that is whatever was accepted last. Raises SchemaError."""
    return None if isinstance(schema, Accepted) else schema_of(schema)


def schema_of(given: object) -> Schema:
    """A schema out of a pydantic model, a `SchemaChange`, an Avro or a JSON schema (a dict, or its text), a PyArrow schema.

    Raises:
        SchemaError: it is none of these, or cannot be read.
    """
    if isinstance(given, Schema):
        return given
    if isinstance(given, SchemaChange):
        return _of_change(given)
    if isinstance(given, type) and issubclass(given, BaseModel):
        return of_model(given)
    if isinstance(given, (str, Mapping, list)):
        return _of_json(parsed(given) if isinstance(given, str) else given)
    if type(given).__module__.partition(".")[0] == "pyarrow":
        return of_arrow(given)
    raise SchemaError(
        f"{given!r:.100} is no schema. Give a pydantic model, an Avro or a JSON schema, a PyArrow schema, or `accepted`."
    )


def _of_change(change: SchemaChange) -> Schema:
    if change.body is None:
        raise SchemaError(f"{change.name} is gone ({change.command}).")
    if change.kind not in _KINDS:
        raise SchemaError(f"{change.name} has a schema of the kind {change.kind!r}, which nobody here reads.")
    return _KINDS[change.kind](change.body)


def _of_json(given: Json) -> Schema:
    """Avro names its types by words and lists; a JSON schema never has fields, symbols or items beside a type of Avro's."""
    avro = isinstance(given, list) or (
        isinstance(given, Mapping)
        and given.get("type") in ("record", "error", "enum", "fixed", "array", "map")
        and "properties" not in given
        and ("name" in given or given.get("type") == "map")
    )
    return of_avro(given) if avro else of_json_schema(given)
