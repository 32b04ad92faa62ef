"""Values for the store's tests, short to write: what a test does not name is of no interest to it."""

from __future__ import annotations

import msgspec

from reactor.model.events import DeadLetter, Dispose, Disposition, Item, Readiness, Status
from reactor.model.ids import (
    AssetName,
    EventId,
    Instant,
    Lane,
    PartitionKey,
    RunId,
    SensorName,
    SourceName,
    TaskName,
    WaitKey,
    WorkflowName,
)
from reactor.model.run import Attempt, Reason, Run, RunState
from reactor.model.slot import Slot, Wait
from reactor.store.base import Move, Span

SOURCE = SourceName("kafka:orders")
LANE = Lane("0")
ORDERS = AssetName("orders")
TASK = TaskName("build")
DAY = "2026-11-20"


def move(first: int, until: int, *, new: bool = False, lane: str = LANE, at: int = 0, **counts: int) -> Move:
    """A lane moves; what is not counted was ignored."""
    left = until - first - sum(counts.values())
    span = Span(SOURCE, Lane(lane), first, until, ignored=left, at=Instant(at), **counts)
    return Move(span, cursor=f"at {until}", first_time=new)


def event(
    seq: int, position: int = 0, *, asset: str = ORDERS, partition: str = DAY, at: int = 0, lane: str = LANE
) -> Readiness:
    return Readiness(
        seq,
        EventId(f"{lane}@{position}"),
        AssetName(asset),
        PartitionKey(partition),
        Status.OK,
        b'{"rows":812}',
        Instant(at),
        Instant(at),
        SOURCE,
        Lane(lane),
        position,
        SensorName("orders_closed"),
        traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
    )


def item(e: Readiness, operand: int = 0, *, used: bool = False) -> Item:
    return Item(operand, e.seq, e.id, e.asset, e.partition, 1, e.arrived, e.evidence, e.traceparent, used)


def slot(e: Readiness, version: int = 1, run: str = "") -> Slot:
    return Slot(e.asset, e.partition, version, e.seq, e.id, e.arrived, e.evidence, run)


def wait(*items: Item, task: str = TASK, key: str = DAY, generation: int = 0) -> Wait:
    return Wait(TaskName(task), WaitKey(key), generation, items, Instant(5), "digest")


def run(
    order: int,
    *items: Item,
    state: RunState = RunState.QUEUED,
    task: str = TASK,
    key: str = DAY,
    generation: int | None = None,
) -> Run:
    ended = None if state in (RunState.QUEUED, RunState.RUNNING, RunState.RETRYING) else Instant(order)
    return Run(
        RunId(f"run-{order:06}"),
        TaskName(task),
        WorkflowName("daily"),
        WaitKey(key),
        order if generation is None else generation,
        state,
        Reason.INPUTS,
        items,
        Instant(order),
        Instant(order),
        order,
        ended=ended,
    )


def ended(r: Run, state: RunState, at: int) -> Run:
    return msgspec.structs.replace(r, state=state, ended=Instant(at))


def attempt(r: Run, number: int = 1) -> Attempt:
    return Attempt(r.id, number, number, Instant(1), Instant(2), "succeeded", None, "inline")


def disposed(e: Readiness, outcome: Dispose = Dispose.FILTERED, task: str = TASK) -> Disposition:
    return Disposition(e.seq, task, outcome, "rows > 0 is not true", e.arrived)


def letter(position: int, *, at: int = 0, lane: str = LANE) -> DeadLetter:
    return DeadLetter(SOURCE, Lane(lane), position, "orders_closed", "ValueError: no day", "", b"{}", Instant(at))
