"""The graph: definitions compiled to look-ups. `build.py` makes it.

An index from an asset to the rules that name it: the cost of an event grows with the rules that it concerns, never with all rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from reactor.core.plan import Plan, Term
from reactor.model.asset import Asset
from reactor.model.events import Json
from reactor.model.gate import Gate
from reactor.model.ids import NO_KEY, AssetName, Instant, PartitionKey, TaskName, WaitKey, WorkflowName
from reactor.model.partitions import Partitions, Static, time_of
from reactor.model.schema import Schema
from reactor.model.sensor import AnySensor
from reactor.model.workflow import Task, Workflow


@dataclass(frozen=True, eq=False)
class Node:
    """A task with its compiled rule."""

    task: Task
    plan: Plan
    partitions: Partitions | None
    by_partition: bool
    """Its key is a partition: never two runs of one at once, and later requests merge."""
    digest: str

    @cached_property
    def name(self) -> TaskName:
        return self.task.name

    @cached_property
    def outputs(self) -> tuple[AssetName, ...]:
        return tuple(AssetName(a.name) for a in self.task.outputs)


@dataclass(frozen=True, eq=False)
class Graph:
    """All definitions of a project, checked and indexed."""

    assets: Mapping[AssetName, Asset]
    workflows: Mapping[WorkflowName, Workflow]
    sensors: tuple[AnySensor, ...]
    nodes: Mapping[TaskName, Node]
    consumers: Mapping[AssetName, tuple[tuple[Node, tuple[Term, ...]], ...]]
    makers: Mapping[AssetName, TaskName]
    schedules: tuple[AssetName, ...]
    gates: Mapping[AssetName, tuple[Gate, ...]] = field(default_factory=dict)
    schemas: Mapping[AssetName, Schema | None] = field(default_factory=dict)
    """Assets whose schema is looked at, with what was declared; None: what was accepted last."""
    warnings: tuple[str, ...] = ()

    @cached_property
    def unlimited(self) -> frozenset[TaskName]:
        """Tasks that no limit holds back: nothing is counted for them."""
        free = [
            n for n in self.nodes.values() if n.task.limit is None and self.workflows[n.task.workflow].limit is None
        ]
        return frozenset(n.name for n in free)

    def owner_of(self, asset: AssetName) -> str:
        """The asset's owner, else its maker's, else that of a task that waits for it."""
        known = self.assets.get(asset)
        if known is not None and known.owner:
            return known.owner
        maker = self.makers.get(asset)
        if maker is not None:
            return self.nodes[maker].task.owner
        return next((node.task.owner for node, _ in self.consumers.get(asset, ())), "")

    def keys(
        self, node: Node, term: Term, partition: PartitionKey, fields: Mapping[str, Json] | None
    ) -> tuple[WaitKey, ...]:
        """What the rule is evaluated for when this term's asset announces this partition. Empty: it cannot be told."""
        rule = node.plan.rule
        if rule.key_field is not None:
            value = fields.get(rule.key_field) if fields is not None else None
            if type(value) is str:
                return (WaitKey(value),)
            return () if value is None or isinstance(value, (dict, list)) else (WaitKey(_text(value)),)
        if term.scheduled:
            return _tick_keys(node.partitions, partition)
        if node.partitions is None:
            return (NO_KEY,)
        if term.operand.rollup is not None:
            unit, fine = time_of(term.operand.rollup.unit), time_of(self.assets[term.asset].partitions)
            assert unit is not None and fine is not None
            return (WaitKey(unit.key_of(fine.begin(partition))),)
        return (WaitKey(partition),)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _tick_keys(partitions: Partitions | None, slot: PartitionKey) -> tuple[WaitKey, ...]:
    time = time_of(partitions)
    if time is not None:
        return (WaitKey(time.newest_finished(Instant(int(slot)))),)
    return tuple(WaitKey(k) for k in partitions.keys) if isinstance(partitions, Static) else (NO_KEY,)
