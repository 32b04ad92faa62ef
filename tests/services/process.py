"""A server process of the tests' own: started with its output in a file, stopped, killed, and never left behind."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.services.wait import eventually


def free_ports(count: int) -> list[int]:
    """TCP ports on the loopback that were free a moment ago, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def listening(host: str, port: int) -> bool:
    """True where something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, port)) == 0


class Server:
    """One process. Where util-linux has `setpriv`, the kernel kills it when the thread that started it ends."""

    def __init__(self, argv: list[str], log: Path, env: dict[str, str] | None = None) -> None:
        self.argv = argv
        self.log = log
        self.env = env or {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self, ready: Callable[[], Awaitable[bool]], timeout: float) -> None:
        """Start it and wait until `ready` says so; RuntimeError with the end of the log where it ends before that."""
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - the child must outlive the loop that started it
                [*leash, *self.argv], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env={**os.environ, **self.env}, start_new_session=True,
            )  # fmt: skip
        try:
            await eventually(lambda: self._alive_and(ready), timeout)
        except BaseException:
            await self.kill()
            raise

    async def stop(self, timeout: float = 30.0) -> None:
        """SIGTERM, and SIGKILL for one that has not ended after `timeout` seconds."""
        await self._end(signal.SIGTERM, timeout)

    async def interrupt(self, timeout: float = 30.0) -> None:
        """SIGINT, which some servers take for: at once, with whoever is connected cut off."""
        await self._end(signal.SIGINT, timeout)

    async def kill(self) -> None:
        """SIGKILL, as a power cut would, but for the page cache."""
        await self._end(signal.SIGKILL, 10.0)

    def freeze(self) -> None:
        """SIGSTOP: alive, and silent."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    async def _alive_and(self, ready: Callable[[], Awaitable[bool]]) -> bool:
        if not self.running:
            raise RuntimeError(f"{Path(self.argv[0]).name} ended at its start; its last lines:\n{self._end_of_log()}")
        return await ready()

    async def _end(self, how: signal.Signals, timeout: float) -> None:
        if self._process is None:
            return
        self._signal(how)
        self.thaw()
        try:
            await eventually(lambda: not self.running, timeout)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await asyncio.to_thread(self._process.wait)

    def _signal(self, which: signal.Signals) -> None:
        if self._process and self.running:
            self._process.send_signal(which)

    def _end_of_log(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
