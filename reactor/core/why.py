"""Why: the same plan that the engine uses, walked on demand to explain a wait. It decides nothing, so it cannot disagree.

The answer is a tree of the rule as its author wrote it: each part says whether it holds, and each asset in it what came, or that nothing did.
"""

from collections.abc import Iterator

import msgspec

from reactor.core.graph import Node
from reactor.core.plan import Term, present
from reactor.model.condition import SCHEDULE, All, AnyOf, AtLeast, Condition, Rule
from reactor.model.events import Item
from reactor.model.ids import Instant, PartitionKey
from reactor.model.partitions import time_of
from reactor.model.slot import Wait


class Came(msgspec.Struct, frozen=True):
    """One event that a wait holds."""

    event: str
    partition: str
    version: int
    at: Instant
    used: bool


class Part(msgspec.Struct, frozen=True):
    """One part of a rule. `kind`: `all`, `any`, `at least`, `asset` or `schedule`."""

    kind: str
    text: str
    holds: bool
    parts: tuple["Part", ...] = ()
    came: tuple[Came, ...] = ()
    missing: tuple[str, ...] = ()
    """For a roll-up: partitions that have not come."""
    needed: int = 1
    have: int = 0


def explain(node: Node, wait: Wait) -> Part:
    """The wait of a rule, as its author wrote the rule."""
    mask = present(node.plan, wait.key, wait.items)
    return _walk(node, wait, node.plan.rule, iter(node.plan.terms), mask)


def _walk(node: Node, wait: Wait, condition: Condition, terms: Iterator[Term], mask: int) -> Part:
    if isinstance(condition, Rule):
        return _walk(node, wait, condition.when, terms, mask)
    if isinstance(condition, (All, AnyOf, AtLeast)):
        parts = tuple(_walk(node, wait, p, terms, mask) for p in condition.parts)
        have = sum(p.holds for p in parts)
        kind, needed = _kind(condition, len(parts))
        return Part(kind, str(condition), have >= needed, parts, needed=needed, have=have)
    return _leaf(wait, next(terms), mask)


def _kind(condition: All | AnyOf | AtLeast, count: int) -> tuple[str, int]:
    if isinstance(condition, All):
        return "all", count
    return ("any", 1) if isinstance(condition, AnyOf) else ("at least", condition.count)


def _leaf(wait: Wait, term: Term, mask: int) -> Part:
    items = [i for i in wait.items if i.operand == term.index]
    came = tuple(Came(i.event, i.partition, i.version, i.at, i.used) for i in items)
    kind = "schedule" if term.asset.startswith(SCHEDULE) else "asset"
    holds = bool(mask >> term.index & 1)
    if term.needed is None:
        return Part(kind, str(term.operand), holds, came=came, have=min(len(items), 1))
    missing = _missing(term, wait, items)
    have = len({i.partition for i in items})
    return Part(kind, str(term.operand), holds, came=came, missing=missing, needed=term.needed(wait.key), have=have)


def _missing(term: Term, wait: Wait, items: list[Item]) -> tuple[str, ...]:
    assert term.operand.rollup is not None
    unit, fine = time_of(term.operand.rollup.unit), term.fine
    if unit is None or fine is None:
        return ()
    whole, here = PartitionKey(wait.key), {i.partition for i in items}
    return tuple(p for p in fine.between(unit.begin(whole), unit.end(whole)) if p not in here)
