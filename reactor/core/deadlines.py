"""Deadlines: when a partition of an asset should be there."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from reactor.core.graph import Graph
from reactor.model.asset import Asset
from reactor.model.duration import micros
from reactor.model.ids import AssetName, Instant, PartitionKey
from reactor.model.outcome import DeadlineDue
from reactor.model.partitions import TimePartitions, local, moment, time_of

LOOK_BACK = 400
"""Partitions that are judged at most after a long absence; older ones were judged before it, or are nobody's question any more."""


def due_at(asset: Asset, partition: PartitionKey) -> Instant | None:
    """When this partition is due: a local time of day on the day that its period ends, or a length of time after its end."""
    time = time_of(asset.partitions)
    if time is None or asset.due is None:
        return None
    end = time.end(partition)
    if ":" not in asset.due:
        return Instant(end + micros(asset.due))
    clock = datetime.strptime(asset.due, "%H:%M")
    day = moment(end, time.zone).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    due = local(day + timedelta(hours=clock.hour, minutes=clock.minute), time.zone)
    return due if due >= end else local(day + timedelta(days=1, hours=clock.hour, minutes=clock.minute), time.zone)


def between(graph: Graph, name: AssetName, after: Instant, until: Instant) -> list[DeadlineDue]:
    """The deadlines of an asset in (after, until], oldest first."""
    found: list[DeadlineDue] = []
    for key, due in _backwards(graph.assets[name], until):
        if due <= after:
            break
        if due <= until:
            found.append(DeadlineDue(name, key, due))
    return found[::-1]


def _backwards(asset: Asset, until: Instant) -> Iterator[tuple[PartitionKey, Instant]]:
    time = time_of(asset.partitions)
    if time is None or asset.due is None:
        return
    key = time.key_of(until)
    for _ in range(LOOK_BACK):
        if time.refuse(key) is not None:
            return
        due = due_at(asset, key)
        assert due is not None
        yield key, due
        key = time.previous(key)


def next_after(graph: Graph, now: Instant) -> Instant | None:
    """The next moment at which any asset has a deadline."""
    found: list[Instant] = []
    for asset in graph.assets.values():
        time = time_of(asset.partitions)
        if time is None or asset.due is None:
            continue
        found.append(_next_of(asset, time, now))
    return min(found, default=None)


def _next_of(asset: Asset, time: TimePartitions, now: Instant) -> Instant:
    """Walks to the oldest partition that is not due yet: a due date may lie many periods behind the period's end."""
    key = time.key_of(now)
    if time.refuse(key) is not None:
        key = PartitionKey(time.start)
    due = _due(asset, key)
    while due <= now:
        key = time.following(key)
        due = _due(asset, key)
    for _ in range(LOOK_BACK):
        before = time.previous(key)
        if time.refuse(before) is not None or _due(asset, before) <= now:
            break
        key, due = before, _due(asset, before)
    return due


def _due(asset: Asset, key: PartitionKey) -> Instant:
    due = due_at(asset, key)
    assert due is not None, "only asked of assets with a deadline"
    return due
