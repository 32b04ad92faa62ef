"""One engine for one database: a lock that the operating system lets go of when its holder dies, however it dies."""

import contextlib
import fcntl
import os
import socket
from pathlib import Path

from reactor.model.errors import ConfigError, StoreBusy
from reactor.store.sqlite.trouble import unusable


class EngineLock:
    """Holds `<database>.lock`. The file stays when the lock is let go: removing it would race with whoever takes it next."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".lock")
        self._database = database
        self._file: int | None = None

    def take(self, holder: str) -> None:
        """Raises StoreBusy, naming who holds it; ConfigError where the folder cannot be written."""
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(unusable(self._database, str(error))) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            raise StoreBusy(self._held()) from error
        os.ftruncate(file, 0)
        with contextlib.suppress(
            OSError
        ):  # the name is for the message alone; a full disk must not keep an engine from starting
            os.write(file, f"{holder}, process {os.getpid()} on {socket.gethostname()}\n".encode())
        self._file = file

    def give_back(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _held(self) -> str:
        try:
            who = self.path.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            who = ""
        return (
            f"Another engine holds {self._database}: {who or 'it left no name'}. Two engines on one database would start work twice. Stop "
            "that one first, or give this one a database of its own."
        )
