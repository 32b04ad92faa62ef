"""The server: uvicorn on a socket that was bound before anything else was started, so that a taken port is said at once."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from reactor.model.errors import ConfigError


def bind(host: str, port: int) -> socket.socket:
    """A listening address.

    Raises:
        ConfigError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(
        family, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )  # named: only then asyncio turns Nagle's wait off
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise ConfigError(
            f"The address {host}:{port} cannot be used: {error.strerror}. Stop what uses it, or choose another with --port."
        ) from error
    return sock


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the service decides when it ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Web:
    """The running server."""

    def __init__(self, app: ASGIApp, sock: socket.socket) -> None:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2, server_header=False
        )
        self._server = Server(config)
        self._sock = sock
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        host, port = self._sock.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def start(self) -> None:
        self._sock.listen(2048)  # from here on callers wait instead of being refused: the address is written down next
        self._task = asyncio.create_task(self._server.serve(sockets=[self._sock]), name="web")

    async def stop(self) -> None:
        self._server.should_exit = True
        if self._task is not None:
            await asyncio.wait([self._task], timeout=5)
        self._sock.close()
