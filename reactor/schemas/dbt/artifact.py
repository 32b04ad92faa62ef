"""Reading an artifact of dbt: which one it is, in which version, and no more of it than is asked for.

Fields that are not known here are passed over, so newer versions are read as long as what is needed is in them.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from reactor.model.errors import NotFound, nearest
from reactor.model.schema import SchemaError

LIMIT = 512 * 1024 * 1024
"""Bytes that an artifact may have."""
_OLDEST: Mapping[str, int] = {"manifest": 9, "run-results": 4, "sources": 3}
"""The first versions with the fields that are read here. Later ones are taken too."""
_VERSION = re.compile(r"/dbt/([a-z-]+)/v(\d+)")


class Metadata(msgspec.Struct, frozen=True):
    """The part that all artifacts share."""

    dbt_schema_version: str
    generated_at: datetime | None = None
    invocation_id: str | None = None


class Artifact(msgspec.Struct, frozen=True):
    metadata: Metadata


A = TypeVar("A", bound=Artifact)
Source = str | Path | bytes


def read(source: Source, kind: str, shape: type[A]) -> A:
    """An artifact, by its path or as bytes.

    Raises:
        SchemaError: it is no such artifact, or of a version that is too old.
    """
    body = source if isinstance(source, bytes) else _body(Path(source))
    name = "This" if isinstance(source, bytes) else str(source)
    try:
        _check(name, kind, msgspec.json.decode(body, type=Artifact).metadata.dbt_schema_version)
        return msgspec.json.decode(body, type=shape)
    except msgspec.DecodeError as error:
        raise SchemaError(f"{name} is no {kind} artifact of dbt: {error}.") from error


def named(name: str, known: Iterable[str], what: str) -> str:
    """The unique id of a node that was given by it, or by its own name: the last part.

    Raises:
        NotFound: there is none, or more than one; the text says which.
    """
    ids = list(known)
    if name in ids:
        return name
    found = [i for i in ids if short(i) == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFound(
            f"{len(found)} nodes are called {name!r} in {what}: {', '.join(found)}. Give the whole unique id."
        )
    raise NotFound(f"There is no node {name!r} in {what}.{nearest(name, {short(i) for i in ids})}")


def short(unique_id: str) -> str:
    """`orders` of `model.shop.orders`, also of its version `model.shop.orders.v2`; `raw.orders` of a source."""
    kind, _, rest = unique_id.partition(".")
    return ".".join(rest.split(".")[1:3] if kind == "source" else rest.split(".")[1:2])


def _check(name: str, kind: str, version: str) -> None:
    found = _VERSION.search(version)
    if found is None or found[1] != kind:
        raise SchemaError(f"{name} is no {kind} artifact of dbt: it says that it is {version!r}.")
    if int(found[2]) < _OLDEST[kind]:
        raise SchemaError(
            f"{name} is a {kind} artifact of version {found[2]}; those before {_OLDEST[kind]} are not read. Run a newer dbt."
        )


def _body(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            body = file.read(LIMIT + 1)
    except OSError as error:
        raise SchemaError(f"{path} cannot be read: {error.strerror}.") from error
    if len(body) > LIMIT:
        raise SchemaError(f"{path} has more than {LIMIT} bytes, so it is not read.")
    return body
