"""The sentences of `reactor audit`: both keepers say the same where the ledger does not balance."""

from reactor.store.base import Span

MOST_LINES = 200
"""Lines that are told; a ledger that is wrong in more places is not understood better by more of them."""


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
