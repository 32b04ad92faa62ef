"""Connecting to PostgreSQL: where the driver is loaded, and what its troubles are called. No password is ever in a text of ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from reactor.model.errors import ConfigError
from reactor.model.events import Json

if TYPE_CHECKING:
    from asyncpg import Connection
else:
    Connection = object

SECONDS = 10.0
"""How long a connection, and a question, may take."""
NAME = "reactor"
"""How we show ourselves in pg_stat_activity."""


@asynccontextmanager
async def connected(dsn: str, *, read_only: bool = True) -> AsyncIterator["Connection"]:
    """One connection for one purpose.

    Raises:
        ConfigError: the extra is not installed, or the DSN is none.
    """
    connection = await connect(dsn, read_only=read_only)
    try:
        yield connection
    finally:
        await connection.close(timeout=1.0)


async def connect(dsn: str, *, read_only: bool = True) -> "Connection":
    """A connection that the caller closes. See `connected`."""
    try:
        import asyncpg  # noqa: PLC0415 - an extra, and heavy
    except ImportError as error:
        raise ConfigError(
            "PostgreSQL needs the extra `postgres`: pip install 'reactor-orchestrator[postgres]'."
        ) from error
    settings = {"application_name": NAME, **({"default_transaction_read_only": "on"} if read_only else {})}
    try:
        made: Json = await asyncpg.connect(dsn, timeout=SECONDS, command_timeout=SECONDS, server_settings=settings)
    except (asyncpg.exceptions.ClientConfigurationError, ValueError) as error:
        raise ConfigError(
            "The setting postgres.dsn is no address of a PostgreSQL database, such as postgresql://user@host:5432/name."
        ) from error
    return cast("Connection", made)
