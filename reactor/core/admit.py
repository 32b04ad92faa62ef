"""Admission: what a batch of raw events comes to, once the sensors have answered. Duplicates are found here, by the ids seen before."""

from collections.abc import Sequence

import msgspec

from reactor.model.events import DeadLetter, RawEvent, Ready

REMEMBERED = 7 * 86_400 * 1_000_000
"""Microseconds for which an event's id is remembered."""


class Judged(msgspec.Struct, gc=False):
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
    fresh: list[Judged] = []
    here = set(seen)
    ready = dead = 0
    for one in judged:
        id = one.event.id
        if id:
            if id in here:
                continue
            here.add(id)
        fresh.append(one)
        if one.ready:
            ready += 1
        elif one.dead:
            dead += 1
    return Admitted(fresh, ready, len(fresh) - ready - dead, len(judged) - len(fresh), dead)
