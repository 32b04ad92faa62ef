"""Which sensor announces which asset, as far as the code tells: a sensor is a function, and its answers are not declared.

It reads the names that functions mention and calls nothing of the user's. A guess for people (warnings, `why`); no decision rests on it.
"""

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import cast

from reactor.core.graph import Graph
from reactor.model.asset import Asset
from reactor.model.ids import AssetName, SourceName
from reactor.model.sensor import AnySensor


def announcers(graph: Graph) -> dict[AssetName, tuple[AnySensor, ...]]:
    """By asset: the sensors that mention it; where none does itself, those beside a function that does."""
    near: dict[AssetName, list[AnySensor]] = {}
    exact: dict[AssetName, list[AnySensor]] = {}
    for sensor in graph.sensors:
        for name in mentioned(sensor):
            exact.setdefault(name, []).append(sensor)
        for name in _beside(sensor):
            near.setdefault(name, []).append(sensor)
    return {name: tuple(found) for name, found in {**near, **exact}.items()}


def responsible(graph: Graph, source: SourceName, sensor: str) -> str:
    """Who owns what this sensor announces; where none is named, what any sensor of the source does. Empty where the code does not tell."""
    mine = [s for s in graph.sensors if (s.name == sensor if sensor else s.source.name == source)]
    try:
        assets = [name for s in mine for name in sorted(mentioned(s) or _beside(s))]
    except Exception:  # noqa: BLE001 - the user's objects are looked at, and may raise; an alert without an owner beats none
        return ""
    return next((owner for name in assets if (owner := graph.owner_of(name))), "")


def mentioned(sensor: AnySensor) -> set[AssetName]:
    """The assets that the sensor's own function names."""
    return _mentioned(sensor.function)


def _beside(sensor: AnySensor) -> set[AssetName]:
    """Assets that functions of the same file name: helpers count, because the sensor may call them."""
    module = sys.modules.get(sensor.module)
    found: set[AssetName] = set()
    for value in vars(module).values() if module is not None else ():
        if issubclass(type(value), FunctionType) and value.__module__ == sensor.module:
            found |= _mentioned(value)
    return found


def _mentioned(function: object) -> set[AssetName]:
    plain = inspect.unwrap(function) if callable(function) else function
    if not isinstance(plain, FunctionType):
        return set()
    closed = inspect.getclosurevars(plain).nonlocals if plain.__closure__ else {}
    return set(_assets(_names(plain.__code__), {**plain.__globals__, **closed}))


def _names(code: CodeType) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, CodeType))
    return {*code.co_names, *code.co_freevars, *(n for c in inner for n in _names(c))}


def _assets(names: set[str], scope: Mapping[str, object]) -> Iterator[AssetName]:
    for value in (scope[n] for n in names if n in scope):
        for one in _inside(value):
            if issubclass(
                type(one), Asset
            ):  # isinstance would ask the object itself, which may be a proxy for anything
                yield AssetName(cast(Asset, one).name)


def _inside(value: object) -> Iterable[object]:
    kind = type(value)
    if issubclass(kind, dict):
        return cast("dict[object, object]", value).values()
    return cast("list[object]", value) if issubclass(kind, (list, tuple, set)) else (value,)
