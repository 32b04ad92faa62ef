"""Looking at what something is made of: the sensor's own word, the columns of the file that landed, or the schema of its source.

Law: fail closed. What cannot be read holds its partition, with the reason. Reading a file blocks, so it is done in a thread.
"""

import asyncio
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from reactor.core.graph import Graph
from reactor.core.shapes import subject
from reactor.model.errors import ReactorError
from reactor.model.events import SHAPE, File, Json, Payload, Ready
from reactor.model.schema import Schema
from reactor.schemas.declared import schema_of
from reactor.schemas.files import schema_of_file

SECONDS = 30.0
"""How long reading one file's schema may take."""
_encode = msgspec.json.Encoder().encode


async def with_schema(graph: Graph, ready: Ready, payload: Payload | None) -> Ready:
    """The same with its schema, where the asset has one and it can be told; held where it cannot be read."""
    if subject(ready.asset) not in graph.schemas or ready.schema:
        return ready
    try:
        if ready.shape is not None:
            return replace(ready, schema=_encode(schema_of(ready.shape)), shape=None)
        path = file_of(ready, payload)
        if path is None:
            return ready
        return replace(ready, schema=_encode(await _read(path)))
    except ReactorError as error:
        why = str(error) if ready.asset.startswith(SHAPE) else f"its schema cannot be read: {error}"
        return replace(ready, held=why.rstrip("."), shape=None)


def file_of(ready: Ready, payload: Payload | None) -> str | None:
    """The file whose columns are the content's: the one that landed, else the one that the evidence names as `path`."""
    if isinstance(payload, File):
        return payload.path
    evidence: Mapping[str, Json] = msgspec.json.decode(ready.body) if ready.body else ready.evidence
    path = evidence.get("path")
    return path if isinstance(path, str) else None


async def _read(path: str) -> Schema:
    try:
        async with asyncio.timeout(SECONDS):
            return await asyncio.to_thread(schema_of_file, path)
    except TimeoutError:
        raise ReactorError(f"reading {path} took longer than {SECONDS:g} s") from None
    except OSError as error:
        raise ReactorError(f"{path}: {error.strerror or error}") from error
