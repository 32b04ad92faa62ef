"""Changes of a schema, and THE table of what each of them means for those who use the data.

Law: the class of a change is looked up in `CLASSES`, a literal, and nowhere else.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from reactor.model.schema.types import quoted

ITEM, KEY, VALUE = "[]", "{key}", "{}"
"""The steps of a path into a list, to the keys and to the values of a map."""
_SHOWN = 160


class Compatibility(StrEnum):
    """The class of a change, from the harmless to the harmful; they compare by harm.

    | class | what a consumer of the old schema meets |
    |---|---|
    | identical | nothing new. The order of columns is told, but columns are found by name |
    | additive | something that it does not look at yet |
    | widening | every old value means what it meant, but values may come that could not come before |
    | breaking | what it relies on is gone, is called otherwise, or cannot hold the old values any more |
    """

    IDENTICAL = "identical"
    ADDITIVE = "additive"
    WIDENING = "widening"
    BREAKING = "breaking"

    @property
    def harm(self) -> int:
        """0 for identical to 3 for breaking."""
        return list(Compatibility).index(self)

    def __lt__(self, other: str) -> bool:
        return self.harm < Compatibility(other).harm

    def __le__(self, other: str) -> bool:
        return self.harm <= Compatibility(other).harm

    def __gt__(self, other: str) -> bool:
        return self.harm > Compatibility(other).harm

    def __ge__(self, other: str) -> bool:
        return self.harm >= Compatibility(other).harm


class Alteration(StrEnum):
    """What can happen to a column, or to a field inside one."""

    REORDERED = "reordered"
    ADDED = "added"
    DEFAULT_GAINED = "default gained"
    RESERVED = "reserved"
    WIDENED = "widened"
    NULLABLE = "nullable"
    OPTIONAL = "optional"
    DEFAULT_LOST = "default lost"
    VALUES_ADDED = "values added"
    ADDED_REQUIRED = "added, required"
    REUSED = "reused"
    REMOVED = "removed"
    RENAMED = "renamed"
    NARROWED = "narrowed"
    RETYPED = "retyped"
    REQUIRED = "required"
    DEFAULT_NEEDED = "default lost, required"
    VALUES_REMOVED = "values removed"
    RENUMBERED = "renumbered"
    REWIRED = "rewired"
    TYPE_RENAMED = "type renamed"
    UNRESERVED = "unreserved"


CLASSES: Mapping[Alteration, Compatibility] = {
    Alteration.REORDERED: Compatibility.IDENTICAL,
    Alteration.ADDED: Compatibility.ADDITIVE,
    Alteration.DEFAULT_GAINED: Compatibility.ADDITIVE,
    Alteration.RESERVED: Compatibility.ADDITIVE,
    Alteration.WIDENED: Compatibility.WIDENING,
    Alteration.NULLABLE: Compatibility.WIDENING,
    Alteration.OPTIONAL: Compatibility.WIDENING,
    Alteration.DEFAULT_LOST: Compatibility.WIDENING,
    Alteration.VALUES_ADDED: Compatibility.WIDENING,
    Alteration.ADDED_REQUIRED: Compatibility.BREAKING,
    Alteration.REUSED: Compatibility.BREAKING,
    Alteration.REMOVED: Compatibility.BREAKING,
    Alteration.RENAMED: Compatibility.BREAKING,
    Alteration.NARROWED: Compatibility.BREAKING,
    Alteration.RETYPED: Compatibility.BREAKING,
    Alteration.REQUIRED: Compatibility.BREAKING,
    Alteration.DEFAULT_NEEDED: Compatibility.BREAKING,
    Alteration.VALUES_REMOVED: Compatibility.BREAKING,
    Alteration.RENUMBERED: Compatibility.BREAKING,
    Alteration.REWIRED: Compatibility.BREAKING,
    Alteration.TYPE_RENAMED: Compatibility.BREAKING,
    Alteration.UNRESERVED: Compatibility.BREAKING,
}
_SENTENCES: Mapping[Alteration, str] = {
    Alteration.REORDERED: "order is now {after}, was {before}",
    Alteration.ADDED: "added, {after}",
    Alteration.DEFAULT_GAINED: "has a default now",
    Alteration.RESERVED: "{after} is now reserved",
    Alteration.WIDENED: "{before} -> {after}",
    Alteration.NULLABLE: "may now be null",
    Alteration.OPTIONAL: "may now be missing",
    Alteration.DEFAULT_LOST: "has no default any more, and may be null",
    Alteration.VALUES_ADDED: "may now be {after}",
    Alteration.ADDED_REQUIRED: "added, {after}, and must be given",
    Alteration.REUSED: "added, {after}, with a number or name that was reserved",
    Alteration.REMOVED: "removed, was {before}",
    Alteration.RENAMED: "renamed to {after}",
    Alteration.NARROWED: "{before} -> {after}",
    Alteration.RETYPED: "{before} -> {after}",
    Alteration.REQUIRED: "may no longer be null",
    Alteration.DEFAULT_NEEDED: "may no longer be left out",
    Alteration.VALUES_REMOVED: "may no longer be {before}",
    Alteration.RENUMBERED: "number {before} -> {after}",
    Alteration.REWIRED: "is written otherwise: {before} -> {after}",
    Alteration.TYPE_RENAMED: "type is now called {after}, was {before}",
    Alteration.UNRESERVED: "{before} is no longer reserved",
}


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that changed."""

    what: Alteration
    path: tuple[str, ...]
    """The column, and the way to the field inside it; empty for the schema as a whole."""
    before: str = ""
    after: str = ""

    @property
    def compatibility(self) -> Compatibility:
        return CLASSES[self.what]

    @property
    def where(self) -> str:
        """`column items[].sku`, or `the schema`."""
        return f"column {place(self.path)}" if self.path else "the schema"

    def __str__(self) -> str:
        said = _SENTENCES[self.what].format(before=_short(self.before), after=_short(self.after))
        return f"{self.where}: {said} ({self.compatibility})"


def place(path: tuple[str, ...]) -> str:
    """A path as people write it: `address.zip`, `items[].sku`, `prices{}`."""
    steps = (step if step in (ITEM, KEY, VALUE) else f".{quoted(step)}" for step in path)
    return "".join(steps).removeprefix(".")


def worst(changes: Iterable[Change]) -> Compatibility:
    """The class of them all together."""
    return max((c.compatibility for c in changes), key=lambda c: c.harm, default=Compatibility.IDENTICAL)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
