"""What changed from one schema to another, for everybody and for one consumer, as values and in words.

Law: pure.

**What the classes have to do with a registry's.** A change that is identical, additive or widening is one that the Confluent registry's
BACKWARD_TRANSITIVE allows for its format: a reader of the new schema reads everything that was written before. The reverse does not
hold, on purpose, because somebody downstream still reads by the old one. (One exception: Confluent's rule for JSON Schema refuses an
optional property that is new in an open content model, because old documents may have had anything under its name. It is additive here.)

| the registry allows | here |
|---|---|
| BACKWARD: to remove a field, for the new reader does not ask for it | breaking: an old consumer may |
| FORWARD, FULL: to remove a field with a default, for the old reader fills it in | breaking: what it fills in is not the data |
| Avro ("Aliases"): to rename a field or a type that keeps its old name as an alias | breaking: consumers look for the old name |
| Avro ("Schema Resolution"): to remove a symbol of an enum that has a default | breaking: the value is lost |
| Protobuf ("Updating A Message Type"): to rename a field, to cut integers, to read bytes as text or as a message | breaking |

**How two schemas are compared** depends on where they come from (`Basis`):

| old | new | |
|---|---|---|
| either has names alone | | the names alone |
| contract | contract | strictly |
| landed or seen | landed | strictly; but a new column is additive even where it is never null: nobody has to give it |
| contract | landed | what fits the contract is no change: a narrower type, no nulls, a column left out that may be |
| any | seen | the same, and JSON's text and numbers may stand for what JSON has no type for |

The rules are those of the dialect where both have the same, else the common ones.
"""

from collections.abc import Collection

import msgspec

from reactor.model.errors import DefinitionError, nearest
from reactor.model.schema.changes import ITEM, KEY, VALUE, Alteration, Change, Compatibility, worst
from reactor.model.schema.compare import Rules, records
from reactor.model.schema.fit import settle
from reactor.model.schema.types import Basis, Dialect, Schema, quoted

_IN_A_LINE = 3


class Diff(msgspec.Struct, frozen=True, omit_defaults=True):
    """Every change, the most harmful first."""

    changes: tuple[Change, ...] = ()
    names_only: bool = False
    """The types of one side are not known, so only names were compared."""

    @property
    def compatibility(self) -> Compatibility:
        """The class of the whole: that of its most harmful change."""
        return worst(self.changes)

    @property
    def lines(self) -> tuple[str, ...]:
        """One line a change."""
        return tuple(map(str, self.changes))

    def __str__(self) -> str:
        """All in one line, for alerts: the class, the first changes and how many more there are."""
        more = len(self.changes) - _IN_A_LINE
        shown = [*self.lines[:_IN_A_LINE], *([f"{more} more"] if more > 0 else [])]
        names = " (names alone were compared)" if self.names_only else ""
        return f"{self.compatibility}{names}" + (f": {'; '.join(shown)}" if shown else "")


def diff(old: Schema, new: Schema) -> Diff:
    """What changed from the old schema, or the expected one, to the new one, or the one that was found."""
    if old.names_only or new.names_only:
        return Diff(_ordered(_names(old, new)), names_only=True)
    contract = new.basis is Basis.CONTRACT
    rules = Rules(old.dialect if old.dialect is new.dialect else Dialect.COMMON, asked=contract)
    found, seen = new.record, new.basis is Basis.SEEN
    if seen or (old.basis is Basis.CONTRACT and not contract):
        found = settle(old.record, found, rules, seen=seen)
    return Diff(_ordered(list(records(old.record, found, (), rules))))


def narrow(whole: Diff, columns: Collection[str]) -> Diff:
    """What of it concerns a consumer that uses only these columns (`id`), or fields inside them (`address.zip`).

    The class of the result is never above that of the whole. See `refuse_unknown` for columns that are not there at all.
    """
    wanted = [*((c,) for c in columns), *(tuple(c.split(".")) for c in columns)]
    return msgspec.structs.replace(whole, changes=tuple(c for c in whole.changes if _concerns(c, wanted)))


def refuse_unknown(schema: Schema, columns: Collection[str]) -> None:
    """Refuses a column that the schema does not have: a change of it could never be noticed.

    Raises:
        DefinitionError: with the nearest name.
    """
    for column in columns:
        if column not in schema.names and column.partition(".")[0] not in schema.names:
            raise DefinitionError(
                f"There is no column {column!r}.{nearest(column, schema.names)} "
                f"There are: {', '.join(map(quoted, schema.names)) or 'none'}."
            )


def _names(old: Schema, new: Schema) -> list[Change]:
    """Of names alone. What a contract lets be left out may be left out of a header too."""
    before, after = old.names, new.names
    gone = [f.name for f in old.fields if f.name not in after and not f.has_default]
    changes = [Change(Alteration.REMOVED, (n,), "a column") for n in gone]
    changes += [Change(Alteration.ADDED, (n,), "", "a column") for n in after if n not in before]
    shared = [n for n in before if n in after], [n for n in after if n in before]
    if shared[0] != shared[1]:
        was, now = (", ".join(map(quoted, names)) for names in shared)
        changes.append(Change(Alteration.REORDERED, (), was, now))
    return changes


def _ordered(changes: list[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda c: -c.compatibility.harm))


def _concerns(change: Change, wanted: list[tuple[str, ...]]) -> bool:
    path = tuple(step for step in change.path if step not in (ITEM, KEY, VALUE))
    return any(path[: len(w)] == w[: len(path)] for w in wanted)
