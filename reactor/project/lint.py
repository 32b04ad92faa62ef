"""What is allowed but looks like a slip: told when definitions are loaded, never refused.

Law: it reads the graph and the names in functions' code; it calls nothing of the user's. Where it cannot tell, it is
silent.
"""

import inspect
import sys
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType

from reactor.core.graph import Graph
from reactor.model.asset import Asset
from reactor.model.condition import SCHEDULE
from reactor.model.sensor import AnySensor


def warnings_of(graph: Graph) -> Iterator[str]:
    """One sentence for each thing that is probably not meant."""
    announced: set[str] = set()
    for sensor in graph.sensors:
        announced |= _mentioned_near(sensor)
    for name in graph.consumers:
        if name.startswith(SCHEDULE) or name in graph.makers or name in announced:
            continue
        waiting = ", ".join(sorted(node.name for node, _ in graph.consumers[name]))
        yield f"Nobody announces {name}: no sensor mentions it and no task makes it, so {waiting} will wait for ever."
    read = {a for node in graph.nodes.values() for a in node.task.inputs.reads}
    for sensor in graph.sensors:
        mine = _mentioned(sensor.function)
        if mine and not any(a in graph.consumers or a in read for a in mine):
            yield f"Sensor {sensor.name} announces {', '.join(sorted(mine))}, which no task waits for."


def _mentioned_near(sensor: AnySensor) -> set[str]:
    """Assets that the sensor, or a function beside it, mentions: helpers count, because it may call them."""
    found = _mentioned(sensor.function)
    module = sys.modules.get(sensor.module)
    for value in vars(module).values() if module is not None else ():
        if isinstance(value, FunctionType) and value.__module__ == sensor.module:
            found |= _mentioned(value)
    return found


def _mentioned(function: object) -> set[str]:
    plain = inspect.unwrap(function) if callable(function) else function
    if not isinstance(plain, FunctionType):
        return set()
    closed = inspect.getclosurevars(plain).nonlocals if plain.__closure__ else {}
    return set(_assets(_names(plain.__code__), {**plain.__globals__, **closed}))


def _names(code: CodeType) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, CodeType))
    return {*code.co_names, *code.co_freevars, *(n for c in inner for n in _names(c))}


def _assets(names: set[str], scope: Mapping[str, object]) -> Iterator[str]:
    for value in (scope[n] for n in names if n in scope):
        many = (
            value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple, set)) else (value,)
        )
        yield from (asset.name for asset in many if isinstance(asset, Asset))
