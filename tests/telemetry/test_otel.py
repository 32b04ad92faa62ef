"""Spans reach a collector; one that is slow, hangs or is away costs spans, which are counted, and never a moment of the service (G15)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial

import pytest
from msgspec.structs import replace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from reactor.model.commands import Noted
from reactor.model.errors import ConfigError
from reactor.model.events import CloudEvent, RawEvent, Record, Row
from reactor.model.ids import Instant
from reactor.model.run import CheckResult, RunState
from reactor.telemetry import otel
from reactor.telemetry.otel import OtelTraces, from_environment, resource, wanted
from reactor.telemetry.readable import Readables
from reactor.telemetry.redact import Redactor
from reactor.telemetry.sampling import Keep, Sampler
from reactor.telemetry.slim import SMALL, slim_noted, slim_sensed
from tests.services.otlp import OtlpReceiver
from tests.services.wait import eventually
from tests.telemetry.collectors import closed, hanging, slow
from tests.telemetry.facts import (
    BODY,
    OUTPUT,
    PRODUCER,
    READY,
    RUN,
    SECOND,
    announced,
    attempt,
    item,
    noted,
    run,
    sensed,
    span,
)  # fmt: skip

TRACE = RUN[3:35]
REDACT = Redactor(["hunter2-hunter2"])
Settle = Callable[[str, str], None]


@pytest.fixture
def settle(monkeypatch: pytest.MonkeyPatch) -> Settle:
    """Sets a variable of the environment, as its user does. None of the machine's own is left."""
    for name in (
        "SERVICE_NAME",
        "RESOURCE_ATTRIBUTES",
        "TRACES_SAMPLER",
        "TRACES_SAMPLER_ARG",
        "EXPORTER_OTLP_PROTOCOL",
    ):
        monkeypatch.delenv(f"OTEL_{name}", raising=False)
    return monkeypatch.setenv


@asynccontextmanager
async def telling(environ: dict[str, str], limit: float = 3.0) -> AsyncIterator[OtelTraces]:
    traces = from_environment(environ, "1.2.3", REDACT, None)
    try:
        yield traces
    finally:
        await traces.close(limit)


def in_memory(keep: Keep | None = None) -> tuple[OtelTraces, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    return OtelTraces(exporter, Readables(Resource({}), REDACT), keep or Keep(Sampler(1.0, by_parent=True))), exporter


def lost(traces: OtelTraces, number: int) -> bool:
    return traces.dropped == number


async def names(traces: OtelTraces, exporter: InMemorySpanExporter) -> list[str]:
    await traces.close(3.0)
    return [s.name for s in exporter.get_finished_spans()]


# --- a collector that is well


async def test_what_happened_arrives_as_it_was_with_the_ids_that_were_fixed(otlp: OtlpReceiver, settle: Settle) -> None:
    settle("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.endpoint)
    async with telling({}) as traces:
        traces.sensed([sensed()])
        traces.noted([Noted(run(), attempt())])
        traces.announced([announced()])
        spans = {s.name: s for s in await otlp.trace(TRACE, spans=7)}
    assert spans["process shop.days"].parent_id == PRODUCER[36:52]
    assert spans["ready orders"].span_id == READY[36:52]
    assert (spans["RUN daily"].span_id, spans["RUN daily"].parent_id) == (RUN[36:52], READY[36:52])
    assert (spans["ready revenue"].span_id, spans["ready revenue"].parent_id) == (OUTPUT[36:52], RUN[36:52])
    assert (spans["RUN daily"].start, spans["RUN daily"].end) == (20_000, 60_000), "nanoseconds"
    assert [k.trace_id for k in spans["RUN daily"].links] == [f"{2:032x}"]
    assert [e.name for e in spans["task build"].events] == ["check row_count"]
    assert spans["RUN daily"].resource["service.name"] == "reactor"
    assert spans["RUN daily"].resource["service.version"] == "1.2.3"
    assert spans["RUN daily"].status == "unset"
    assert traces.dropped == 0


async def test_what_was_told_last_is_sent_before_the_end(otlp: OtlpReceiver, settle: Settle) -> None:
    settle("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.endpoint)
    async with telling({}) as traces:
        traces.noted([noted(trace=n) for n in range(1, 301)])
        began = time.perf_counter()
    assert time.perf_counter() - began < 2, "it ends when all is sent, and not when its time is up"
    assert len(otlp.spans) == 900
    assert traces.dropped == 0


async def test_a_failure_says_why_and_no_text_of_a_span_holds_a_secret(otlp: OtlpReceiver, settle: Settle) -> None:
    settle("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.endpoint)
    planted = "OSError: hunter2-hunter2 and password=hunter2-too"
    checks = (CheckResult("reach", False, True, planted),)
    failed = attempt("failed", error=planted, checks=checks)
    async with telling({}) as traces:
        traces.noted([Noted(run(RunState.FAILED, error=planted, key=planted), failed)])
        spans = await otlp.trace(TRACE, spans=3)
    assert {s.name: s.status for s in spans} == {"task build": "error", "wait build": "unset", "RUN daily": "error"}
    assert "hunter2" not in str(spans)


# --- what comes from outside


@pytest.mark.parametrize("bad", ["", "garbage", "00-zz-zz-01", "é" * 55, span(1)[:-1]])
async def test_one_malformed_context_costs_its_own_spans_and_no_others(bad: str) -> None:
    traces, exporter = in_memory()
    traces.sensed([sensed(process=bad)])
    traces.noted([Noted(run(parent=bad, inputs=(item("x", bad),)), attempt(traceparent=bad))])
    traces.announced([announced(readiness=replace(announced().readiness, traceparent=bad))])
    await eventually(lambda: not traces._queue)
    traces.noted([noted(trace=9)])
    assert await names(traces, exporter) == ["wait build", "RUN daily", "task build", "wait build", "RUN daily"]
    assert traces.dropped == 3


async def test_a_producer_that_did_not_sample_its_trace_is_respected_but_a_failure_is_told() -> None:
    traces, exporter = in_memory()
    off = span(2, flags="00")
    traces.sensed([sensed(process=off)])
    quiet, failed = span(5, 3, "00"), span(5, 4, "00")
    traces.noted([Noted(run(traceparent=quiet), attempt())])
    traces.noted([Noted(run(RunState.FAILED, traceparent=failed), attempt("failed", error="OSError: gone"))])
    assert await names(traces, exporter) == ["task build", "wait build", "RUN daily"]
    assert traces.dropped == 0, "what was not asked for is not lost"


async def test_above_the_rate_traces_are_left_out_whole_and_counted() -> None:
    traces, exporter = in_memory(Keep(Sampler(1.0, by_parent=True), most=10))
    traces.noted([noted(trace=n) for n in range(1, 31)])
    traces.noted([Noted(run(RunState.FAILED, traceparent=span(5, 50)), attempt("failed", traceparent=span(6, 50)))])
    assert len(await names(traces, exporter)) == 11 * 3
    assert traces.dropped == 20


def test_what_waits_to_be_sent_holds_no_bodies() -> None:
    """A queue of 20,000 would else be 20,000 times the largest record while a collector hangs."""
    record = slim_sensed(sensed(Record("t", 0, 1, Instant(0), b"k", BODY, (("h", BODY),)))).event.payload
    assert isinstance(record, Record)
    assert (record.topic, record.offset, record.body, record.key, record.headers) == ("t", 1, None, None, ())
    event = slim_sensed(sensed(CloudEvent("e", "/s", "t", data={"big": "x" * 1000}))).event
    assert event == RawEvent(CloudEvent("e", "/s", "t"), 41, "id-41", PRODUCER)
    assert slim_sensed(sensed(Row({"big": "x"}, 7))).event.payload == Row({}, None)
    (kept,) = slim_noted(Noted(run(inputs=(item("a", READY, b"x" * (SMALL + 1)),)), attempt())).run.inputs
    assert (kept.evidence, kept.traceparent, kept.version) == (b"", READY, 2)
    small = noted()
    assert slim_noted(small) is small


async def test_nothing_that_waits_in_the_queue_holds_a_body() -> None:
    traces, exporter = in_memory()
    traces.sensed([sensed()])
    traces.noted([Noted(run(inputs=(item("a", READY, b"x" * 1000),)), attempt())])
    waiting = repr(list(traces._queue))
    assert "xxxx" not in waiting and BODY.decode() not in waiting
    assert len(await names(traces, exporter)) == 6


# --- a collector that is unwell


@pytest.mark.parametrize("unwell", [hanging, closed, partial(slow, 0.5)], ids=["hangs", "is away", "is slow"])
async def test_it_costs_spans_and_neither_the_caller_nor_the_end_waits_for_it(
    unwell: Callable[[], AbstractContextManager[str]],
    settle: Settle,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(otel, "QUEUE", 1_000)
    caplog.set_level(logging.WARNING, "reactor")
    with unwell() as endpoint:
        settle("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        traces = from_environment({}, "1", REDACT, None)
        longest = 0.0
        for second in range(300):
            told = [noted(trace=1 + second * 10 + n, at=second * SECOND) for n in range(10)]
            began = time.perf_counter()
            traces.noted(told)
            longest = max(longest, time.perf_counter() - began)
            assert len(traces._queue) <= 1_000
            await asyncio.sleep(0)
        began = time.perf_counter()
        await traces.close(0.5)
        took = time.perf_counter() - began
    assert longest < 0.1
    assert took < 1.5, "half a second is the limit that was given"
    assert traces.dropped >= 2_000
    assert "were not sent" in caplog.text or "were lost" in caplog.text


async def test_losses_are_said_once_a_minute_and_not_for_each_batch(
    otlp: OtlpReceiver, settle: Settle, caplog: pytest.LogCaptureFixture
) -> None:
    otlp.status = 400
    settle("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.endpoint)
    caplog.set_level(logging.WARNING, "reactor")
    async with telling({}) as traces:
        for n in range(1, 4):
            traces.noted([noted(trace=n)])
            await eventually(partial(lost, traces, 3 * n))
    ours = [r.message for r in caplog.records if r.name.startswith("reactor")]
    assert [m[:18] for m in ours] == ["3 spans were lost "]
    assert otlp.refused == 3


async def test_it_goes_on_when_the_collector_is_well_again(otlp: OtlpReceiver, settle: Settle) -> None:
    otlp.status = 400
    settle("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.endpoint)
    async with telling({}) as traces:
        traces.noted([noted(trace=1)])
        await eventually(lambda: traces.dropped == 3)
        otlp.status = 200
        traces.noted([noted(trace=2)])
        await otlp.trace(f"{2:032x}", spans=3)
    assert traces.dropped == 3


# --- the environment


def test_who_sends_is_said_by_the_environment(settle: Settle) -> None:
    assert dict(resource("1").attributes).items() >= {"service.name": "reactor", "service.version": "1"}.items()
    settle("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop,deployment.environment.name=prod")
    found = {"service.name": "shop", "deployment.environment.name": "prod", "service.version": "1"}
    assert dict(resource("1").attributes).items() >= found.items()
    settle("OTEL_SERVICE_NAME", "shop-2")
    assert resource("1").attributes["service.name"] == "shop-2"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318", "OTEL_TRACES_SAMPLER": "always_off"}, False),
    ],
)
def test_there_are_traces_only_where_a_collector_is_named(environ: dict[str, str], expected: bool) -> None:
    assert wanted(environ) is expected


async def test_a_protocol_that_is_not_spoken_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"http/protobuf only.*4318"):
        from_environment({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "1", REDACT, None)
