"""Lives, as the world outside sees them: begun by the fork server, asked over HTTP, killed. Every wait here has an end."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

OPEN_AT_MOST = 60.0
"""Seconds in which a life has opened, or is over."""
GONE_AT_MOST = 45.0
ANSWER_AT_MOST = 3.0


@dataclass(frozen=True)
class Life:
    """One service that runs, or ran."""

    pid: int
    url: str = ""
    token: str = ""

    @property
    def alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL, and it is gone when this returns."""
        self._signal(signal.SIGKILL)
        self.gone()

    def stop(self) -> None:
        """SIGTERM: an orderly end."""
        self._signal(signal.SIGTERM)
        self.gone()

    def gone(self) -> None:
        """Waits for its end."""
        end = time.monotonic() + GONE_AT_MOST
        while self.alive:
            if time.monotonic() > end:
                self._signal(signal.SIGKILL)
                raise AssertionError(f"process {self.pid} did not end within {GONE_AT_MOST:g} s")
            time.sleep(0.002)

    def ask(
        self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any] | None:
        """The status and the answer's JSON. None: there was no answer, so nobody knows whether it was done."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=ANSWER_AT_MOST)
        try:
            connection.request(method, path, body, {"authorization": f"Bearer {self.token}", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def _signal(self, which: signal.Signals) -> None:
        try:
            os.kill(self.pid, which)
        except ProcessLookupError:
            return


class Zygote:
    """The fork server: see `tests.torture.zygote`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.zygote"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def fork(
        self, root: Path, point: str = "", nth: int = 0, defect: str = ""
    ) -> tuple[int, Callable[[], Life | None]]:
        """A life that has just begun: its process id, and a wait until it is open. The wait gives None where the life was over before it could say
        where it is (a labelled point may lie in the start)."""
        assert self._process.stdin is not None
        asked = {"root": str(root), "point": point, "nth": nth, "defect": defect}
        self._process.stdin.write((json.dumps(asked) + "\n").encode())
        return int(self._line()), self._opened

    def _opened(self) -> Life | None:
        line = self._line()
        return Life(**json.loads(line)) if line.strip() else None

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        end, line = time.monotonic() + OPEN_AT_MOST, b""
        while not line.endswith(b"\n"):
            if not select.select([self._process.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
                raise AssertionError(f"a life neither opened nor ended within {OPEN_AT_MOST:g} s; see lives.log")
            part = self._process.stdout.read(1)  # unbuffered: what belongs to the next line stays where it is
            assert part, "the fork server died"
            line += part
        return line
