"""Conditions: what a task waits for, as values that can be composed, printed and compared.

`orders & refunds`, `a | b`, `at_least(2, a, b, c)`, `orders.where("rows > 0")`, `(a & b).within("1h")`,
`(a & b).key("order_id")`, `hours.all_of(days)`, `schedule("0 6 * * *")`. What they mean is decided in `reactor.core.plan`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from reactor.model.duration import Duration, micros, spell
from reactor.model.errors import DefinitionError
from reactor.model.events import Json
from reactor.model.filter import Filter, equals
from reactor.model.ids import AssetName
from reactor.model.partitions import Partitions


@dataclass(frozen=True)
class Condition:
    """The base of every condition."""

    def __and__(self, other: "Condition | str") -> "All":
        return All((*_flat(self, All), *_flat(condition(other), All)))

    def __rand__(self, other: str) -> "All":
        return All((*_flat(condition(other), All), *_flat(self, All)))

    def __or__(self, other: "Condition | str") -> "AnyOf":
        return AnyOf((*_flat(self, AnyOf), *_flat(condition(other), AnyOf)))

    def __ror__(self, other: str) -> "AnyOf":
        return AnyOf((*_flat(condition(other), AnyOf), *_flat(self, AnyOf)))

    def __bool__(self) -> bool:
        raise DefinitionError(
            f"{self} was used as a truth value. Join conditions with & and |, not with `and` and `or`."
        )

    def within(self, length: Duration) -> "Rule":
        """Only events that arrived at most this far apart count together; older ones expire."""
        return replace(rule(self), window=micros(length))

    def key(self, field: str) -> "Rule":
        """Evaluated separately for each value of this field of the evidence."""
        return replace(rule(self), key_field=field)

    def consume(self, which: "Consume") -> "Rule":
        """What a start is handed of each input: the `latest` event, or `all` that came since the last start."""
        return replace(rule(self), consumes=which)

    def reset(self, what: "Reset") -> "Rule":
        """What a start clears: `all` stored inputs, those of the `branch` that fired, or `none`."""
        return replace(rule(self), resets=what)

    def reading(self, *assets: "Condition | str") -> "Rule":
        """Assets that the task reads, and is handed the latest version of, but which neither start it nor hold it up."""
        found = tuple(_operand(condition(a)) for a in assets)
        return replace(rule(self), reads=tuple(o.asset for o in found), read_as=found)

    def operands(self) -> Iterator["Operand"]:
        """Its operands from left to right."""
        raise NotImplementedError

    def leaves(self) -> Iterator["Condition"]:
        """The parts that have no parts, as they were written: an asset that stands here carries its definition with it."""
        yield self


@dataclass(frozen=True)
class Operand(Condition):
    """One asset in a condition, possibly filtered."""

    asset: AssetName
    filter: Filter | None = None
    rollup: "Rollup | None" = None
    of: Condition | None = field(default=None, compare=False, repr=False)
    """The asset itself, where the operand was made from it and not from its name: so it carries its definition with it."""
    uses: tuple[str, ...] = ()
    """The columns that the consumer looks at; empty: all of them. A change of others does not concern it."""

    def where(self, text: str = "", /, **fields: Json) -> "Operand":
        """Only events whose evidence matches. A filter that cannot be evaluated has not matched."""
        parts = [p for p in (self.filter.text if self.filter is not None else "", text, equals(**fields)) if p]
        both = " and ".join(f"({part})" for part in parts) if len(parts) > 1 else "".join(parts)
        return replace(self, filter=Filter(both))

    def columns(self, *names: str) -> "Operand":
        """Says that only these columns are looked at (`id`, or a field inside one: `address.zip`): what happens to others breaks nothing here."""
        if not names:
            raise DefinitionError(f"{self.asset}.columns(): name the columns that are used.")
        return replace(self, uses=names)

    def all_of(self, unit: Partitions, *, missing_at_most: int = 0, at_least: int | None = None) -> "Operand":
        """All partitions of this asset that lie in one partition of `unit`: the 23, 24 or 25 hours of a day."""
        return replace(self, rollup=Rollup(unit, missing_at_most, at_least))

    def operands(self) -> Iterator["Operand"]:
        yield self

    def leaves(self) -> Iterator[Condition]:
        yield self if self.of is None else self.of

    def __str__(self) -> str:
        text = str(self.asset)
        if self.filter is not None:
            text += f".where({self.filter.text!r})"
        if self.uses:
            text += f".columns({', '.join(map(repr, self.uses))})"
        if self.rollup is not None:
            text += f".all_of({self.rollup})"
        return text


@dataclass(frozen=True)
class Rollup:
    """Many fine partitions that make one coarse one."""

    unit: Partitions
    missing_at_most: int = 0
    at_least: int | None = None

    def __str__(self) -> str:
        text = self.unit.unit
        if self.at_least is not None:
            text += f", at_least={self.at_least}"
        return text + (f", missing_at_most={self.missing_at_most}" if self.missing_at_most else "")


@dataclass(frozen=True)
class _Many(Condition):
    parts: tuple[Condition, ...]

    def operands(self) -> Iterator[Operand]:
        for part in self.parts:
            yield from part.operands()

    def leaves(self) -> Iterator[Condition]:
        for part in self.parts:
            yield from part.leaves()


@dataclass(frozen=True)
class All(_Many):
    """Every part holds."""

    def __str__(self) -> str:
        return " & ".join(_wrapped(p) for p in self.parts)


@dataclass(frozen=True)
class AnyOf(_Many):
    """One part holds, or more."""

    def __str__(self) -> str:
        return " | ".join(_wrapped(p) for p in self.parts)


@dataclass(frozen=True)
class AtLeast(_Many):
    """`count` of the parts hold, or more."""

    count: int = 1

    def __str__(self) -> str:
        return f"at_least({self.count}, {', '.join(str(p) for p in self.parts)})"


Consume = Literal["latest", "all"]
Reset = Literal["all", "branch", "none"]


@dataclass(frozen=True)
class Rule(Condition):
    """A whole condition with the options that hold for all of it."""

    when: Condition
    window: int | None = None
    """Microseconds that the events of one start may be apart."""
    key_field: str | None = None
    consumes: Consume = "latest"
    resets: Reset | None = None
    reads: tuple[AssetName, ...] = ()
    read_as: tuple[Operand, ...] = field(default=(), compare=False, repr=False)

    def operands(self) -> Iterator[Operand]:
        yield from self.when.operands()

    def leaves(self) -> Iterator[Condition]:
        yield from self.when.leaves()
        for operand in self.read_as:
            yield from operand.leaves()

    def __str__(self) -> str:
        text = f"({self.when})" if isinstance(self.when, _Many) and self._options() else str(self.when)
        return text + self._options()

    def _options(self) -> str:
        text = f".within({spell(self.window)!r})" if self.window is not None else ""
        text += f".key({self.key_field!r})" if self.key_field else ""
        text += f".consume({self.consumes!r})" if self.consumes != "latest" else ""
        text += f".reset({self.resets!r})" if self.resets else ""
        return text + (f".reading({', '.join(self.reads)})" if self.reads else "")


SCHEDULE = "schedule:"
"""The names of the hidden assets that schedules inside conditions make ready begin with this."""


def schedule(cron: str = "", *, every: Duration | None = None, timezone: str = "UTC") -> Operand:
    """A schedule as an operand: `schedule("0 6 * * *", timezone="Europe/Berlin")` or `schedule(every="1h")`."""
    if bool(cron) == (every is not None):
        raise DefinitionError("schedule() takes either a cron text or every=, and exactly one of them.")
    text = cron or f"every {_exact(micros(every or 0))}"
    return Operand(AssetName(f"{SCHEDULE}{text}@{timezone}"))


def _exact(length: int) -> str:
    """A length that reads well and loses nothing: the name of a schedule is all that is kept of it."""
    text = spell(length).replace(" ", "")
    return text if micros(text) == length else f"{length}us"


def at_least(count: int, *parts: Condition | str) -> AtLeast:
    """At least `count` of the parts hold."""
    if not 1 <= count <= len(parts):
        raise DefinitionError(
            f"at_least({count}, ...) of {len(parts)} parts can never {'hold' if count > 0 else 'fail'}. "
            f"Ask for 1 to {len(parts)}."
        )
    return AtLeast(tuple(condition(p) for p in parts), count)


def condition(value: "Condition | str") -> Condition:
    """The value as a condition: the name of an asset is that asset."""
    if isinstance(value, str):
        return Operand(AssetName(value))
    if isinstance(value, Condition):
        return value
    raise DefinitionError(f"{value!r} is neither an asset, nor a condition, nor the name of an asset.")


def rule(value: Condition) -> Rule:
    return value if isinstance(value, Rule) else Rule(value)


def _operand(value: Condition) -> Operand:
    operands = list(value.operands())
    if len(operands) == 1 and not isinstance(value, (_Many, Rule)):
        return operands[0]
    raise DefinitionError(f"{value} is a condition; here the asset itself is asked for.")


def _flat(value: Condition, kind: type[_Many]) -> tuple[Condition, ...]:
    if isinstance(value, Rule):
        raise DefinitionError(
            f"{value} already has options of its own (within, key, ...). Join the plain conditions first and set them last."
        )
    return value.parts if type(value) is kind else (value,)


def _wrapped(value: Condition) -> str:
    return f"({value})" if isinstance(value, (All, AnyOf)) else str(value)
