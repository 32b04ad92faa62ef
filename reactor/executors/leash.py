"""A small process that outlives the engine by a moment: where the engine dies, whatever it started dies too.

May know: the standard library, and process groups. May not know: any other part of Reactor (it runs alone, as a
script, so that it is quick and small). The engine tells it which groups are about; when its pipe closes and groups
are left, it kills them.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress


class Leash:
    """The engine's end. Started with the first group; any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def hold(self, group: int) -> None:
        self._tell(f"+{group}\n")

    def let_go(self, group: int) -> None:
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """Every group that is still held is killed."""
        with self._lock:
            if self._process is not None:
                self._end(self._process)
                self._process = None

    def _tell(self, line: str) -> None:
        with self._lock:
            if self._process is None:
                if line[0] == "-":
                    return
                self._process = subprocess.Popen(  # noqa: S603 - this very file
                    [sys.executable, "-I", "-S", __file__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )
            assert self._process.stdin is not None
            try:
                os.write(self._process.stdin.fileno(), line.encode())
            except BrokenPipeError:  # somebody killed it: the next group gets a new one
                self._end(self._process)
                self._process = None

    @staticmethod
    def _end(process: "subprocess.Popen[bytes]") -> None:
        if process.stdin is not None:
            process.stdin.close()
        process.wait()


def main() -> None:
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    for group in sorted(groups):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
