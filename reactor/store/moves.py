"""How the moves of one transaction add up to one per lane: both keepers write the same spans."""

from collections.abc import Iterable

from msgspec.structs import replace

from reactor.model.errors import Fenced
from reactor.store.base import Move, Span


def one_per_lane(moves: Iterable[Move]) -> list[Move]:
    """Moves of the same lane that follow each other are one. Raises Fenced where the second does not begin where the first ended."""
    found: dict[tuple[str, str], Move] = {}
    for move in moves:
        place = (move.span.source, move.span.lane)
        before = found.get(place)
        if before is None:
            found[place] = move
        elif move.first_time or before.span.until != move.span.first:
            raise Fenced(stands_elsewhere(move, before.span.until))
        else:
            found[place] = replace(before, span=join(before.span, move.span), cursor=move.cursor)
    return list(found.values())


def join(first: Span, then: Span) -> Span:
    """Two neighbours as one: the counts add up."""
    return Span(
        first.source,
        first.lane,
        first.first,
        then.until,
        first.ready + then.ready,
        first.ignored + then.ignored,
        first.duplicate + then.duplicate,
        first.dead + then.dead,
        first.gap + then.gap,
        max(first.at, then.at),
    )


def adds_up(span: Span) -> bool:
    """Every position of the span is counted once."""
    counts = (span.ready, span.ignored, span.duplicate, span.dead, span.gap)
    return min(counts) >= 0 and sum(counts) == span.until - span.first


def stands_elsewhere(move: Move, position: int | None) -> str:
    """Why a move was refused, for whoever reads the log at night."""
    span = move.span
    stands = "is not known yet" if position is None else f"stands at {position}"
    read = "for the first time" if move.first_time else f"from {span.first}"
    return (
        f"Lane {span.lane!r} of {span.source} {stands}, but this batch was read {read}: another engine, or a person, has moved it. "
        "Nothing of the transaction was written. This engine stops; one that is started anew goes on from what is written."
    )


def not_the_holder(epoch: int) -> str:
    return (
        f"The lease of this engine (epoch {epoch}) is over: another engine has taken the database since. Nothing of the transaction was "
        "written. This engine stops; the other one goes on."
    )
