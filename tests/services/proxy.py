"""A TCP proxy that fails on request: it delays, cuts, swallows, or refuses. What a network does, without its tools."""

import asyncio
import socket
import struct
from contextlib import suppress
from types import TracebackType
from typing import Self

RESET = struct.pack("ii", 1, 0)  # linger for no time: closing sends RST


class Proxy:
    """`async with Proxy(host, port) as proxy:` and connect to `proxy.bootstrap`.

    `delay` (seconds) is added in both directions; while `blackhole` is set all is swallowed and nothing is closed.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.delay = 0.0
        self.blackhole = False
        self.connections = 0

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:  # fmt: skip
        await self.refuse()

    async def accept(self) -> None:
        """Listen, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Stop listening, so that connections are refused, and cut those that are open."""
        if self._server:
            self._server.close()
            await self.cut()
            await self._server.wait_closed()

    async def cut(self) -> None:
        """Reset every open connection."""
        for writer in list(self._open):
            if sock := writer.get_extra_info("socket"):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            there, back = await asyncio.open_connection(*self._target)
        except OSError:
            self._drop(writer)
            return
        self._open.add(back)
        await asyncio.gather(self._pipe(reader, back), self._pipe(there, writer))

    async def _pipe(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                if self.delay:
                    await asyncio.sleep(self.delay)
                if not self.blackhole:
                    sink.write(data)
                    await sink.drain()
        self._drop(sink)

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        self._open.discard(writer)
        writer.close()
