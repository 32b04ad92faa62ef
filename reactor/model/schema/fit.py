"""What was found against what was expected: what fits is taken for what was expected. And the narrowest schema that two both fit.

Law: pure.
"""

from msgspec.structs import replace

from reactor.model.schema.compare import Rules, fits, members
from reactor.model.schema.types import (
    Bytes,
    Decimal,
    Enum,
    Field,
    Fixed,
    ListOf,
    MapOf,
    Opaque,
    Record,
    Scalar,
    Schema,
    Text,
    Time,
    Timestamp,
    Type,
    Union,
)

_SPELLED = (Text, Bytes, Fixed, Decimal, Time, Timestamp, Enum, Opaque)


def settle(expected: Record, found: Record, rules: Rules, *, seen: bool) -> Record:
    """The record that was found, with what fits in the expected one replaced by it.

    `seen`: it was put together from values of JSON, so a text may stand for what JSON has no type for.
    """
    known = {f.name: f for f in expected.fields}
    merged = [_field(known[f.name], f, rules, seen) if f.name in known else f for f in found.fields]
    _put_back(expected, merged)
    return Record(tuple(merged), expected.name, expected.reserved)


def join(old: Schema, new: Schema) -> Schema:
    """The narrowest schema that the rows of both fit: what one of them lacks may be missing, what differs is a union."""
    return replace(old, fields=join_records(old.record, new.record, Rules(old.dialect)).fields)


def join_records(a: Record, b: Record, rules: Rules) -> Record:
    """See `join`."""
    left, right = {f.name: f for f in a.fields}, {f.name: f for f in b.fields}
    fields = [_both(f, right[f.name], rules) if f.name in right else replace(f, has_default=True) for f in a.fields]
    fields += [replace(f, has_default=True) for f in b.fields if f.name not in left]
    return replace(a, fields=tuple(fields))


def join_types(a: Type, b: Type, rules: Rules) -> Type:
    """The narrowest type that both fit."""
    parts = list(members(a))
    for new in members(b):
        for place, old in enumerate(parts):
            merged = _merged(old, new, rules)
            if merged is not None:
                parts[place] = merged
                break
        else:
            parts.append(new)
    return parts[0] if len(parts) == 1 else Union(tuple(sorted(parts, key=str)))


def _put_back(expected: Record, found: list[Field]) -> None:
    """A field that may be left out, and is, stands where it stood."""
    names = [f.name for f in found]
    at = 0
    for field in expected.fields:
        if field.name in names:
            at = names.index(field.name) + 1
        elif field.has_default:
            found.insert(at, field)
            names.insert(at, field.name)
            at += 1


def _field(expected: Field, found: Field, rules: Rules, seen: bool) -> Field:
    return replace(
        expected,
        type=_type(expected.type, found.type, rules, seen),
        nullable=expected.nullable or found.nullable,
        has_default=expected.has_default or found.has_default,
    )


def _type(expected: Type, found: Type, rules: Rules, seen: bool) -> Type:
    parts = _parts(expected, found, rules, seen)
    if parts is not None:
        return parts
    return expected if all(_among(expected, part, rules, seen) for part in members(found)) else found


def _parts(expected: Type, found: Type, rules: Rules, seen: bool) -> Type | None:
    """Both are built alike: part by part. None where they are not."""
    match expected, found:
        case Record(), Record():
            return settle(expected, found, rules, seen=seen)
        case ListOf(), ListOf():
            return ListOf(_field(expected.item, found.item, rules, seen))
        case MapOf(), MapOf():
            return MapOf(_field(expected.key, found.key, rules, seen), _field(expected.value, found.value, rules, seen))
        case MapOf(), Record() if seen and _is_map(expected, found, rules):
            return expected
        case _:
            return None


def _among(expected: Type, found: Type, rules: Rules, seen: bool) -> bool:
    """Whether what was found fits in what was expected, or in one member of it."""
    return any(_settles(member, found, rules, seen) for member in members(expected))


def _settles(expected: Type, found: Type, rules: Rules, seen: bool) -> bool:
    parts = _parts(expected, found, rules, seen)
    if parts is not None:
        return fits(parts, expected, rules)
    return fits(found, expected, rules) or (seen and _stands_for(found, expected))


def _is_map(expected: MapOf, found: Record, rules: Rules) -> bool:
    """A JSON object is a struct where it is seen, and a map where that is expected."""
    values = (_field(expected.value, replace(f, has_default=False), rules, True) for f in found.fields)
    return all(v.content == expected.value.content for v in values)


def _stands_for(found: Type, expected: Type) -> bool:
    """Whether a value of JSON may stand for the type, which JSON itself does not have."""
    if isinstance(found, Text):
        return isinstance(expected, _SPELLED) or expected in (Scalar("date"), Scalar("uuid"))
    if not isinstance(found, Scalar):
        return False
    numbers = {"int64": ("int", "uint", "float"), "float64": ("float",)}.get(found.name, ())
    return bool(numbers) and (isinstance(expected, Decimal) or str(expected).startswith(numbers))


def _both(a: Field, b: Field, rules: Rules) -> Field:
    return replace(
        a,
        type=join_types(a.type, b.type, rules),
        nullable=a.nullable or b.nullable,
        has_default=a.has_default or b.has_default,
    )


def _merged(a: Type, b: Type, rules: Rules) -> Type | None:
    """One type for both, where there is one that is no union."""
    match a, b:
        case Record(), Record():
            return join_records(a, b, rules)
        case ListOf(), ListOf():
            return ListOf(_both(a.item, b.item, rules))
        case MapOf(), MapOf():
            return MapOf(_both(a.key, b.key, rules), _both(a.value, b.value, rules))
        case Enum(), Enum() if a.name == b.name:
            return replace(a, values=tuple(sorted({*a.values, *b.values})))
        case _:
            pass
    if fits(a, b, rules):
        return b
    return a if fits(b, a, rules) else None
