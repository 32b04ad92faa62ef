"""What somebody gave as the schema of an asset, whatever kind it is of: `Asset("refunds", schema=Refund)`, or what a source told of it."""

import sys
from collections.abc import Mapping

from reactor.model.asset import Accepted
from reactor.model.errors import DefinitionError
from reactor.model.events import SchemaChange
from reactor.model.schema import Schema, SchemaError

_AVRO_TYPES = ("record", "error", "enum", "fixed", "map")


def declared(schema: object) -> Schema | None:
    """What `Asset(schema=...)` says; None where that is whatever was accepted last. Raises as `schema_of` does."""
    return None if isinstance(schema, Accepted) else schema_of(schema)


def schema_of(given: object) -> Schema:
    """A pydantic model, a PyArrow schema, an Avro or JSON schema as a dict, a `SchemaChange`, or a `Schema` itself.

    Raises:
        DefinitionError: it is none of these.
        SchemaError: it is one, but not a valid one.
    """
    if isinstance(given, Schema):
        return given
    if isinstance(given, SchemaChange):
        return _change(given)
    if isinstance(given, Mapping):
        return _mapping(given)
    pyarrow = sys.modules.get("pyarrow")  # whoever has a schema of it has imported it
    if pyarrow is not None and isinstance(given, pyarrow.Schema):
        from reactor.schemas.arrow import of_arrow  # noqa: PLC0415 - for those who use it

        return of_arrow(given)
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and isinstance(given, type) and issubclass(given, pydantic.BaseModel):
        from reactor.schemas.models import of_model  # noqa: PLC0415 - for those who use it

        return of_model(given)
    raise DefinitionError(
        f"schema={given!r:.80} is no schema. Give a pydantic model (the class), a PyArrow schema, or an Avro or JSON schema as a dict."
    )


def _change(change: SchemaChange) -> Schema:
    if change.body is None:
        raise SchemaError(f"{change.name} is gone ({change.command}).")
    match change.kind:
        case "postgres":
            from reactor.schemas.sql import of_columns  # noqa: PLC0415 - for those who use it

            return of_columns(change.body)
        case "avro":
            from reactor.schemas.avro import of_avro  # noqa: PLC0415 - for those who use it

            return of_avro(change.body)
        case "json":
            from reactor.schemas.jsonschema import of_json_schema  # noqa: PLC0415 - for those who use it

            return of_json_schema(change.body)
        case "protobuf":
            from reactor.schemas.protobuf import of_proto  # noqa: PLC0415 - for those who use it

            return of_proto(change.body)
        case _:
            raise SchemaError(f"{change.name} has a schema of the kind {change.kind!r}, which nobody here reads.")


def _mapping(given: Mapping[str, object]) -> Schema:
    """A record of Avro has `fields`; in JSON Schema that word means nothing."""
    if given.get("type") in _AVRO_TYPES and ("name" in given or "values" in given):
        from reactor.schemas.avro import of_avro  # noqa: PLC0415 - for those who use it

        return of_avro(dict(given))
    from reactor.schemas.jsonschema import of_json_schema  # noqa: PLC0415 - for those who use it

    return of_json_schema(dict(given))
