"""The listening socket."""

from __future__ import annotations

import asyncio
import socket

import pytest

from reactor.model.errors import ConfigError
from reactor.web.server import bind


async def test_answers_do_not_wait_for_an_acknowledgement() -> None:
    """asyncio turns Nagle's algorithm off only for a socket that names its protocol; without, every answer in two parts cost 40 ms."""
    sock = bind("127.0.0.1", 0)
    nodelay: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nodelay.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    server = await asyncio.start_server(serve, sock=sock)
    async with server:
        _, writer = await asyncio.open_connection(*sock.getsockname())
        assert await nodelay
        writer.close()


def test_a_taken_address_is_said_at_once() -> None:
    first = bind("127.0.0.1", 0)
    first.listen()
    try:
        with pytest.raises(ConfigError, match="--port"):
            bind(*first.getsockname())
    finally:
        first.close()
