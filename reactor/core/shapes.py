"""Shapes: what an event's content is made of, against what was accepted. A change of a class that may not pass holds the event.

Pure. The baseline of an asset is what was accepted last, unless another schema was declared since: then what was declared. Where nothing was
declared and nothing accepted, the first content is the baseline.
"""

import msgspec
from msgspec.structs import replace

from reactor.core.graph import Graph
from reactor.core.state import State
from reactor.model.events import SHAPE, Readiness
from reactor.model.ids import AssetName, Instant
from reactor.model.schema import Compatibility, Diff, Schema, diff, narrow
from reactor.model.slot import Shape

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Schema).decode


def judge(graph: Graph, state: State, event: Readiness, now: Instant) -> str:
    """Why its schema does not let the event through; empty where it does. What may pass and is new becomes the baseline, where none is declared."""
    asset = subject(event.asset)
    if asset not in graph.schemas:
        return ""
    shape = state.shapes.get(asset) or Shape(asset)
    if not event.schema:
        return f"{shape.why}; this partition does not say its own schema" if shape.why else ""
    found = _decode(event.schema)
    baseline = _baseline(graph, shape)
    whole = diff(baseline, found) if baseline is not None else Diff()
    concerned = concerns(graph, asset, whole)
    if _holds(graph, asset, concerned.compatibility):
        why = f"its schema changed, {concerned}"
        if event.asset != asset:
            state.put_shape(replace(shape, pending=event.schema, why=why, at=now))
        return why
    if graph.schemas[asset] is None and (baseline is None or whole.changes):
        shape = replace(shape, accepted=event.schema, at=now)
    if event.asset != asset:
        shape = replace(shape, pending=b"", why="")
    if shape != state.shapes.get(asset, Shape(asset)):
        state.put_shape(shape)
    return ""


def gone(state: State, event: Readiness, why: str, now: Instant) -> None:
    """The source itself says why nothing of the asset may pass: its table was dropped, its schema cannot be read."""
    asset = subject(event.asset)
    state.put_shape(replace(state.shapes.get(asset) or Shape(asset), pending=event.schema, why=why, at=now))


def accept_shape(graph: Graph, state: State, event: AssetName, schema: bytes, now: Instant) -> None:
    """A person approved what was held for its schema: from now on it is what others are compared with."""
    asset = subject(event)
    declared = graph.schemas.get(asset)
    shape = state.shapes.get(asset) or Shape(asset)
    accepted = schema or shape.accepted
    state.put_shape(
        replace(shape, accepted=accepted, declared=declared.digest if declared else "", pending=b"", why="", at=now)
    )


def subject(name: AssetName) -> AssetName:
    """The asset that an event of a schema is about; any other is its own."""
    return AssetName(name.removeprefix(SHAPE))


def concerns(graph: Graph, asset: AssetName, whole: Diff) -> Diff:
    """What of a change meets any of those who use the asset. Who does not say its columns uses all of them."""
    used: set[str] = set()
    for _, terms in graph.consumers.get(asset, ()):
        for term in terms:
            if not term.operand.uses:
                return whole
            used.update(term.operand.uses)
    return narrow(whole, used) if used else whole


def _baseline(graph: Graph, shape: Shape) -> Schema | None:
    declared = graph.schemas[shape.asset]
    if declared is not None and (not shape.accepted or shape.declared != declared.digest):
        return declared
    return _decode(shape.accepted) if shape.accepted else None


def _holds(graph: Graph, asset: AssetName, kind: Compatibility) -> bool:
    default = "hold" if kind is Compatibility.BREAKING else "pass"
    return graph.assets[asset].on_change.get(kind.value, default) == "hold"
