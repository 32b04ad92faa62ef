"""What somebody gave as the schema of an asset, whatever kind it is of: `Asset("refunds", schema=Refund)`."""

import sys
from collections.abc import Mapping

from reactor.model.errors import DefinitionError
from reactor.model.schema import Schema

_AVRO_TYPES = ("record", "error", "enum", "fixed", "map")


def schema_of(given: object) -> Schema:
    """A pydantic model, a PyArrow schema, an Avro or JSON schema as a dict, or a `Schema` itself.

    Raises:
        DefinitionError: it is none of these.
        SchemaError: it is one, but not a valid one.
    """
    if isinstance(given, Schema):
        return given
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


def _mapping(given: Mapping[str, object]) -> Schema:
    """A record of Avro has `fields`; in JSON Schema that word means nothing."""
    if given.get("type") in _AVRO_TYPES and ("name" in given or "values" in given):
        from reactor.schemas.avro import of_avro  # noqa: PLC0415 - for those who use it

        return of_avro(dict(given))
    from reactor.schemas.jsonschema import of_json_schema  # noqa: PLC0415 - for those who use it

    return of_json_schema(dict(given))
