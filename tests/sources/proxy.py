"""A TCP proxy on loopback that can be cut and healed: a broker that goes away and comes back, in a millisecond."""

import asyncio
from contextlib import suppress


class Proxy:
    """Forwards `port` to `target`. Cut: connections are dropped and new ones refused. `damage` is swapped in what
    comes back.
    """

    def __init__(self, port: int, target: int) -> None:
        self._port = port
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.damage: tuple[bytes, bytes] | None = None
        self.came_back = 0
        """Bytes that the target sent."""

    async def heal(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def cut(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            far, there = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pump(near, there, coming=False))
                    group.create_task(self._pump(far, back, coming=True))
            finally:
                there.close()
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            back.close()
            with suppress(OSError, asyncio.CancelledError):
                await back.wait_closed()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, coming: bool) -> None:
        while data := await reader.read(1 << 16):
            if coming:
                self.came_back += len(data)
                data = data.replace(*self.damage) if self.damage else data
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError("the other side closed")
