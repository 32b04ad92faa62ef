"""The graph of a project as values: what announces, what makes, what waits."""

import msgspec

from reactor.core.announcers import announcers
from reactor.core.graph import Graph
from reactor.model.condition import SCHEDULE
from reactor.model.duration import spell
from reactor.model.ids import AssetName, TaskName
from reactor.service.views.board import in_order


class AssetNode(msgspec.Struct, frozen=True):
    name: str
    owner: str
    partitions: str
    due: str | None
    maker: str
    sensors: tuple[str, ...]
    waited_for_by: tuple[str, ...]
    description: str


class TaskNode(msgspec.Struct, frozen=True):
    name: str
    workflow: str
    owner: str
    inputs: str
    """The rule as it was written."""
    needs: tuple[str, ...]
    outputs: tuple[str, ...]
    executor: str
    attempts: int
    timeout: str | None
    checks: tuple[str, ...]
    place: str
    digest: str


class SensorNode(msgspec.Struct, frozen=True):
    name: str
    source: str
    announces: tuple[str, ...]


class Picture(msgspec.Struct, frozen=True):
    """Assets stand behind what they are made of."""

    assets: tuple[AssetNode, ...]
    tasks: tuple[TaskNode, ...]
    sensors: tuple[SensorNode, ...]


def picture(graph: Graph) -> Picture:
    """The whole graph. Where a sensor's code does not tell what it announces, its list is empty."""
    by_asset = {name: tuple(s.name for s in found) for name, found in announcers(graph).items()}
    assets = tuple(_asset(graph, name, by_asset.get(name, ())) for name in in_order(graph))
    order = {a.name: n for n, a in enumerate(assets)}
    tasks = [_task(graph, name) for name in graph.nodes]
    tasks.sort(key=lambda t: (max((order.get(a, 0) for a in t.needs), default=0), t.name))
    sensors = tuple(
        SensorNode(s.name, s.source.name, tuple(sorted(a for a, found in by_asset.items() if s.name in found)))
        for s in graph.sensors
    )
    return Picture(assets, tuple(tasks), sensors)


def _asset(graph: Graph, name: AssetName, sensors: tuple[str, ...]) -> AssetNode:
    asset = graph.assets[name]
    return AssetNode(
        name=name,
        owner=graph.owner_of(name),
        partitions=asset.partitions.describe() if asset.partitions is not None else "one",
        due=asset.due,
        maker=graph.makers.get(name, ""),
        sensors=sensors,
        waited_for_by=tuple(sorted(node.name for node, _ in graph.consumers.get(name, ()))),
        description=asset.description,
    )


def _task(graph: Graph, name: TaskName) -> TaskNode:
    node = graph.nodes[name]
    task = node.task
    needs = dict.fromkeys(t.asset for t in node.plan.terms if not t.asset.startswith(SCHEDULE))
    return TaskNode(
        name=name,
        workflow=task.workflow,
        owner=task.owner,
        inputs=str(task.inputs),
        needs=tuple(needs),
        outputs=tuple(a.name for a in task.outputs),
        executor=task.executor,
        attempts=task.retry.attempts,
        timeout=None if task.timeout is None else spell(task.timeout),
        checks=tuple(c.name for c in task.checks),
        place=task.place,
        digest=node.digest,
    )


def text(found: Picture) -> list[str]:
    """The picture as indented lines: each task, what it waits for above it, what it makes below."""
    assets = {a.name: a for a in found.assets}
    lines: list[str] = []
    for task in found.tasks:
        for name in task.needs:
            asset = assets[name]
            origin = f"made by {asset.maker}" if asset.maker else f"announced by {', '.join(asset.sensors) or 'nobody'}"
            lines.append(f"  {name}  ({asset.partitions}; {origin})")
        lines.append(f"└▶ {task.name}  [{task.executor}, {task.owner}]  when {task.inputs}")
        lines.extend(f"   └▶ {name}" for name in task.outputs)
        lines.append("")
    return lines
