"""Asking a schema registry (Confluent's REST interface, version 7): subjects, their versions, their level of compatibility."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from reactor.model.events import Json

if TYPE_CHECKING:
    from httpx import AsyncClient

SECONDS = 10.0
AT_ONCE = 8
"""Questions that are asked of a registry at the same time."""
KINDS = {"AVRO": "avro", "JSON": "json", "PROTOBUF": "protobuf"}


@dataclass(frozen=True)
class RegistryAt:
    """Where it answers, and who asks."""

    url: str
    user: str | None = None
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Version:
    """One registered schema. `kind`: `avro`, `json` or `protobuf`."""

    number: int
    kind: str
    text: str


class NotThere(Exception):
    """The registry knows no such subject or version (any more)."""


class RegistryClient:
    """A conversation; see `asking`."""

    def __init__(self, client: "AsyncClient") -> None:
        self._client, self._few = client, asyncio.Semaphore(AT_ONCE)

    async def subjects(self) -> list[str]:
        return [str(s) for s in await self._get("/subjects")]

    async def versions(self, subject: str) -> list[int]:
        """Their numbers, ascending."""
        return sorted(int(v) for v in await self._get(f"/subjects/{quote(subject, safe='')}/versions"))

    async def version(self, subject: str, number: int) -> Version:
        found = await self._get(f"/subjects/{quote(subject, safe='')}/versions/{number}")
        kind = str(found.get("schemaType") or "AVRO")
        return Version(number, KINDS.get(kind, kind.lower()), str(found["schema"]))

    async def level(self, subject: str) -> str:
        """What changes it lets in: BACKWARD, FULL, NONE, ...; the registry's own where the subject has none."""
        found = await self._get(f"/config/{quote(subject, safe='')}?defaultToGlobal=true")
        return str(found.get("compatibilityLevel") or found.get("compatibility") or "")

    async def _get(self, path: str) -> Json:
        async with self._few:
            answer = await self._client.get(path)
        if answer.status_code == 404:
            raise NotThere(path)
        answer.raise_for_status()
        return answer.json()


@asynccontextmanager
async def asking(at: RegistryAt) -> AsyncIterator[RegistryClient]:
    """A conversation with the registry. What goes wrong is an httpx error."""
    import httpx  # noqa: PLC0415 - heavy, and most projects have no registry

    login = httpx.BasicAuth(at.user, at.password) if at.user is not None else None
    async with httpx.AsyncClient(base_url=at.url, auth=login, timeout=SECONDS, trust_env=False) as client:
        yield RegistryClient(client)
