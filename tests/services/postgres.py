"""A real PostgreSQL: a cluster of the tests' own, from Debian's package, which tests may stop, kill and start again.

`REACTOR_TEST_PG_DSN=postgresql://...` names a server that is already there, as a user who may create databases and event triggers.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

import asyncpg

from tests.services.cache import Unavailable
from tests.services.process import Server, free_ports, listening

PLACES = "/usr/lib/postgresql/*/bin"


class Postgres:
    """A server that answers at `dsn`, as a superuser."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    async def new_database(self) -> str:
        """A database that no other test has; its DSN."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        await self.execute(f"CREATE DATABASE {name}")
        return self.dsn.rpartition("/")[0] + f"/{name}"

    async def execute(self, *statements: str, dsn: str | None = None) -> None:
        connection = await asyncpg.connect(dsn or self.dsn)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


class PostgresServer(Postgres):
    """A cluster in a folder of its own. Raises Unavailable where the programs are not installed."""

    def __init__(self) -> None:
        self._bin = _programs()
        self.folder = Path(tempfile.mkdtemp(prefix="reactor-pg-"))
        self.port = free_ports(1)[0]
        super().__init__(f"postgresql://postgres@127.0.0.1:{self.port}/postgres")
        data = self.folder / "data"
        as_user = _as_user(self.folder)
        made = subprocess.run(
            [*as_user, str(self._bin / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"],
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if made.returncode:
            raise Unavailable(f"PostgreSQL: initdb failed: {made.stderr.strip().splitlines()[-1:]}")
        settings = (
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self.folder}",
            "fsync=off",
        )
        argv = [*as_user, str(self._bin / "postgres"), "-D", str(data), *(a for s in settings for a in ("-c", s))]
        self.server = Server(argv, self.folder / "log")

    async def start(self) -> None:
        async def ready() -> bool:
            if not listening("127.0.0.1", self.port):
                return False
            try:
                await self.execute("SELECT 1")
            except (OSError, asyncpg.PostgresError):
                return False
            return True

        await self.server.start(ready, 60.0)

    async def stop(self) -> None:
        await self.server.interrupt()  # a SIGTERM waits for everybody who is connected

    async def kill(self) -> None:
        await self.server.kill()

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def external() -> Postgres | None:
    dsn = os.environ.get("REACTOR_TEST_PG_DSN")
    return Postgres(dsn) if dsn else None


def prepare() -> None:
    """Raises Unavailable where there is no PostgreSQL."""
    _programs()


def _programs() -> Path:
    found = sorted(Path("/").glob(PLACES.lstrip("/")), reverse=True)
    known = [f for f in found if (f / "initdb").exists() and (f / "postgres").exists()]
    on_path = shutil.which("postgres")
    if known:
        return known[0]
    if on_path and shutil.which("initdb"):
        return Path(on_path).parent
    raise Unavailable("PostgreSQL: `initdb` and `postgres` are not installed (Debian: postgresql)")


def _as_user(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: the package's own user does it then."""
    if os.geteuid() != 0:
        return []
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise Unavailable("PostgreSQL: it does not run as root, and there is no user `postgres`") from None
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--pdeathsig", "KILL"]
