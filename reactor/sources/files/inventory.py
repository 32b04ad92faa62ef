"""What is new, what is complete, and which version it is: decided from what was sighted, without I/O and without a
clock.

Time passes here in rounds: the source calls `round` four times per settling time, on the monotonic clock, so that
neither a jump of the wall clock nor a process that was stopped makes a half-written file look old.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from reactor.sources.files.scan import Look, Sighting, Signature

ROUNDS = 4
"""Rounds in one settling time."""

GONE = Signature(0, 0, 0)


class Announcement(NamedTuple):
    """A file that is complete, or (with `error`) one that matches and will never be handed on."""

    name: str
    signature: Signature
    version: int
    error: str = ""


class _Waiting(NamedTuple):
    signature: Signature
    since: int


class Inventory:
    """The files of one source: seen (announced), waiting (not complete yet), ready (complete, not announced yet)."""

    def __init__(self, ready: Literal["settled", "named", "marker"], seen: Mapping[str, tuple[Signature, int]]) -> None:
        self._rule = ready
        self._seen = dict(seen)
        self._waiting: dict[str, _Waiting] = {}
        self._ready: dict[str, Sighting] = {}
        self._order: list[str] | None = None
        self._taken: dict[str, Sighting] = {}
        self._round = 0

    @property
    def seen(self) -> Mapping[str, tuple[Signature, int]]:
        """What was announced last under each name, and as which version."""
        return MappingProxyType(self._seen)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def ready(self) -> int:
        return len(self._ready)

    def observe(self, sighting: Sighting) -> None:
        """A file was looked at."""
        name, signature = sighting.name, sighting.signature
        seen = self._seen.get(name)
        if seen is not None and seen[0] == signature:
            self._forget(name)
        elif (known := self._ready.get(name)) is not None and known.signature == signature:
            return
        elif sighting.refused or self._complete(sighting, seen is not None):
            self._waiting.pop(name, None)
            self._ready[name] = sighting
            self._order = None
        else:
            self._ready.pop(name, None)
            waits = self._waiting.get(name)
            if waits is None or waits.signature != signature:
                self._waiting[name] = _Waiting(signature, self._round)

    def gone(self, name: str) -> None:
        """A notice named this file, and it is not there."""
        self._waiting.pop(name, None)
        promised = self._rule == "named" and name not in self._seen and name not in self._taken
        if name in self._ready or promised:
            self._ready[name] = Sighting(name, GONE, None)
            self._order = None

    def only(self, names: Iterable[str]) -> None:
        """A full scan found nothing new but these: what waited to be complete and is not among them has left."""
        there = set(names)
        for name in [n for n in self._waiting if n not in there]:
            del self._waiting[name]

    def round(self) -> list[str]:
        """A quarter of the settling time has passed. Returns the names to look at again now."""
        self._round += 1
        if self._rule != "settled":
            return []
        return [name for name, waits in self._waiting.items() if self._round - waits.since > ROUNDS]

    def take(self, most: int) -> list[str]:
        """Up to `most` names that are ready, oldest content first. Look at them once more, then call `confirm`."""
        if self._order is None:
            self._order = sorted(self._ready, key=lambda n: (self._ready[n].signature.mtime_ns, n), reverse=True)
        names: list[str] = []
        while self._order and len(names) < most:
            name = self._order.pop()
            if name in self._ready:
                self._taken[name] = self._ready.pop(name)
                names.append(name)
        return names

    def put_back(self) -> None:
        """What was taken could not be looked at now."""
        self._ready = {**self._taken, **self._ready}
        self._taken = {}
        self._order = None

    def confirm(self, look: Look, gone: Iterable[str]) -> list[Announcement]:
        """What was taken was looked at again: those that still stand are announced, in the order in which they were
        taken.
        """
        now = {s.name: s for s in look.found}
        lost = set(gone)
        taken, self._taken = self._taken, {}
        made: list[Announcement] = []
        for name, before in taken.items():
            sighting = now.get(name)
            if sighting is None:
                if name in lost:
                    made.append(self._missing(name))
            elif sighting.signature == before.signature or self._rule == "named":
                made.extend(self._announce(sighting))
            else:
                self.observe(sighting)
        return made

    def _complete(self, sighting: Sighting, known: bool) -> bool:
        match self._rule:
            case "named":
                return True
            case "marker":  # a marker that is older than new content is the one of the content before
                return sighting.marked is not None and (not known or sighting.marked >= sighting.signature.mtime_ns)
            case "settled":
                waits = self._waiting.get(sighting.name)
                return (
                    waits is not None and waits.signature == sighting.signature and self._round - waits.since > ROUNDS
                )

    def _announce(self, sighting: Sighting) -> Iterable[Announcement]:
        seen = self._seen.get(sighting.name)
        self._forget(sighting.name)
        if seen is not None and seen[0] == sighting.signature:
            return
        version = 1 if seen is None else seen[1] + 1
        self._seen[sighting.name] = (sighting.signature, version)
        yield Announcement(sighting.name, sighting.signature, version, sighting.refused)

    def _missing(self, name: str) -> Announcement:
        seen = self._seen.get(name)
        return Announcement(name, GONE, 1 if seen is None else seen[1] + 1, "it was gone before it could be read")

    def _forget(self, name: str) -> None:
        self._waiting.pop(name, None)
        self._ready.pop(name, None)
