"""The logs of attempts: one bounded file each, made when there is something to write.

May know: files and the clock. May not know: who writes. What is written may come from anywhere (a library, a
command, a broken file), so nothing of it reaches a terminal or a page as anything but text: control characters are
spelled out, and lines are lines.
"""

import logging
import os
import re
import shutil
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from reactor.executors.base import LogSink
from reactor.model.errors import NotFound
from reactor.model.ids import Instant, RunId
from reactor.model.ports import Clock, Redact

LIMIT = 10_000_000
"""Bytes of one attempt's log."""

LONGEST_LINE = 8_192
"""Characters of one line that are kept."""

LONGEST_SECRET = 1_024

_RUN = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_HARMFUL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_log = logging.getLogger(__name__)


def visible(text: str, redact: Redact = str) -> str:
    """The text without secrets, and with control characters spelled out (`\\x1b`), those that turn the direction of
    writing included; a tab stays.
    """
    if len(text) <= LONGEST_LINE:
        return _spelled(redact(text))
    kept = redact(text[: LONGEST_LINE + LONGEST_SECRET])[:-LONGEST_SECRET]  # no half of a secret before the cut
    return f"{_spelled(kept)} [... {len(text) - LONGEST_LINE} more characters]"


def _spelled(text: str) -> str:
    if text.isprintable():
        return text
    return _HARMFUL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class FileLogs:
    """Logs as files below a folder: `RUN/ATTEMPT.log`, readable by their owner alone."""

    def __init__(self, folder: Path, clock: Clock, limit: int = LIMIT, redact: Redact = str) -> None:
        self._folder = folder
        self._clock = clock
        self._limit = limit
        self._redact = redact

    def open(self, run: RunId, attempt: int) -> LogSink:
        return _FileSink(self._path(run, attempt), self._clock, self._limit, self._redact)

    def read(self, run: RunId, attempt: int) -> Iterable[str]:
        """The lines of an attempt's log so far, each behind its time (UTC). None where it wrote nothing.

        Raises:
            NotFound: this can be no run's id.
        """
        return _lines(self._path(run, attempt))

    def forget(self, before: Instant) -> int:
        """Removes the logs of runs that wrote nothing since `before`. Returns how many runs went; blocks, so call it off the loop."""
        gone = 0
        for folder in self._folder.glob("*/"):
            if max((f.stat().st_mtime_ns for f in folder.iterdir()), default=0) // 1000 < before:
                shutil.rmtree(folder, ignore_errors=True)
                gone += 1
        return gone

    def _path(self, run: RunId, attempt: int) -> Path:
        if not _RUN.fullmatch(run):
            raise NotFound(
                f"{run!r} cannot be the id of a run: letters, digits, '-' and '_'. `reactor runs` lists the runs."
            )
        return self._folder / run / f"{int(attempt)}.log"


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            for line in file:
                yield line.rstrip("\n")
    except FileNotFoundError:
        return


class _FileSink:
    def __init__(self, path: Path, clock: Clock, limit: int, redact: Redact) -> None:
        self._path = path
        self._clock = clock
        self._limit = limit
        self._redact = redact
        self._lock = threading.Lock()
        self._file: int | None = None
        self._size = 0
        self._dropped = 0
        self._closed = False

    def line(self, text: str) -> None:
        data = f"{stamp(self._clock.now())} {visible(text, self._redact)}\n".encode("utf-8", "backslashreplace")
        with self._lock:
            if self._closed:
                return
            if self._dropped or self._size + len(data) > self._limit:
                if not self._dropped:
                    self._write(self._marker(f"the limit of {self._limit} bytes is reached: what follows is dropped"))
                self._dropped += len(data)
                return
            self._write(data)

    def close(self) -> None:
        with self._lock:
            if self._dropped and not self._closed:
                self._write(self._marker(f"{self._dropped} bytes were dropped"))
            self._closed = True
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _marker(self, text: str) -> bytes:
        return f"{stamp(self._clock.now())} [log: {text}]\n".encode()

    def _write(self, data: bytes) -> None:
        """Trouble with the disk never becomes trouble of the task."""
        try:
            if self._file is None:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
                self._file = os.open(self._path, flags, 0o600)
                self._size = os.fstat(self._file).st_size
            os.write(self._file, data)
            self._size += len(data)
        except OSError as error:
            if not self._dropped:
                _log.warning("The log %s cannot be written (%s). The task goes on without it.", self._path, error)
            self._dropped += len(data)


def stamp(at: Instant) -> str:
    """`2026-11-20T07:00:00.123Z`."""
    moment = datetime.fromtimestamp(at // 1_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at // 1000 % 1000:03d}Z"


class MemoryLogs:
    """Logs that are kept nowhere: for simulations and tests. Without times, so that two plays of one seed are equal."""

    def __init__(self) -> None:
        self._kept: dict[tuple[RunId, int], list[str]] = {}

    def open(self, run: RunId, attempt: int) -> LogSink:
        return _MemorySink(self._kept.setdefault((run, attempt), []))

    def read(self, run: RunId, attempt: int) -> Iterable[str]:
        return tuple(self._kept.get((run, attempt), ()))


class _MemorySink:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._closed = False

    def line(self, text: str) -> None:
        if not self._closed:
            self._lines.append(visible(text))

    def close(self) -> None:
        self._closed = True
