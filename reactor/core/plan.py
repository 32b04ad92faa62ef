"""Plans: what a rule compiles to, and what one more event does to a wait.

A plan numbers its operands; a wait holds items by operand and a plan's tree is asked of the set of operands that are present, a bit mask.
`feed` is the whole behaviour of the rule language; `reactor.core.why` walks the same plan to explain a wait, and a property test holds the two equal.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec

from reactor.model.condition import SCHEDULE, All, AnyOf, AtLeast, Condition, Operand, Rule
from reactor.model.events import Dispose, Item, Json
from reactor.model.filter import Evaluate, compile_filter, matches
from reactor.model.ids import AssetName, Instant, PartitionKey, WaitKey
from reactor.model.partitions import Partitions, TimePartitions, time_of
from reactor.model.slot import Wait
from reactor.model.workflow import Again

Holds = Callable[[int], bool]
Gone = tuple[Item, Dispose, str]


@dataclass(frozen=True, eq=False)
class Term:
    """One operand of a plan."""

    index: int
    operand: Operand
    evaluate: Evaluate | None
    needed: Callable[[WaitKey], int] | None
    """For a roll-up: how many distinct partitions make this key complete."""
    fine: TimePartitions | None = None
    """For a roll-up: how the asset itself is cut."""

    @cached_property
    def asset(self) -> AssetName:
        return self.operand.asset

    @cached_property
    def scheduled(self) -> bool:
        return self.asset.startswith(SCHEDULE)


@dataclass(frozen=True, eq=False)
class Plan:
    """A compiled rule."""

    rule: Rule
    terms: tuple[Term, ...]
    holds: Holds
    branches: tuple[tuple[int, Holds], ...]
    """For an `any` at the top: each branch's mask and its own condition."""
    again: Again
    digest: str

    @cached_property
    def needs_evidence(self) -> bool:
        return self.rule.key_field is not None or any(t.evaluate for t in self.terms)

    @cached_property
    def rolls_up(self) -> bool:
        return any(t.needed is not None for t in self.terms)

    def terms_of(self, asset: AssetName) -> tuple[Term, ...]:
        return tuple(t for t in self.terms if t.asset == asset)


class Fed(msgspec.Struct, gc=False):
    """What one event did to a wait. `start`: the frozen inputs of a start, where it led to one."""

    wait: Wait
    gone: tuple[Gone, ...] = ()
    start: tuple[Item, ...] | None = None


def compile_plan(rule: Rule, again: Again, sizes: Mapping[AssetName, Partitions | None]) -> Plan:
    """The rule as a plan. `sizes`: how each asset that it names is partitioned."""
    terms = tuple(
        Term(
            n,
            o,
            compile_filter(o.filter.text) if o.filter else None,
            _needed(o, sizes.get(o.asset)),
            time_of(sizes.get(o.asset)),
        )
        for n, o in enumerate(rule.operands())
    )
    _, holds = _compile(rule, iter(range(len(terms))))
    text = f"{rule}|{again}|{[t.operand for t in terms]}"
    return Plan(rule, terms, holds, _branches(rule), again, hashlib.sha256(text.encode()).hexdigest()[:12])


def _needed(operand: Operand, fine: Partitions | None) -> Callable[[WaitKey], int] | None:
    rollup = operand.rollup
    if rollup is None:
        return None
    unit, parts = time_of(rollup.unit), time_of(fine)
    assert unit is not None and parts is not None, "the graph refuses other roll-ups"

    def count(key: WaitKey) -> int:
        if rollup.at_least is not None:
            return rollup.at_least
        whole = PartitionKey(key)
        return sum(1 for _ in parts.between(unit.begin(whole), unit.end(whole))) - rollup.missing_at_most

    return count


def _compile(condition: Condition, numbers: Iterator[int]) -> tuple[int, Holds]:
    """The mask of the operands below, and whether the condition holds for a mask of those that are present."""
    if isinstance(condition, Rule):
        return _compile(condition.when, numbers)
    if isinstance(condition, (All, AnyOf, AtLeast)):
        parts = [_compile(p, numbers) for p in condition.parts]
        whole = 0
        for mask, _ in parts:
            whole |= mask
        return whole, _join(condition, [h for _, h in parts], whole)
    bit = 1 << next(numbers)
    return bit, lambda present: present & bit != 0


def _join(condition: All | AnyOf | AtLeast, parts: list[Holds], whole: int) -> Holds:
    plain = all(len(list(p.operands())) == 1 for p in condition.parts)
    if isinstance(condition, All):
        if plain:
            return lambda present: present & whole == whole
        return lambda present: all(p(present) for p in parts)
    if isinstance(condition, AnyOf):
        if plain:
            return lambda present: present & whole != 0
        return lambda present: any(p(present) for p in parts)
    count = condition.count
    return lambda present: sum(p(present) for p in parts) >= count


def _branches(rule: Rule) -> tuple[tuple[int, Holds], ...]:
    numbers = iter(range(len(list(rule.operands()))))
    if not isinstance(rule.when, AnyOf):
        return ()
    return tuple(_compile(p, numbers) for p in rule.when.parts)


def accepts(term: Term, fields: Mapping[str, Json] | None) -> tuple[bool, str]:
    """Whether the term's filter lets the event through, and where not, why."""
    if term.evaluate is None:
        return True, ""
    return matches(term.evaluate, fields or {})


def feed(plan: Plan, wait: Wait, fresh: tuple[Item, ...], now: Instant) -> Fed:
    """One event, as the items of every operand that accepted it, is added to the wait."""
    if plan.again == "record" and wait.generation:
        return Fed(
            wait,
            tuple((i, Dispose.RECORDED, "the task ran for this key; it only records new versions") for i in fresh[:1]),
        )
    kept, gone = _collect(plan, wait.items, fresh)
    since = wait.since if _holds_fresh(wait.items) else now
    if not plan.holds(present(plan, wait.key, kept)):
        return Fed(Wait(wait.task, wait.key, wait.generation, kept, since, plan.digest), gone)
    return _fire(plan, wait, kept, gone, since)


def _holds_fresh(items: tuple[Item, ...]) -> bool:
    """One of them has not had its start yet."""
    for item in items:  # noqa: SIM110 - `any` costs more than all that it asks
        if not item.used:
            return True
    return False


def _collect(plan: Plan, items: tuple[Item, ...], fresh: tuple[Item, ...]) -> tuple[tuple[Item, ...], tuple[Gone, ...]]:
    if not items:
        return fresh, ()
    if len(fresh) == 1 and not _touches(plan, fresh[0], items):
        return (*items, fresh[0]), ()
    kept: list[Item] = []
    gone: list[Gone] = []
    oldest = fresh[0].at - plan.rule.window if plan.rule.window is not None else None
    for item in items:
        why = _displaced(plan, item, fresh, oldest)
        if why is None:
            kept.append(item)
        elif not item.used:
            gone.append((item, *why))
    kept.extend(fresh)
    if not gone:
        return tuple(kept), ()
    still = {i.seq for i in kept}
    left = {g[0].seq: g for g in gone if g[0].seq not in still}  # one line an event, however many operands had taken it
    return tuple(kept), tuple(left.values())


def _touches(plan: Plan, new: Item, items: tuple[Item, ...]) -> bool:
    """Whether it can displace any of them: all are of other operands where not, and no window closes behind them."""
    if plan.rule.window is not None:
        return True
    for item in items:  # noqa: SIM110 - as above
        if item.operand == new.operand:
            return True
    return False


def _displaced(plan: Plan, item: Item, fresh: tuple[Item, ...], oldest: int | None) -> tuple[Dispose, str] | None:
    if oldest is not None and item.at < oldest:
        return Dispose.EXPIRED, f"older than the rule's window when event {fresh[0].event} came"
    if plan.rule.consumes == "all" and not item.used:
        return None
    rollup = plan.terms[item.operand].needed is not None
    for new in fresh:
        if new.operand == item.operand and (not rollup or new.partition == item.partition):
            return Dispose.SUPERSEDED, f"by event {new.event}"
    return None


def present(plan: Plan, key: WaitKey, items: tuple[Item, ...]) -> int:
    """The mask of the operands for which enough has come."""
    mask = 0
    if not plan.rolls_up:
        for item in items:
            mask |= 1 << item.operand
        return mask
    rolled: dict[int, set[PartitionKey]] | None = None
    for item in items:
        if plan.terms[item.operand].needed is None:
            mask |= 1 << item.operand
        else:
            rolled = rolled if rolled is not None else {}
            rolled.setdefault(item.operand, set()).add(item.partition)
    for index, parts in (rolled or {}).items():
        needed = plan.terms[index].needed
        if needed is not None and len(parts) >= needed(key):
            mask |= 1 << index
    return mask


def _fire(plan: Plan, wait: Wait, kept: tuple[Item, ...], gone: tuple[Gone, ...], since: Instant) -> Fed:
    generation = wait.generation + 1
    if plan.again == "rerun":
        stay = tuple(_used(i) for i in kept) if kept else ()
        return Fed(Wait(wait.task, wait.key, generation, stay, since, plan.digest), gone, kept)
    if plan.rule.resets == "branch" and plan.branches:
        here = present(plan, wait.key, kept)
        fired = 0
        for mask, holds in plan.branches:
            fired |= mask if holds(here) else 0
        handed = tuple(i for i in kept if fired >> i.operand & 1)
        known = {i.seq for i in handed}  # an event that another branch took too stays there, but it has had its start
        stay = tuple(_used(i) if i.seq in known else i for i in kept if not fired >> i.operand & 1)
        return Fed(Wait(wait.task, wait.key, generation, stay, since, plan.digest), gone, handed)
    return Fed(Wait(wait.task, wait.key, generation, (), Instant(0), plan.digest), gone, kept)


def _used(item: Item) -> Item:
    return item if item.used else msgspec.structs.replace(item, used=True)
