"""The sentences of `reactor audit`: both keepers say the same where the ledger does not balance, and prove a lane in the same way."""

from collections.abc import Iterable, Iterator

from reactor.store.base import LaneAt, Span
from reactor.store.moves import adds_up, join

MOST_LINES = 200
"""Lines that are told; a ledger that is wrong in more places is not understood better by more of them."""

COUNTED = ("ready", "ignored", "duplicate", "dead", "gap")
"""What a raw event can come to: the counts of a span."""
OURSELVES = "reactor"
"""The source of what Reactor itself says: outputs of runs, dead letters that were retried. It has no lanes to account for."""


def lane(at: LaneAt, first: int, spans: Iterable[Span], ready: int, dead: int) -> Iterator[str]:
    """The spans of a lane lie side by side from its first position to where it stands, and count what is in the ledger."""
    whole = Span(at.source, at.lane, first, first)
    for span in spans:
        if span.first > whole.until:
            yield hole(span.source, span.lane, whole.until, span.first)
        if span.first < whole.until:
            yield overlap(span.source, span.lane, whole.until, span.first)
        if not adds_up(span):
            yield miscounted(span)
        whole = join(whole, span)
    if whole.until != at.position:
        yield short(at.source, at.lane, whole.until, at.position)
    if whole.ready != ready:
        yield unequal(at.source, at.lane, "ready", whole.ready, ready)
    if whole.dead != dead:
        yield unequal(at.source, at.lane, "dead", whole.dead, dead)


def shortened(lines: Iterable[str]) -> Iterator[str]:
    """The first of them, and how many more there are."""
    more = 0
    for number, line in enumerate(lines):
        if number < MOST_LINES:
            yield line
        else:
            more += 1
    if more:
        yield and_more(more)


def hole(source: str, lane: str, until: int, first: int) -> str:
    return f"{source} lane {lane}: positions {until} to {first - 1} are in no span: what became of them is not known."


def overlap(source: str, lane: str, until: int, first: int) -> str:
    return f"{source} lane {lane}: positions {first} to {until - 1} are counted in two spans."


def miscounted(span: Span) -> str:
    counted = span.ready + span.ignored + span.duplicate + span.dead + span.gap
    return (
        f"{span.source} lane {span.lane}: the span {span.first} to {span.until - 1} holds {span.until - span.first} positions, but "
        f"{counted} are counted."
    )


def short(source: str, lane: str, until: int, position: int) -> str:
    return f"{source} lane {lane} stands at {position}, but its spans end at {until}."


def unequal(source: str, lane: str, what: str, spans: int, rows: int) -> str:
    return f"{source} lane {lane}: its spans count {spans} events as {what}, but {rows} are in the ledger."


def stray(source: str, lane: str) -> str:
    return f"{source} lane {lane}: there are events of it in the ledger, but the lane itself is not known."


def unaccounted(seq: int, asset: str, partition: str, offered: int, found: int) -> str:
    what = f"{asset} {partition}".strip()
    return f"event {seq} ({what}) was offered to {offered} rules, but ended or waits in {found}."


def forgotten(offered: int, accounted: int) -> str:
    return f"events that were forgotten had been offered to {offered} rules, but had ended in {accounted}."


def and_more(number: int) -> str:
    return f"... and {number} lines more of this kind."
