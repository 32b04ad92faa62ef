"""Admission: what a batch of raw events comes to, once the sensors have answered. Duplicates are found here, by the ids seen before."""

from collections.abc import Sequence

import msgspec

from reactor.model.events import DeadLetter, RawEvent, Ready

REMEMBERED = 7 * 86_400 * 1_000_000
"""Microseconds for which an event's id is remembered."""


class Judged(msgspec.Struct):
    """One raw event with what its sensors made of it."""

    event: RawEvent
    ready: Sequence[tuple[str, Ready, str | None]] = ()
    """(sensor, readiness, trace context of its `ready` span)."""
    dead: Sequence[DeadLetter] = ()


class Admitted(msgspec.Struct):
    """What goes on of a batch, and the counts that its span of the ledger holds."""

    judged: list[Judged]
    ready: int = 0
    ignored: int = 0
    duplicate: int = 0
    dead: int = 0


def admit(judged: Sequence[Judged], seen: set[str]) -> Admitted:
    """Counts each raw event exactly once. One that made readiness for one sensor and died in another counts as ready; its dead letter is kept too."""
    found = Admitted([])
    here = set(seen)
    for one in judged:
        if one.event.id and one.event.id in here:
            found.duplicate += 1
            continue
        if one.event.id:
            here.add(one.event.id)
        found.judged.append(one)
        if one.ready:
            found.ready += 1
        elif one.dead:
            found.dead += 1
        else:
            found.ignored += 1
    return found
