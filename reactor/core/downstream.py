"""Downstream: what is made of an asset, however far below it. Pure look-ups in the graph, for alerts and impact."""

from reactor.core.graph import Graph
from reactor.model.ids import AssetName


def downstream(graph: Graph, asset: AssetName) -> list[AssetName]:
    """Every asset that is made of this one, by name: directly, or of what is made of it."""
    found: set[AssetName] = set()
    ahead = [asset]
    while ahead:
        for node, _ in graph.consumers.get(ahead.pop(), ()):
            fresh = {AssetName(o.name) for o in node.task.outputs} - found
            found |= fresh
            ahead.extend(sorted(fresh))
    return sorted(found)
