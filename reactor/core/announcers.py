"""Which sensor announces which asset, as far as the code tells: a sensor is a function, and its answers are not declared.

It reads the names that functions mention and calls nothing of the user's. A guess for people (warnings, `why`); no decision rests on it.
"""

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FunctionType

from reactor.core.graph import Graph
from reactor.model.asset import Asset
from reactor.model.ids import AssetName
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


def mentioned(sensor: AnySensor) -> set[AssetName]:
    """The assets that the sensor's own function names."""
    return _mentioned(sensor.function)


def _beside(sensor: AnySensor) -> set[AssetName]:
    """Assets that functions of the same file name: helpers count, because the sensor may call them."""
    module = sys.modules.get(sensor.module)
    found: set[AssetName] = set()
    for value in vars(module).values() if module is not None else ():
        if isinstance(value, FunctionType) and value.__module__ == sensor.module:
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
        inside: object = value.values() if isinstance(value, dict) else value
        many = inside if isinstance(inside, Iterable) and isinstance(value, (dict, list, tuple, set)) else [value]
        yield from (AssetName(asset.name) for asset in many if isinstance(asset, Asset))
