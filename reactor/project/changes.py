"""What changed between two states of the definitions, in words: what `reactor dev` says after a save."""

from collections.abc import Callable, Iterator, Mapping
from types import CodeType
from typing import TypeVar

from reactor.core.graph import Graph, Node
from reactor.model.sensor import AnySensor

K = TypeVar("K", bound=str)
V = TypeVar("V")


def changes(old: Graph, new: Graph) -> list[str]:
    """One sentence for each thing that was added, removed or changed; none where the definitions mean the same."""
    return [
        *_compare("asset", old.assets, new.assets, lambda a, b: "changed" if a != b else ""),
        *_compare("sensor", _by_name(old), _by_name(new), _sensor),
        *_compare("task", old.nodes, new.nodes, _task),
    ]


def _compare(kind: str, old: Mapping[K, V], new: Mapping[K, V], differ: Callable[[V, V], str]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if name not in new:
            yield f"- {kind} {name}"
        elif name not in old:
            yield f"+ {kind} {name}"
        elif said := differ(old[name], new[name]):
            yield f"~ {kind} {name}: {said}"


def _by_name(graph: Graph) -> dict[str, AnySensor]:
    return {s.name: s for s in graph.sensors}


def _sensor(old: AnySensor, new: AnySensor) -> str:
    if old.source != new.source:
        return f"its source is now {new.source.name}"
    if old.timeout != new.timeout:
        return "its timeout changed"
    return "its code changed" if _code(old.function) != _code(new.function) else ""


def _task(old: Node, new: Node) -> str:
    a, b = old.task, new.task
    said: list[str] = []
    if old.plan.digest != new.plan.digest:
        said.append(f"its rule is now {b.inputs}")
    if a.outputs != b.outputs:
        said.append(f"its outputs are now {', '.join(o.name for o in b.outputs) or 'none'}")
    if _code(a.function) != _code(b.function) or a.command != b.command:
        said.append("its code changed")
    if [(c.name, c.blocking, _code(c.judge)) for c in a.checks] != [
        (c.name, c.blocking, _code(c.judge)) for c in b.checks
    ]:
        said.append("its checks changed")
    options = ("owner", "executor", "retry", "timeout", "limit", "workflow")
    said.extend(f"its {name} changed" for name in options if getattr(a, name) != getattr(b, name))
    return "; ".join(said)


def _code(function: object) -> object:
    """What a function does, without where it stands in its file."""
    code = getattr(function, "__code__", None)
    return _meaning(code) if isinstance(code, CodeType) else None


def _meaning(code: CodeType) -> tuple[object, ...]:
    inner = tuple(_meaning(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts)
    return code.co_code, inner, code.co_names, code.co_varnames
