"""A real schema registry, Apicurio with its schemas in memory, asked by the interface that Confluent's has.

`REACTOR_TEST_REGISTRY=http://host:8081` names one that is already there; tests use subjects of their own in it.
"""

import hashlib
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import httpx

from tests.services import cache
from tests.services.process import Server, free_ports

RECIPE = Path(__file__).with_name("registry") / "artifact.txt"
PURPOSE = "Apicurio, a schema registry"
JVM = ("-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")


class Registry:
    """A registry that answers at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def register(self, subject: str, schema: object, kind: str = "AVRO") -> None:
        """A new version of a subject."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        await self._ask("POST", f"/subjects/{subject}/versions", {"schema": text, "schemaType": kind})

    async def delete(self, subject: str, version: int | None = None) -> None:
        """A version, or the whole subject."""
        await self._ask("DELETE", f"/subjects/{subject}" + (f"/versions/{version}" if version else ""))

    async def compatibility(self, subject: str, level: str) -> None:
        await self._ask("PUT", f"/config/{subject}", {"compatibility": level})

    async def answers(self) -> bool:
        try:
            await self._ask("GET", "/subjects")
        except (httpx.HTTPError, ValueError):
            return False
        return True

    async def _ask(self, method: str, path: str, body: object = None) -> Any:
        async with httpx.AsyncClient(timeout=10) as client:
            answer = await client.request(method, self.url + path, json=body)
        answer.raise_for_status()
        return answer.json()


class RegistryServer(Registry):
    """One of the tests' own. It forgets everything when it ends, and has the same port when it starts again."""

    def __init__(self, folder: Path) -> None:
        port = free_ports(1)[0]
        super().__init__(f"http://127.0.0.1:{port}/apis/ccompat/v7")
        java = cache.tool("java", PURPOSE)
        environment = {"QUARKUS_HTTP_HOST": "127.0.0.1", "QUARKUS_HTTP_PORT": str(port)}
        environment |= {"apicurio.rest.deletion.artifact-version.enabled": "true"}
        self.server = Server([java, *JVM, "-jar", str(_jar())], folder / "registry.log", environment)

    async def start(self) -> None:
        await self.server.start(self.answers, 90.0)

    async def kill(self) -> None:
        await self.server.kill()

    def freeze(self) -> None:
        self.server.freeze()

    def thaw(self) -> None:
        self.server.thaw()


def external() -> Registry | None:
    url = os.environ.get("REACTOR_TEST_REGISTRY")
    return Registry(url) if url else None


def prepare() -> None:
    """Fetch it where it is not cached; Unavailable where it cannot be had."""
    _jar()


def _jar() -> Path:
    return next(cache.made_once("registry", [RECIPE], _fetch).glob("*-runner.jar"))


def _fetch(folder: Path) -> None:
    name, digest = RECIPE.read_text().split()
    maven = cache.tool("mvn", PURPOSE)
    argv = [maven, "-q", "-B", "dependency:copy", f"-Dartifact={name}", f"-DoutputDirectory={folder}"]
    cache.run(argv, cwd=folder, purpose=PURPOSE)
    archive = next(folder.glob("*.tar.gz"))
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != digest:
        raise cache.Unavailable(f"{PURPOSE}: what was fetched has the digest {found}, and {digest} was expected")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    archive.unlink()
