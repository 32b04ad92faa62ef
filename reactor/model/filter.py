"""Filters: small expressions over what an event carries, such as `amount > 10 and region == 'eu'`.

Kept as text, so that they can be printed, stored and compared. They are parsed by Python's own parser into a short list of
allowed nodes and interpreted here: nothing is ever handed to `eval`. A filter that cannot be evaluated has not matched; in an
`or`, an error on one side does not hide a match on the other (Kleene's three-valued logic, unknown = cannot be evaluated).
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from reactor.model.errors import DefinitionError
from reactor.model.events import Json


def _equal(a: Json, b: Json) -> bool:
    """As in JSON, and unlike in Python, true is not 1."""
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


_COMPARE: Final[dict[type[ast.cmpop], Callable[[Json, Json], bool]]] = {
    ast.Eq: _equal,
    ast.NotEq: lambda a, b: not _equal(a, b),
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_ARITHMETIC: Final[dict[type[ast.operator], Callable[[Json, Json], Json]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
_WORDS: Final[dict[str, Json]] = {
    "true": True,
    "false": False,
    "null": None,
    "True": True,
    "False": False,
    "None": None,
}
LENGTH = 2_000
"""Characters that a filter may have."""
NESTING = 50
"""Levels that a filter may have: it is evaluated by recursion, in the engine's own stack."""


class Unknown(Exception):
    """The filter cannot be evaluated on this event."""


@dataclass(frozen=True)
class Filter:
    """One expression. Made with `.where(...)`; equal texts are equal filters."""

    text: str

    def __post_init__(self) -> None:
        compile_filter(self.text)


Evaluate = Callable[[Mapping[str, Json]], Json]


def compile_filter(text: str) -> Evaluate:
    """The expression as a function of an event's fields, which raises `Unknown` where it cannot be evaluated.

    Raises:
        DefinitionError: the text is too long, or holds something that a filter may not.
    """
    if len(text) > LENGTH:
        raise DefinitionError(f"A filter has at most {LENGTH} characters; this one has {len(text)}.")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        _check_nesting(tree)
        return _build(tree, text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise DefinitionError(
            f"The filter {text!r} cannot be read ({error}). Write a comparison of fields, "
            "such as \"amount > 10 and region == 'eu'\"."
        ) from error


def matches(evaluate: Evaluate, fields: Mapping[str, Json]) -> tuple[bool, str]:
    """Whether the event matches, and where it does not, why: `is false`, or what could not be evaluated."""
    try:
        return (True, "") if evaluate(fields) is True else (False, "is false")
    except Unknown as error:
        return False, f"cannot be evaluated: {error}"


def equals(**fields: Json) -> str:
    """The text of a filter that asks for these exact values."""
    return " and ".join(f"{name} == {value!r}" for name, value in fields.items())


def _check_nesting(tree: ast.expr) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(NESTING):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise ValueError(f"it is nested deeper than {NESTING} levels")


def _build(node: ast.expr, text: str) -> Evaluate:  # noqa: C901 - one case for each thing that a filter may hold
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            return _junction([_build(v, text) for v in values], short=False)
        case ast.BoolOp(op=ast.Or(), values=values):
            return _junction([_build(v, text) for v in values], short=True)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _build(operand, text)
            return lambda fields: not _truth(inner(fields))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _build(operand, text)
            return lambda fields: -_number(inner(fields))
        case ast.Compare(left=left, ops=ops, comparators=rights):
            return _comparison([_build(n, text) for n in (left, *rights)], ops, text)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            act, a, b = _ARITHMETIC[type(op)], _build(left, text), _build(right, text)
            return lambda fields: _guard(act, _number(a(fields)), _number(b(fields)))
        case ast.Name(id=name) if name in _WORDS:
            value = _WORDS[name]
            return lambda fields: value
        case ast.Name(id=name):
            return lambda fields: _field(fields, name)
        case ast.Attribute(value=value, attr=name):
            inner = _build(value, text)
            return lambda fields: _field(inner(fields), name)
        case ast.Constant(value=str() | int() | float() | bool() | None as constant):
            return lambda fields: constant
        case ast.Call(func=ast.Name(id="exists"), args=[ast.Name() | ast.Attribute() as field], keywords=[]):
            inner = _build(field, text)
            return lambda fields: _exists(inner, fields)
        case ast.Call(func=ast.Name(id="starts_with"), args=[whole, ast.Constant(value=str() as begin)], keywords=[]):
            inner = _build(whole, text)
            return lambda fields: _guard(str.startswith, inner(fields), begin)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            parts = [_build(e, text) for e in elements]
            return lambda fields: [part(fields) for part in parts]
        case _:
            pass
    raise DefinitionError(
        f"The filter {text!r} holds {ast.unparse(node)!r}, which a filter may not: it compares fields of the event with "
        "values, joined by and, or, not; exists(field) and starts_with(field, 'text') are its only functions."
    )


def _exists(field: Evaluate, fields: Mapping[str, Json]) -> bool:
    try:
        field(fields)
    except Unknown:
        return False
    return True


def _junction(parts: list[Evaluate], short: bool) -> Evaluate:
    def evaluate(fields: Mapping[str, Json]) -> bool:
        unknown: Unknown | None = None
        for part in parts:
            try:
                if _truth(part(fields)) is short:
                    return short
            except Unknown as error:
                unknown = unknown or error
        if unknown is not None:
            raise unknown
        return not short

    return evaluate


def _comparison(parts: list[Evaluate], ops: list[ast.cmpop], text: str) -> Evaluate:
    unknown = [type(op).__name__ for op in ops if type(op) not in _COMPARE]
    if unknown:
        raise DefinitionError(f"The filter {text!r} uses {unknown[0]}, which a filter does not know.")
    acts = [_COMPARE[type(op)] for op in ops]

    def evaluate(fields: Mapping[str, Json]) -> bool:
        values = [part(fields) for part in parts]
        return all(bool(_guard(act, values[n], values[n + 1])) for n, act in enumerate(acts))

    return evaluate


def _truth(value: Json) -> bool:
    if isinstance(value, bool):
        return value
    raise Unknown(f"{value!r} is neither true nor false")


def _number(value: Json) -> Json:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Unknown(f"{value!r} is not a number")
    return value


def _field(fields: Json, name: str) -> Json:
    if isinstance(fields, Mapping) and name in fields:
        return fields[name]
    raise Unknown(f"there is no field {name!r}")


def _guard(act: Callable[[Json, Json], Json], left: Json, right: Json) -> Json:
    try:
        return act(left, right)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise Unknown(str(error)) from error
