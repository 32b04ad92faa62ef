"""A disk that loses power: every write and sync is logged, and from any point of the log it can be told what a cut would have left.

Two kinds of disk. A *forgetful* one keeps nothing that was not synced, or any part of it: 512-byte sectors of a write one by
one; a new file's name lasts from that file's own sync on, and a file that was removed may come back until its folder is synced.
(SQLite also syncs the folder with the first sync of a new journal, where the file system lets it; a forgetful disk does not.) An
*orderly* one journals the folder, as ext4 and xfs do: its changes last from the next sync of any file on. A file's own bytes may be
lost on both.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import apsw

SECTOR = 512
Survivors = Literal["nothing", "everything", "some"]
"""What becomes of what was written and not yet synced."""


@dataclass(frozen=True)
class Op:
    """One thing that was asked of the disk. `what`: create, write, truncate, sync, delete, sync folder, or acknowledge (not the disk's)."""

    what: str
    name: str = ""
    offset: int = 0
    data: bytes = b""
    number: int = 0


@dataclass(eq=False)
class Inode:
    """A file: what was synced, and what was asked since."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[Op] = field(default_factory=list)

    def apply(self, data: bytearray, op: Op) -> None:
        if op.what == "truncate":
            del data[op.offset :]
            data.extend(bytes(op.offset - len(data)))
        else:
            data.extend(bytes(max(0, op.offset - len(data))))
            data[op.offset : op.offset + len(op.data)] = op.data

    def sync(self) -> None:
        for op in self.pending:
            self.apply(self.synced, op)
        self.pending = []

    def left(self, survivors: Survivors, chance: random.Random) -> bytearray:
        data = bytearray(self.synced)
        for op in self.pending if survivors != "nothing" else ():
            if survivors == "everything" or op.what == "truncate":
                if survivors == "everything" or chance.random() < 0.5:
                    self.apply(data, op)
                continue
            for at in range(0, len(op.data), SECTOR):
                if chance.random() < 0.5:
                    self.apply(data, Op("write", op.name, op.offset + at, op.data[at : at + SECTOR]))
        return data


@dataclass
class Replay:
    """The log played up to a point: `files()` is what a cut there would leave."""

    orderly: bool
    folder: dict[str, Inode] = field(default_factory=dict)
    """As the process sees it."""
    durable: dict[str, Inode] = field(default_factory=dict)
    pending: list[tuple[str, Inode | None]] = field(default_factory=list)
    acknowledged: int = 0

    def play(self, op: Op) -> None:
        match op.what:
            case "create":
                self.folder[op.name] = inode = Inode()
                self.pending.append((op.name, inode))
            case "write" | "truncate":
                self.folder[op.name].pending.append(op)
            case "sync":
                self.folder[op.name].sync()
                if self.orderly:
                    self._sync_folder()
                else:
                    self._sync_name(op.name)
            case "delete":
                del self.folder[op.name]
                self.pending.append((op.name, None))
            case "sync folder":
                self._sync_folder()
            case "acknowledge":
                self.acknowledged = op.number
            case _:
                raise ValueError(op.what)

    def _sync_folder(self) -> None:
        self.durable, self.pending = dict(self.folder), []

    def _sync_name(self, name: str) -> None:
        if (name, self.folder[name]) in self.pending:
            self.durable[name] = self.folder[name]
            self.pending = [p for p in self.pending if p[0] != name]

    def files(self, survivors: Survivors, chance: random.Random) -> dict[str, bytearray]:
        left = dict(self.durable)
        for name, inode in self.pending if survivors != "nothing" else ():
            if survivors == "some" and chance.random() < 0.5:
                if self.orderly:
                    break  # a journal loses its end, never its middle
                continue
            if inode is None:
                left.pop(name, None)
            else:
                left[name] = inode
        return {name: inode.left(survivors, chance) for name, inode in left.items()}


@dataclass
class Fails:
    """A fault that is planned: from operation `at` on, until somebody mends the disk, or for that one alone."""

    at: int
    error: type[apsw.Error]
    for_ever: bool
    done: bool = False

    def now(self, number: int) -> bool:
        fails = number >= self.at and (self.for_ever or not self.done)
        self.done = self.done or fails
        return fails


class Disk(apsw.VFS):
    """The disk as SQLite sees it: plain bytes in memory, with a log of what was asked. One may be planned to fail."""

    def __init__(self, files: dict[str, bytearray] | None = None, name: str = "power") -> None:
        self.files = files if files is not None else {}
        self.log: list[Op] = []
        self.fails: Fails | None = None
        self.name = name
        super().__init__(name, "")

    def asked(self, op: Op) -> None:
        if self.fails is not None and self.fails.now(len(self.log)):
            raise self.fails.error("planned")
        self.log.append(op)

    def create(self, name: str) -> None:
        if name not in self.files:
            self.asked(Op("create", name))
            self.files[name] = bytearray()

    def sync_folder(self) -> None:
        self.asked(Op("sync folder"))

    def acknowledge(self, number: int) -> None:
        self.log.append(Op("acknowledge", number=number))

    def xAccess(self, name: str, flags: int) -> bool:  # noqa: N802 - SQLite's names
        return name in self.files

    def xFullPathname(self, name: str) -> str:  # noqa: N802
        return name

    def xDelete(self, name: str, sync_folder: bool) -> None:  # noqa: N802
        if name not in self.files:
            missing = apsw.IOError()
            missing.extendedresult = apsw.SQLITE_IOERR_DELETE_NOENT  # type: ignore[attr-defined]  # set by apsw itself
            raise missing
        self.asked(Op("delete", name))
        del self.files[name]
        if sync_folder:
            self.sync_folder()

    def xOpen(self, name: object, flags: list[int]) -> DiskFile:  # type: ignore[override]  # noqa: N802 - any object with its methods will do
        path = (
            name.filename()
            if isinstance(name, apsw.URIFilename)
            else str(name)
            if name
            else f"temporary {len(self.files)}"
        )
        flags[1] = flags[0]
        self.create(path)
        return DiskFile(self, path)


class DiskFile:
    """An open file."""

    def __init__(self, disk: Disk, name: str) -> None:
        self._disk, self._name = disk, name
        self._data = disk.files[name]

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        return bytes(self._data[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        op = Op("write", self._name, offset, bytes(data))
        self._disk.asked(op)
        Inode().apply(self._data, op)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        op = Op("truncate", self._name, size)
        self._disk.asked(op)
        Inode().apply(self._data, op)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.asked(Op("sync", self._name))

    def xFileSize(self) -> int:  # noqa: N802
        return len(self._data)

    def xClose(self) -> None:  # noqa: N802
        return

    def xLock(self, level: int) -> None:  # noqa: N802
        return

    def xUnlock(self, level: int) -> None:  # noqa: N802
        return

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return False

    def xFileControl(self, op: int, pointer: int) -> bool:  # noqa: N802
        return False

    def xSectorSize(self) -> int:  # noqa: N802
        return SECTOR

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        return 0


def cuts(log: list[Op], *, orderly: bool) -> Iterator[tuple[int, Replay]]:
    """The state of the disk just after each operation that it was asked for, the first state before any of them."""
    replay = Replay(orderly)
    yield 0, replay
    for number, op in enumerate(log, 1):
        replay.play(op)
        yield number, replay
