"""What is allowed but looks like a slip: told when definitions are loaded, never refused. Where it cannot tell, it is silent."""

from collections.abc import Iterator

from reactor.core.announcers import announcers, mentioned
from reactor.core.graph import Graph
from reactor.model.condition import SCHEDULE


def warnings_of(graph: Graph) -> Iterator[str]:
    """One sentence for each thing that is probably not meant."""
    known = announcers(graph)
    for name in graph.consumers:
        if name.startswith(SCHEDULE) or name in graph.makers or name in known:
            continue
        waiting = ", ".join(sorted(node.name for node, _ in graph.consumers[name]))
        yield f"Nobody announces {name}: no sensor mentions it and no task makes it, so {waiting} will wait for ever."
    read = {a for node in graph.nodes.values() for a in node.task.inputs.reads}
    for sensor in graph.sensors:
        mine = mentioned(sensor)
        if mine and not any(a in graph.consumers or a in read for a in mine):
            yield f"Sensor {sensor.name} announces {', '.join(sorted(mine))}, which no task waits for."
