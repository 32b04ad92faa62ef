"""From definitions to the graph: checked, and refused where they cannot be right, every reason at once.

Pure, like all of the core.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from reactor.core.graph import Graph, Node
from reactor.core.plan import Term, compile_plan
from reactor.model.asset import Accepted, Asset
from reactor.model.condition import SCHEDULE, Operand
from reactor.model.errors import DefinitionError, ReactorError, nearest
from reactor.model.gate import Gate
from reactor.model.ids import AssetName, TaskName, WorkflowName
from reactor.model.partitions import Partitions, time_of
from reactor.model.schema import Schema, refuse_unknown
from reactor.model.sensor import AnySensor
from reactor.model.source import Webhook
from reactor.model.workflow import Again, Task, Workflow


def _declared(schema: object) -> Schema | None:
    """A declared schema where nobody can read other kinds than the vocabulary's own."""
    if isinstance(schema, Accepted):
        return None
    if isinstance(schema, Schema):
        return schema
    raise DefinitionError(f"{schema!r} is no Schema.")


@dataclass
class _Build:
    assets: dict[AssetName, Asset] = field(default_factory=dict)
    makers: dict[AssetName, TaskName] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def build(
    assets: Iterable[Asset],
    sensors: Iterable[AnySensor],
    workflows: Iterable[Workflow],
    digests: Mapping[str, str] | None = None,
    gates: Iterable[Gate] = (),
    schema_of: Callable[[object], Schema | None] = _declared,
) -> Graph:
    """The definitions as a graph.

    `digests`: the code version of each file, by its path.

    Raises:
        DefinitionError: every reason at once, each with its place and the nearest name.
    """
    made = _Build()
    wrong: list[str] = []
    flows = _unique(list(workflows), wrong)
    tasks = [t for w in flows.values() for t in w.tasks.values()]
    for asset in (*assets, *(o for t in tasks for o in t.outputs), *_mentioned(tasks)):
        _add_asset(made, asset, wrong)
    nodes: dict[TaskName, Node] = {}
    for task in tasks:
        _check_task(made, task, wrong)
        try:
            if not _unknown(made, task, wrong):
                nodes[task.name] = _node(made, task, digests or {})
        except DefinitionError as error:
            wrong.append(f"{_at(task)}: {error}")
    wrong.extend(_cycles(nodes, made.makers))
    held = list(sensors)
    _check_sensors(held, wrong)
    standing = _gates(made, gates, wrong)
    shapes = _schemas(made, nodes, schema_of, wrong)
    if wrong:
        raise DefinitionError("\n".join(wrong))
    return replace(_finish(made, flows, held, nodes), gates=standing, schemas=shapes)


def _finish(
    made: _Build, flows: dict[WorkflowName, Workflow], sensors: list[AnySensor], nodes: dict[TaskName, Node]
) -> Graph:
    consumers: dict[AssetName, list[tuple[Node, tuple[Term, ...]]]] = {}
    for node in nodes.values():
        for name in dict.fromkeys(t.asset for t in node.plan.terms):
            consumers.setdefault(name, []).append((node, node.plan.terms_of(name)))
    schedules = tuple(sorted(name for name in consumers if name.startswith(SCHEDULE)))
    return Graph(
        assets=made.assets,
        workflows=flows,
        sensors=tuple(sensors),
        nodes=nodes,
        consumers={name: tuple(found) for name, found in consumers.items()},
        makers=made.makers,
        schedules=schedules,
        warnings=tuple(made.warnings),
    )


def _unique(workflows: list[Workflow], wrong: list[str]) -> dict[WorkflowName, Workflow]:
    flows: dict[WorkflowName, Workflow] = {}
    seen: dict[TaskName, Task] = {}
    for flow in workflows:
        if flow.name in flows and flows[flow.name] is not flow:
            wrong.append(f"Two workflows are called {flow.name!r}. Rename one of them.")
        flows[flow.name] = flow
        for task in flow.tasks.values():
            other = seen.setdefault(task.name, task)
            if other is not task:
                wrong.append(
                    f"{_at(task)}: a task called {task.name!r} exists already at {_at(other)}. Names are unique in a project."
                )
    return flows


def _mentioned(tasks: list[Task]) -> list[Asset]:
    """Assets that stand in conditions as values carry their definition with them."""
    return [a for t in tasks for a in t.inputs.leaves() if isinstance(a, Asset)]


def _add_asset(made: _Build, asset: Asset, wrong: list[str]) -> None:
    known = made.assets.setdefault(AssetName(asset.name), asset)
    if known != asset:
        wrong.append(
            f"Asset {asset.name!r} is defined twice, and differently: {known!r} and {asset!r}. Define it once and import it."
        )


def _check_task(made: _Build, task: Task, wrong: list[str]) -> None:
    if not task.owner.strip():
        wrong.append(f"{_at(task)}: task {task.name!r} has no owner. Name who is told when it fails.")
    for asset in task.outputs:
        other = made.makers.setdefault(AssetName(asset.name), task.name)
        if other != task.name:
            wrong.append(
                f"{_at(task)}: {asset.name!r} is made by {task.name!r} and by {other!r}. An output has one maker: "
                "split the asset, or let one task do both."
            )


def _unknown(made: _Build, task: Task, wrong: list[str]) -> bool:
    names = {t.asset for t in task.inputs.operands()} | set(task.inputs.reads)
    missing = sorted(n for n in names if n not in made.assets and not n.startswith(SCHEDULE))
    for name in missing:
        wrong.append(
            f"{_at(task)}: task {task.name!r} waits for {name!r}, but no asset is called so.{nearest(name, made.assets)}"
        )
    return bool(missing)


def _node(made: _Build, task: Task, digests: Mapping[str, str]) -> Node:
    partitions = _partitions(made, task)
    by_partition = partitions is not None and task.inputs.key_field is None
    _check_meeting(made, task, partitions)
    again = _again(task, by_partition)
    sizes = {t.asset: made.assets[t.asset].partitions for t in task.inputs.operands() if t.asset in made.assets}
    plan = compile_plan(task.inputs, again, sizes)
    return Node(task, plan, partitions, by_partition, digests.get(task.place.rpartition(":")[0], ""))


def _again(task: Task, by_partition: bool) -> Again:
    if task.again is not None:
        return task.again
    if task.inputs.resets == "none":
        return "rerun"
    return "rerun" if by_partition and task.inputs.resets is None and task.inputs.consumes == "latest" else "all new"


def _partitions(made: _Build, task: Task) -> Partitions | None:
    """How the runs of a task are cut: as it says, else as its outputs are, else as its inputs are."""
    if task.partitions is not None:
        return task.partitions
    outputs = {a.partitions for a in task.outputs}
    if len(outputs) > 1:
        raise DefinitionError(
            f"task {task.name!r} has outputs that are cut differently: {', '.join(a.name for a in task.outputs)}. "
            "Say partitions=..., or make them in tasks of their own."
        )
    if outputs:
        return outputs.pop()
    if task.inputs.key_field is not None:
        return None
    cuts = [_cut(made, t) for t in task.inputs.operands() if not t.asset.startswith(SCHEDULE)]
    found = [c for c in dict.fromkeys(cuts) if c is not None]
    return found[0] if found else None


def _cut(made: _Build, operand: Operand) -> Partitions | None:
    return operand.rollup.unit if operand.rollup is not None else made.assets[operand.asset].partitions


def _check_meeting(made: _Build, task: Task, partitions: Partitions | None) -> None:
    """Keys that can never meet are refused: a rule that would wait for ever is a mistake, not a rule."""
    for operand in task.inputs.operands():
        if operand.asset.startswith(SCHEDULE):
            continue
        asset = made.assets[operand.asset]
        if operand.rollup is not None:
            _check_rollup(task, operand, asset)
        cut = _cut(made, operand)
        if task.inputs.key_field is None and partitions is not None and cut != partitions:
            how = cut.describe() if cut else "not partitioned"
            raise DefinitionError(
                f"task {task.name!r} runs for each partition ({partitions.describe()}), but its input {asset.name!r} is cut "
                f"otherwise ({how}): their keys can never meet, so it would wait for ever. Roll it up with "
                f"{asset.name}.all_of(...), or only read it: inputs=(...).reading({asset.name})."
            )


def _check_rollup(task: Task, operand: Operand, asset: Asset) -> None:
    assert operand.rollup is not None
    fine, unit = time_of(asset.partitions), time_of(operand.rollup.unit)
    rank = {"hour": 0, "day": 1, "month": 2}
    if fine is None or unit is None or rank[fine.unit] >= rank[unit.unit]:
        raise DefinitionError(
            f"task {task.name!r}: {operand} cannot be rolled up; {asset.name!r} is not cut finer than that."
        )
    if fine.timezone != unit.timezone:
        raise DefinitionError(
            f"task {task.name!r}: {asset.name!r} is cut in {fine.timezone} and rolled up in {unit.timezone}; the hours of one "
            "day would lie in two. Use one time zone."
        )
    most = {("hour", "day"): 25, ("hour", "month"): 31 * 24 + 1, ("day", "month"): 31}[(fine.unit, unit.unit)]
    asked = operand.rollup.at_least
    if asked is not None and not 1 <= asked <= most:
        raise DefinitionError(
            f"task {task.name!r}: {operand} asks for {asked}, but a {unit.unit} has at most {most}: it could never start."
        )
    if not 0 <= operand.rollup.missing_at_most < most:
        raise DefinitionError(f"task {task.name!r}: {operand}: missing_at_most lies between 0 and {most - 1}.")


def _cycles(nodes: Mapping[TaskName, Node], makers: Mapping[AssetName, TaskName]) -> list[str]:
    """A walk from each task to those that make its inputs. Without recursion: a chain may be thousands of tasks long."""
    done: set[TaskName] = set()
    for first in nodes:
        path: dict[TaskName, Iterator[TaskName]] = {}
        name: TaskName | None = first
        while name is not None:
            if name in path:
                walked = list(path)
                loop = [*walked[walked.index(name) :], name]
                return [f"These tasks wait for each other in a circle, so none could ever start: {' -> '.join(loop)}."]
            if name not in done and name in nodes:
                path[name] = iter([makers[t.asset] for t in nodes[name].plan.terms if t.asset in makers])
            name = _next(path, done)
    return []


def _next(path: dict[TaskName, Iterator[TaskName]], done: set[TaskName]) -> TaskName | None:
    """The next task to look at; those whose makers were all looked at leave the path."""
    while path:
        last = next(reversed(path))
        following = next(path[last], None)
        if following is not None:
            return following
        done.add(last)
        del path[last]
    return None


def _check_sensors(sensors: list[AnySensor], wrong: list[str]) -> None:
    seen: dict[str, AnySensor] = {}
    for sensor in sensors:
        other = seen.setdefault(sensor.name, sensor)
        if other is not sensor:
            wrong.append(f"Two sensors are called {sensor.name!r}. Rename one, or give it name=...")
    hooks: dict[str, Webhook] = {}
    for hook in (s.source for s in sensors if isinstance(s.source, Webhook)):
        if hooks.setdefault(hook.path, hook) != hook:
            wrong.append(
                f"The webhook {hook.path} is declared with two secrets or styles. Give both sensors the same Webhook(...)."
            )


def _schemas(
    made: _Build, nodes: Mapping[TaskName, Node], schema_of: Callable[[object], Schema | None], wrong: list[str]
) -> dict[AssetName, Schema | None]:
    found: dict[AssetName, Schema | None] = {}
    for name, asset in made.assets.items():
        if asset.schema is None:
            continue
        try:
            found[name] = schema_of(asset.schema)
        except ReactorError as error:
            wrong.append(f"Asset {name!r}: its schema cannot be read: {error}")
    for node in nodes.values():
        for term in node.plan.terms:
            wrong.extend(_unknown_columns(node, term.operand, found))
    return found


def _unknown_columns(node: Node, operand: Operand, schemas: Mapping[AssetName, Schema | None]) -> Iterator[str]:
    declared = schemas.get(operand.asset)
    if not operand.uses or declared is None:
        return
    try:
        refuse_unknown(declared, operand.uses)
    except DefinitionError as error:
        yield f"{_at(node.task)}: task {node.name!r} uses columns of {operand.asset!r}: {error}"


def _gates(made: _Build, gates: Iterable[Gate], wrong: list[str]) -> dict[AssetName, tuple[Gate, ...]]:
    found: dict[AssetName, tuple[Gate, ...]] = {}
    seen: dict[str, Gate] = {}
    for gate in gates:
        if seen.setdefault(gate.name, gate) is not gate:
            wrong.append(f"Two gates are called {gate.name!r}. Rename one, or give it name=...")
        for asset in gate.assets:
            if asset not in made.assets:
                wrong.append(
                    f"Gate {gate.name!r} stands before {asset!r}, but no asset is called so.{nearest(asset, made.assets)}"
                )
            found[asset] = (*found.get(asset, ()), gate)
    return found


def _at(task: Task) -> str:
    return task.place or f"workflow {task.workflow}"
