"""What happened, as the service tells it to telemetry."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from reactor.model.commands import Announced, Noted
from reactor.model.events import Item, Payload, RawEvent, Readiness, Record, Status
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
)  # fmt: skip
from reactor.model.run import Attempt, CheckResult, Reason, Run, RunState
from reactor.telemetry.base import Sensed

SECOND = 1_000_000
DAY = PartitionKey("2026-11-20")
BODY = b'{"day": "2026-11-20"}'


def span(number: int, trace: int = 1, flags: str = "01") -> str:
    """The context of the n-th span of a trace."""
    return f"00-{trace:032x}-{number:016x}-{flags}"


PRODUCER, PROCESS, SENSOR, READY, OTHER = span(1), span(2), span(3), span(4), span(4, trace=2)
RUN, ATTEMPT, OUTPUT = span(5), span(6), span(7)


def sensed(payload: Payload | None = None, **more: Any) -> Sensed:
    record = payload if payload is not None else Record("shop.days", 3, 41, Instant(0), b"k", BODY)
    found = Sensed(
        SourceName("kafka:shop.days"), Lane("shop.days/3"), RawEvent(record, 41, "id-41", PRODUCER), SensorName("orders_closed"),
        Instant(10), Instant(14), PROCESS, SENSOR, (("orders", DAY, READY),),
    )  # fmt: skip
    return replace(found, **more)


def item(asset: str, context: str | None, evidence: bytes = b"{}") -> Item:
    return Item(0, 1, EventId("e"), AssetName(asset), DAY, 2, Instant(5), evidence, context)


def run(state: RunState = RunState.SUCCEEDED, **more: Any) -> Run:
    made = Run(
        RunId("01run"), TaskName("build"), WorkflowName("daily"), WaitKey(DAY), 1, state, Reason.INPUTS,
        (item("refunds", OTHER), item("orders", READY), item("rates", None)), Instant(20), Instant(5), 1, digest="d1g",
        traceparent=RUN, parent=READY, started=Instant(25), ended=Instant(60),
    )  # fmt: skip
    return replace(made, **more)


def attempt(result: str = "succeeded", **more: Any) -> Attempt:
    checks = (CheckResult("row_count", True, True, "812 rows"),)
    made = Attempt(
        RunId("01run"), 1, 1, Instant(30), Instant(55), result, None, "inline", checks=checks, traceparent=ATTEMPT
    )
    return replace(made, **more)


def noted(*, trace: int = 1, at: int = 0) -> Noted:
    """A run that succeeded, in a trace of its own, `at` microseconds later."""
    context, under = span(5, trace), span(6, trace)
    return Noted(run(traceparent=context, parent=None), attempt(traceparent=under, ended=Instant(55 + at)))


def announced(**more: Any) -> Announced:
    readiness = Readiness(
        9, EventId("e9"), AssetName("revenue"), DAY, Status.OK, b"{}", Instant(61), Instant(61), SourceName("tasks"), Lane("0"),
        0, SensorName("task build"), run="01run", traceparent=OUTPUT,
    )  # fmt: skip
    return replace(Announced(readiness, 3, RUN), **more)
