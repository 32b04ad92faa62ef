"""Looking at the disk: blocking calls, meant for a thread. Knows the pattern and the file system, and nothing of
what was seen before.

Nothing outside the watched folder is ever announced: a symbolic link that leads out of it is reported as refused.
"""

# A Path for each of 100,000 names would cost more than the scan itself.
# ruff: noqa: PTH116, PTH120

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from reactor.sources.files.pattern import Pattern

INO_MASK = (1 << 63) - 1
"""Inode numbers are unsigned; databases are not."""


class Signature(NamedTuple):
    """What a content is recognised by."""

    inode: int
    size: int
    mtime_ns: int


class Sighting(NamedTuple):
    """One file as it was when it was looked at. `name` is as the system gave it (bytes that are not UTF-8 as
    surrogates).
    """

    name: str
    signature: Signature
    marked: int | None
    """When its marker file was written (nanoseconds); None where there is none, or none is asked for."""
    refused: str = ""
    """Why it is not announced though it matches."""


class Look(NamedTuple):
    """What a scan found, and which folders it could not read."""

    found: list[Sighting]
    trouble: list[str]


class Scanner:
    """Looks at one pattern's folder. `marker` is the suffix of marker files, or empty where none are asked for."""

    def __init__(self, pattern: Pattern, marker: str = "") -> None:
        self.pattern = pattern
        self.marker = marker
        self.known: Mapping[str, tuple[Signature, int]] = {}
        """Contents that were announced: scans do not report them again."""
        self._root = os.fspath(pattern.root)

    def everything(self) -> Look:
        """Every file that matches and is not `known`. Raises OSError where the watched folder itself cannot be read."""
        look = Look([], [])
        home = os.path.realpath(self._root)
        self._folder(look, home, "", 0)
        return look

    def named(self, names: Iterable[str]) -> tuple[Look, list[str]]:
        """What stands under these names (relative to the root): files, and the files below folders. Second: names
        of files that are gone.
        """
        look = Look([], [])
        gone: list[str] = []
        home = os.path.realpath(self._root)
        for name in names:
            level = name.count("/") + 1 if name else 0
            if level == self.pattern.depth:
                if self.pattern.match(name) is not None and not self._is_marker(name):
                    self._single(look, gone, home, name)
            elif self._reaches(name):
                try:
                    self._folder(look, home, name, level)
                except OSError:
                    continue  # not a folder, or gone again: what there is, the next full scan finds
        return look, gone

    def identity(self) -> tuple[int, int]:
        """Which folder the root is now: another one once it was removed and made again. Raises OSError."""
        info = os.stat(self._root)
        if not stat.S_ISDIR(info.st_mode):
            raise NotADirectoryError(20, "Not a directory", self._root)
        return info.st_dev, info.st_ino

    def _reaches(self, name: str) -> bool:
        return not name or all(self.pattern.folder(s, i) for i, s in enumerate(name.split("/")))

    def _is_marker(self, name: str) -> bool:
        return bool(self.marker) and name.endswith(self.marker)

    def _single(self, look: Look, gone: list[str], home: str, name: str) -> None:
        path = f"{self._root}/{name}"
        try:
            info = os.lstat(path)
            marked = self._marked(path)
        except FileNotFoundError:
            gone.append(name)
            return
        except OSError as error:
            look.trouble.append(_told(error))
            return
        if "/" in name and not _inside(os.path.dirname(path), home):
            return
        sighting = self._judge(home, name, path, info, marked)
        if sighting is not None:
            look.found.append(sighting)

    def _folder(self, look: Look, home: str, name: str, level: int) -> None:
        path = f"{self._root}/{name}" if name else self._root
        if name and not _inside(path, home):
            look.trouble.append(f"{path}: a symbolic link that leads out of the watched folder is not followed")
            return
        last = level == self.pattern.depth - 1
        with os.scandir(path) as entries:
            if last:
                self._files(look, home, name, entries)
                return
            below = [e.name for e in entries if self.pattern.folder(e.name, level) and e.is_dir()]
        for segment in below:
            try:
                self._folder(look, home, f"{name}/{segment}" if name else segment, level + 1)
            except FileNotFoundError:
                continue
            except OSError as error:
                look.trouble.append(_told(error))

    def _files(self, look: Look, home: str, folder: str, entries: Iterator[os.DirEntry[str]]) -> None:
        matches, add, known = self.pattern.levels[-1].fullmatch, look.found.append, self.known
        listed = list(entries)
        markers = {e.name for e in listed if self._is_marker(e.name)} if self.marker else ()
        prefix = f"{folder}/" if folder else ""
        for entry in listed:
            if matches(entry.name) is None or entry.name in markers:
                continue
            try:
                info = entry.stat(follow_symlinks=False)
                marked = self._marked(entry.path) if entry.name + self.marker in markers else None
            except FileNotFoundError:
                continue
            seen = known.get(prefix + entry.name)
            if seen is not None and seen[0] == (info.st_ino & INO_MASK, info.st_size, info.st_mtime_ns):
                continue
            sighting = self._judge(home, prefix + entry.name, entry.path, info, marked)
            if sighting is not None:
                add(sighting)

    def _marked(self, path: str) -> int | None:
        if not self.marker:
            return None
        try:
            return os.stat(path + self.marker).st_mtime_ns
        except FileNotFoundError:
            return None

    def _judge(self, home: str, name: str, path: str, info: os.stat_result, marked: int | None) -> Sighting | None:
        if stat.S_ISREG(info.st_mode):
            return Sighting(name, _signature(info), marked)
        if not stat.S_ISLNK(info.st_mode):
            return None
        if not _inside(path, home):
            return Sighting(
                name, _signature(info), marked, "it is a symbolic link that leads out of the watched folder"
            )
        try:
            return self._judge(home, name, path, os.stat(path), marked)
        except OSError:
            return None  # the link leads nowhere yet


def _signature(info: os.stat_result) -> Signature:
    return Signature(info.st_ino & INO_MASK, info.st_size, info.st_mtime_ns)


def _inside(path: str, home: str) -> bool:
    real = os.path.realpath(path)
    return real == home or real.startswith(home.rstrip("/") + "/")


def _told(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}"
