"""A process of our own, with everything that it starts: a group that is spawned, listened to, told to stop, and killed.

May know: processes, pipes, the loop's readers, the clock. May not know: what runs in it. Linux: its end is seen
through a pidfd.

Spawned from a thread by `subprocess` (vfork): a spawn from the loop of a large process would stop everything else
meanwhile, and under uvloop it forks the whole process.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from reactor.executors.exits import memory_kills
from reactor.executors.leash import Leash
from reactor.executors.lines import Lines
from reactor.model.ports import Clock

GRACE = 5_000_000
"""Microseconds between SIGTERM and SIGKILL."""

_CHUNK = 65_536
_MOST_AT_END = 64
"""Chunks of output that are read after the end; more than a pipe holds, so that nothing is lost and nobody can
write for ever.
"""


class Spawner:
    """Starts processes from a thread of its own, which lives as long as they do: the kernel ties a worker's life to
    the thread that made it.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "reactor spawner")
        self.leash = Leash()

    async def spawn(self, words: Sequence[str], env: Mapping[str, str], keep: Sequence[int] = ()) -> "Child":
        """Starts it as the leader of a session of its own, its output in a pipe, the file descriptors of `keep`
        left open.

        Raises:
            OSError, ValueError: it cannot be started.
        """
        before = memory_kills()
        loop = asyncio.get_running_loop()
        process = await asyncio.shield(loop.run_in_executor(self._thread, self._start, words, env, keep))
        return Child(process, self.leash, before)

    def close(self) -> None:
        self.leash.close()
        self._thread.shutdown(wait=False)

    def _start(self, words: Sequence[str], env: Mapping[str, str], keep: Sequence[int]) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(  # noqa: S603 - words, no shell
            list(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=env, pass_fds=tuple(keep), start_new_session=True,
        )  # fmt: skip
        self.leash.hold(process.pid)
        return process


class Child:
    """One process group. `exited` holds the leader's exit code, negative for a signal; all its output was handed to
    `say` before.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", leash: Leash, kills_before: int | None) -> None:
        assert process.stdout is not None
        self.pid = process.pid
        self.kills_before = kills_before
        self.say: Callable[[str], None] = _nowhere
        self._process = process
        self._leash = leash
        self._lines = Lines()
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        self._out = process.stdout.fileno()
        os.set_blocking(self._out, False)
        self._watch = os.pidfd_open(self.pid)
        self._loop.add_reader(self._out, self.read)
        self._loop.add_reader(self._watch, self._ended)

    def read(self) -> bool:
        """Hands on what its output holds, at most one chunk. True: there may be more."""
        try:
            data = os.read(self._out, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._out)
        for line in self._lines.feed(data):
            self.say(line)
        return len(data) > 0

    def read_all(self) -> None:
        """Hands on everything that was written before this call."""
        for _ in range(_MOST_AT_END):
            if not self.read():
                break

    def signal(self, which: signal.Signals) -> None:
        """To the whole group. While the leader was not reaped, its number can be nobody else's."""
        if not self.exited.done():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, which)

    async def end(self, clock: Clock, grace: int = GRACE) -> None:
        """SIGTERM, up to `grace` microseconds to clean up, SIGKILL. Returns when it is gone."""
        if grace > 0:
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGCONT)  # one that was stopped hears it now
            timer = asyncio.ensure_future(self._kill_later(clock, grace))
            await asyncio.shield(self.exited)
            timer.cancel()
        else:
            self.signal(signal.SIGKILL)
            await asyncio.shield(self.exited)

    async def _kill_later(self, clock: Clock, grace: int) -> None:
        await clock.sleep(grace)
        self.signal(signal.SIGKILL)

    def _ended(self) -> None:
        self._loop.remove_reader(self._watch)
        os.close(self._watch)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # what it left behind; the number is ours until it is reaped
        self._leash.let_go(self.pid)
        code = self._process.wait()
        self.read_all()
        for line in self._lines.flush():
            self.say(line)
        self._loop.remove_reader(self._out)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self.exited.set_result(code)


def _nowhere(line: str) -> None:
    """Nobody listens."""
