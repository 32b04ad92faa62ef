"""What is new, which version it is, and what is gone: decided from what was sighted, without I/O and without a clock.

A bucket has no half-written objects, so whatever is sighted is complete. Times are the server's and are only compared
with each other, so its clock may be as wrong as it likes.
"""

import heapq
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import NamedTuple

from reactor.model.duration import SECOND

NONE: frozenset[str] = frozenset()


class Signature(NamedTuple):
    """What a content is recognised by. `modified` is in microseconds, cut to the second: a listing and a look at one
    object give it to different digits.
    """

    digest: int
    size: int
    modified: int


class Sighting(NamedTuple):
    """One object as it was when it was looked at."""

    name: str
    etag: str
    signature: Signature


class Announcement(NamedTuple):
    """A content that nobody was told of before."""

    sighting: Sighting
    version: int


def sighted(name: str, etag: str | None, size: int, modified: int) -> Sighting:
    """`modified` in microseconds. An etag may come in quotes, and as a weak one."""
    plain = (etag or "").removeprefix("W/").strip('"')
    digest = int.from_bytes(blake2b(plain.encode(), digest_size=8).digest()) >> 1
    return Sighting(name, plain, Signature(digest, size, modified // SECOND * SECOND))


def same(one: Signature, other: Signature) -> bool:
    """Servers cut or round what they tell of the same moment."""
    return one[:2] == other[:2] and abs(one.modified - other.modified) <= SECOND


class Inventory:
    """The objects of one source: seen (announced), ready (not announced yet), gone (to be forgotten)."""

    def __init__(self, seen: Mapping[str, tuple[Signature, int]]) -> None:
        self._seen = dict(seen)
        self._ready: dict[str, Sighting] = {}
        self._order: list[tuple[int, str]] = []
        self._gone: dict[str, None] = {}
        self._present: set[str] | None = None
        self._looked_at: set[str] = set()
        self._absent: frozenset[str] = NONE

    @property
    def seen(self) -> Mapping[str, tuple[Signature, int]]:
        """What was announced last under each name, and as which version."""
        return MappingProxyType(self._seen)

    @property
    def ready(self) -> Mapping[str, Sighting]:
        return MappingProxyType(self._ready)

    def is_new(self, sighting: Sighting) -> bool:
        known = self._seen.get(sighting.name)
        return known is None or not same(known[0], sighting.signature)

    # A listing, page by page ------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A listing begins."""
        self._present, self._looked_at = set(), set()

    def listed(self, sighting: Sighting) -> None:
        """A page of the listing held this. What was looked at by name meanwhile is known better than by the page."""
        assert self._present is not None
        self._present.add(sighting.name)
        if sighting.name not in self._looked_at:
            self._observe(sighting)

    def absent(self, names: Iterable[str]) -> list[str]:
        """Those of the names that the listing did not hold."""
        present = self._present or set()
        return [name for name in names if name not in present]

    def end(self, absent: Iterable[str]) -> None:
        """The listing is complete. A name that two in a row did not hold is forgotten: one may have missed it."""
        missing = frozenset(absent)
        for name in missing & self._absent:
            self._forget(name)
        self._absent = missing - self._absent
        self._present = None

    # One object by its name -------------------------------------------------------------------------------------

    def looked_at(self, name: str, sighting: Sighting | None) -> None:
        """It was asked for by name; None: there is no such object."""
        if self._present is not None:
            self._present.add(name)
            self._looked_at.add(name)
        if sighting is not None:
            self._observe(sighting)
        else:
            self._ready.pop(name, None)
            self._forget(name)

    # What is told -----------------------------------------------------------------------------------------------

    def take(self, most: int) -> list[Announcement]:
        """Up to `most` contents that are new, oldest first: from now on they count as announced."""
        made: list[Announcement] = []
        while self._order and len(made) < most:
            modified, name = heapq.heappop(self._order)
            sighting = self._ready.get(name)
            if sighting is None or sighting.signature.modified != modified:
                continue
            del self._ready[name]
            version = self._seen[name][1] + 1 if name in self._seen else 1
            self._seen[name] = (sighting.signature, version)
            self._gone.pop(name, None)
            made.append(Announcement(sighting, version))
        return made

    def take_gone(self, most: int) -> list[str]:
        """Up to `most` names that are to be forgotten."""
        names = [name for name, _ in zip(self._gone, range(most), strict=False)]
        for name in names:
            del self._gone[name]
        return names

    def _observe(self, sighting: Sighting) -> None:
        name = sighting.name
        waits = self._ready.get(name)
        if not self.is_new(sighting):
            self._ready.pop(name, None)
        elif waits is None or not same(waits.signature, sighting.signature):
            self._ready[name] = sighting
            heapq.heappush(self._order, (sighting.signature.modified, name))
            if len(self._order) > 1_000 + 2 * len(self._ready):
                self._order = sorted((s.signature.modified, n) for n, s in self._ready.items())

    def _forget(self, name: str) -> None:
        if self._seen.pop(name, None) is not None:
            self._gone[name] = None
