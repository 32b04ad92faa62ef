"""The engine's end of one worker: its process, its socket, and the attempt that it has in hand.

May know: one worker. May not know: how many there are, or what happens to an attempt.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Callable

import msgspec

from reactor.executors.attempt import Attempt
from reactor.executors.child import Child, Spawner
from reactor.executors.frames import Begin, Broken, Checking, Done, FromWorker, Setup, Up, from_worker, pack
from reactor.model.ports import Clock

_BOOT = (
    "import sys; number, engine, *sys.path = sys.argv[1:]; "
    "from reactor.executors.worker import main; main(int(number), int(engine))"
)
"""The worker imports from where the engine does."""


class Hand(asyncio.Protocol):
    """One worker. `said` is called when it is up (None), when it turned to its checks, and when it is done with its
    attempt.
    """

    def __init__(self, said: "Callable[[Hand, Done | Checking | None], None]") -> None:
        self.attempt: Attempt | None = None
        self.up = False
        self.leaving = False
        """It gets no more work."""
        self.error = ""
        """Why it could not load the definitions."""
        self._said = said
        self._frames = from_worker()
        self._child: Child | None = None
        self._transport: asyncio.Transport | None = None

    async def start(self, spawner: Spawner, setup: Setup) -> None:
        """Raises OSError where the system has no room for it."""
        ours, theirs = socket.socketpair()
        try:
            words = [sys.executable, "-c", _BOOT, str(theirs.fileno()), str(os.getpid()), *sys.path]
            self._child = await spawner.spawn(words, os.environ, (theirs.fileno(),))
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._child.say = self._line
        self._transport, _ = await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=ours)
        self._transport.write(pack(setup))

    async def exited(self) -> int:
        """Its exit code, negative for a signal, once it is gone and all that it said was heard."""
        assert self._child is not None
        code = await asyncio.shield(self._child.exited)
        if self._transport is not None:
            self._transport.close()
        return code

    @property
    def kills_before(self) -> int | None:
        return None if self._child is None else self._child.kills_before

    def begin(self, attempt: Attempt) -> None:
        self.attempt = attempt
        if self._transport is not None:
            self._transport.write(pack(Begin(attempt.job)))

    async def end(self, clock: Clock, grace: int) -> None:
        """SIGTERM, a grace of so many microseconds, SIGKILL."""
        if self._child is not None:
            await self._child.end(clock, grace)

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._frames.feed(data):
                self._hear(message)
        except (msgspec.DecodeError, ValueError) as error:
            self.error = f"it said something that is no message: {error}"
            if self._transport is not None:
                self._transport.abort()

    def _hear(self, message: FromWorker) -> None:
        if isinstance(message, Broken):
            self.error = message.error
            return
        if isinstance(message, Up):
            self.up = True
            self._said(self, None)
            return
        if self._child is not None:
            self._child.read_all()  # what it printed was written before it said so
        self._said(self, message)

    def _line(self, line: str) -> None:
        if self.attempt is not None:
            self.attempt.log.line(line)
