"""The names of things, as types: a signature that takes a `RunId` cannot be handed an asset's name by mistake.

They are told apart by the type checker alone. When the program runs they are `str` and `int`: a `NewType` is a Python function, and the hot path
would call dozens of them for each event.

- `PartitionKey`: one cut of an asset: `2026-11-20`, `2026-11-20T07`, `eu`. The empty string where the asset is not partitioned.
- `WaitKey`: what a rule is evaluated separately for: a partition, or the value of an event field. Empty where there is neither.
- `Lane`: a part of a source whose events have an order and a position of their own: a Kafka partition, a folder, a schedule.
- `Instant`: microseconds since 1970-01-01T00:00:00Z. Integers, so that two machines and two replays never round apart.
"""

from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    AssetName = NewType("AssetName", str)
    PartitionKey = NewType("PartitionKey", str)
    WaitKey = NewType("WaitKey", str)
    TaskName = NewType("TaskName", str)
    WorkflowName = NewType("WorkflowName", str)
    SensorName = NewType("SensorName", str)
    SourceName = NewType("SourceName", str)
    Lane = NewType("Lane", str)
    RunId = NewType("RunId", str)
    EventId = NewType("EventId", str)
    Owner = NewType("Owner", str)
    Instant = NewType("Instant", int)
else:
    AssetName = PartitionKey = WaitKey = TaskName = WorkflowName = SensorName = SourceName = Lane = RunId = EventId = (
        Owner
    ) = str
    Instant = int

NO_PARTITION = PartitionKey("")
NO_KEY = WaitKey("")


def topic_lane(topic: str) -> Lane:
    """The lane by which a topic of the embedded log is read."""
    return Lane(f"{topic}/0")
