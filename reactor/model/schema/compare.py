"""Two records, field by field and as deep as they go: every change between them.

Law: pure, and strict. What may be overlooked because of where a schema comes from is settled before (`fit.py`).
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, replace

from reactor.model.schema.changes import ITEM, KEY, VALUE, Alteration, Change, Compatibility, worst
from reactor.model.schema.promotions import promotes
from reactor.model.schema.types import Dialect, Enum, Field, ListOf, MapOf, Record, SchemaError, Type, Union, quoted

Path = tuple[str, ...]


LIMIT = 4_000_000
"""Characters of types that one comparison may read: unions inside unions can be compared without end."""


@dataclass(frozen=True)
class Rules:
    """Under which rules two types are compared, and how much of that has been done."""

    dialect: Dialect
    asked: bool = True
    """A new field is asked of those who write: it must be optional, or it breaks them."""
    read: list[int] = dataclasses.field(default_factory=lambda: [0], compare=False)

    def optional(self, field: Field) -> bool:
        """Whether rows of before, which lack the field, are rows still. In tables a column that may be null is; in the other
        dialects a null must be there to be read.
        """
        return not self.asked or field.has_default or (field.nullable and self.dialect is Dialect.COMMON)

    def spend(self, characters: int) -> None:
        """Counts what is read.

        Raises:
            SchemaError: it is too much.
        """
        self.read[0] += characters
        if self.read[0] > LIMIT:
            raise SchemaError(
                "These two schemas have so many unions inside unions that they cannot be compared. Give the columns a plainer type."
            )


def fits(old: Type, new: Type, rules: Rules) -> bool:
    """Whether the new type can hold all that the old one can."""
    return worst(types(old, new, (), replace(rules, asked=True))) < Compatibility.BREAKING


def records(old: Record, new: Record, path: Path, rules: Rules) -> Iterator[Change]:
    """All changes between two records."""
    before, after = {f.name: f for f in old.fields}, {f.name: f for f in new.fields}
    renamed = _renamed(before, after)
    for name, field in before.items():
        if name in after:
            yield from fields(field, after[name], (*path, name), rules)
        elif name in renamed:
            now = after[renamed[name]]
            yield Change(Alteration.RENAMED, (*path, name), name, quoted(now.name))
            yield from fields(field, now, (*path, name), rules)
        else:
            yield Change(Alteration.REMOVED, (*path, name), field.content)
    for field in new.fields:
        if field.name not in before and field.name not in renamed.values():
            yield Change(_addition(field, old, rules), (*path, field.name), "", field.content)
    yield from _head(old, new, path, rules)
    yield from _order([n for n in before if n in after], [n for n in after if n in before], path)


def fields(old: Field, new: Field, path: Path, rules: Rules) -> Iterator[Change]:
    """All changes of one field; its name is not compared."""
    yield from types(old.type, new.type, path, rules)
    if old.nullable != new.nullable:
        yield Change(Alteration.NULLABLE if new.nullable else Alteration.REQUIRED, path)
    if old.has_default != new.has_default:
        yield Change(_default(new, rules), path)
    if rules.dialect is Dialect.PROTOBUF:
        if old.number != new.number:
            yield Change(Alteration.RENUMBERED, path, str(old.number), str(new.number))
        if old.wire != new.wire or ("fixed" in new.wire and str(old.type) != str(new.type)):
            yield Change(Alteration.REWIRED, path, _wire(old), _wire(new))


def types(old: Type, new: Type, path: Path, rules: Rules) -> Iterator[Change]:
    """All changes between two types."""
    before, after = str(old), str(new)
    if before == after:
        return
    rules.spend(len(before) + len(after))
    match old, new:
        case Record(), Record():
            yield from records(old, new, path, rules)
        case ListOf(), ListOf():
            yield from fields(old.item, new.item, (*path, ITEM), rules)
        case MapOf(), MapOf():
            yield from fields(old.key, new.key, (*path, KEY), rules)
            yield from fields(old.value, new.value, (*path, VALUE), rules)
        case Enum(), Enum():
            yield from _enums(old, new, path, rules)
        case _:
            yield Change(_retyped(old, new, rules), path, before, after)


def members(type: Type) -> tuple[Type, ...]:
    """The members of a union; any other type is its own only one."""
    return type.members if isinstance(type, Union) else (type,)


def _retyped(old: Type, new: Type, rules: Rules) -> Alteration:
    if _within(old, new, rules):
        return Alteration.WIDENED
    return Alteration.NARROWED if _within(new, old, rules) else Alteration.RETYPED


def _within(old: Type, new: Type, rules: Rules) -> bool:
    if promotes(old, new, rules.dialect):
        return True
    if not isinstance(old, Union) and not isinstance(new, Union):
        return False
    return all(any(fits(m, n, rules) for n in members(new)) for m in members(old))


def _enums(old: Enum, new: Enum, path: Path, rules: Rules) -> Iterator[Change]:
    yield from _called(old.name, new.name, path, rules)
    gone, come = set(old.values) - set(new.values), set(new.values) - set(old.values)
    if come:
        yield Change(Alteration.VALUES_ADDED, path, "", ", ".join(sorted(map(repr, come))))
    if gone:
        yield Change(Alteration.VALUES_REMOVED, path, ", ".join(sorted(map(repr, gone))))


def _renamed(before: dict[str, Field], after: dict[str, Field]) -> dict[str, str]:
    """Old names and new ones, where the source says that both are the same."""
    gone = [f for f in before.values() if f.name not in after]
    come = [f for f in after.values() if f.name not in before]
    pairs: dict[str, str] = {}
    for field in come:
        same = next((f for f in gone if f.name not in pairs and _same(f, field)), None)
        if same is not None:
            pairs[same.name] = field.name
    return pairs


def _same(old: Field, new: Field) -> bool:
    by_number = old.number is not None and old.number == new.number
    by_origin = old.origin is not None and old.origin == new.origin
    return by_number or by_origin or old.name in new.aliases


def _addition(field: Field, old: Record, rules: Rules) -> Alteration:
    if rules.dialect is Dialect.PROTOBUF and is_reserved(old.reserved, field):
        return Alteration.REUSED
    return Alteration.ADDED if rules.optional(field) else Alteration.ADDED_REQUIRED


def is_reserved(reserved: tuple[str, ...], field: Field) -> bool:
    """Whether the field's number or name is among those that no field may use: `5`, `9-11`, `name:total`."""
    for one in reserved:
        if one == f"name:{field.name}":
            return True
        low, _, high = one.partition("-")
        if field.number is not None and low.isdigit() and int(low) <= field.number <= int(high or low):
            return True
    return False


def _default(new: Field, rules: Rules) -> Alteration:
    if new.has_default:  # in JSON nobody fills it in: whoever reads meets a row without it
        return Alteration.OPTIONAL if rules.dialect is Dialect.JSON else Alteration.DEFAULT_GAINED
    return Alteration.DEFAULT_LOST if rules.optional(new) else Alteration.DEFAULT_NEEDED


def _head(old: Record, new: Record, path: Path, rules: Rules) -> Iterator[Change]:
    """What is said of a record as a whole."""
    yield from _called(old.name, new.name, path, rules)
    for one in sorted(set(old.reserved) - set(new.reserved)):
        yield Change(Alteration.UNRESERVED, path, one)
    for one in sorted(set(new.reserved) - set(old.reserved)):
        yield Change(Alteration.RESERVED, path, "", one)


def _called(old: str, new: str, path: Path, rules: Rules) -> Iterator[Change]:
    if rules.dialect is Dialect.AVRO and old != new:
        yield Change(Alteration.TYPE_RENAMED, path, old, new)


def _order(before: list[str], after: list[str], path: Path) -> Iterator[Change]:
    if before != after:
        yield Change(Alteration.REORDERED, path, ", ".join(map(quoted, before)), ", ".join(map(quoted, after)))


def _wire(field: Field) -> str:
    return f"{field.type} {field.wire or 'plain'}"
