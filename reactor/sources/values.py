"""Values of a database as JSON, and a cursor's value as JSON that leads back to the very same value."""

import base64
import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from reactor.model.events import Json


def plain(value: object) -> Json:
    """A value as a sensor is given it: JSON as it is; bytes as base64; NaN as None; dates, decimals and all else as
    text.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode()
        case datetime() | date():
            return value.isoformat()
        case list() | tuple():
            return [plain(v) for v in value]
        case Mapping():
            return {str(k): plain(v) for k, v in value.items()}
        case _:
            return str(value)


def pack(value: object) -> str:
    """A cursor's value as JSON text, for `unpack`. Raises TypeError where its type cannot be a cursor."""
    match value:
        case bool():
            raise TypeError("a truth value cannot be a cursor")
        case int() | str():
            return msgspec.json.encode(value).decode()
        case float() if math.isfinite(value):
            return msgspec.json.encode(value).decode()
        case datetime():
            return _tagged("datetime", value.isoformat())
        case date():
            return _tagged("date", value.isoformat())
        case Decimal() if value.is_finite():
            return _tagged("decimal", str(value))
        case UUID():
            return _tagged("uuid", str(value))
        case bytes():
            return _tagged("bytes", base64.b64encode(value).decode())
        case _:
            raise TypeError(f"a value of type {type(value).__name__} ({value!r}) cannot be a cursor")


def unpack(text: str) -> object:
    """The value that `pack` was given."""
    value: Json = msgspec.json.decode(text)
    if not isinstance(value, dict):
        return value
    [(kind, written)] = value.items()
    match kind:
        case "datetime":
            return datetime.fromisoformat(written)
        case "date":
            return date.fromisoformat(written)
        case "decimal":
            return Decimal(written)
        case "uuid":
            return UUID(written)
        case "bytes":
            return base64.b64decode(written)
        case _:
            raise ValueError(f"a cursor of an unknown kind: {text}")


def _tagged(kind: str, written: str) -> str:
    return msgspec.json.encode({kind: written}).decode()
