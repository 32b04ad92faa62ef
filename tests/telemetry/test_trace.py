"""One causal trace: from the producer's own span through sensor, readiness, the waiting and the run, to the last task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from reactor.project.config import load_settings
from reactor.project.load import load
from reactor.store.base import RunFilter
from reactor.web.runner import Runner, make_service
from tests.services.jaeger import Jaeger
from tests.services.otlp import OtlpReceiver
from tests.services.spans import Span
from tests.services.wait import eventually

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PRODUCER = f"00-{TRACE}-00f067aa0ba902b7-01"
SENSORS = """
from reactor import Asset, CloudEvent, Dynamic, Http, Ready, sensor

order = Dynamic("order")
paid, packed = Asset("paid", order), Asset("packed", order)

@sensor(Http("paid"))
def on_paid(event: CloudEvent) -> Ready:
    return paid.ready(event.data["order"])

@sensor(Http("packed"))
def on_packed(event: CloudEvent) -> Ready:
    return packed.ready(event.data["order"])
"""
WORKFLOWS = """
from reactor import Asset, Retry, Run, Workflow
from sensors.shop import order, packed, paid

shipped = Asset("shipped", order)
shop = Workflow("shop", owner="shop@example.com", retry=Retry(attempts=2, first="10ms"))

@shop.task(inputs=paid & packed, outputs=shipped)
async def ship(run: Run) -> None:
    if run.attempt == 1:
        raise OSError("the printer is jammed, password=hunter2-of-old")

@shop.task(inputs=shipped)
async def tell(run: Run) -> None: ...
"""
EXPECTED = """\
process packed consumer
  sensor on_packed internal
    ready packed internal
      RUN shop server
        ready shipped internal
          RUN shop server
            task tell internal
            wait tell internal
        task ship internal
        task ship internal
        wait ship internal"""


def shape(spans: Iterable[Span]) -> str:
    """The tree with children by name: their times are close, and no promise."""
    names = {s.span_id: s for s in spans}

    def add(span: Span, depth: int) -> list[str]:
        children = sorted((s for s in names.values() if s.parent_id == span.span_id), key=lambda s: s.name)
        return ["  " * depth + f"{span.name} {span.kind}", *(line for c in children for line in add(c, depth + 1))]

    return "\n".join(line for s in names.values() if s.parent_id not in names for line in add(s, 0))


def project(folder: Path) -> Path:
    for name, text in (("sensors/shop.py", SENSORS), ("workflows/shop.py", WORKFLOWS)):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@asynccontextmanager
async def running(root: Path) -> AsyncIterator[Runner]:
    settings = load_settings(root, flags={"port": 0}).settings
    runner = await make_service(settings, load(root))
    await runner.open()
    try:
        yield runner
    finally:
        await runner.close()


async def post(runner: Runner, kind: str, id: str, trace: str | None) -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": id,
        "ce-source": "/shop",
        "ce-type": kind,
        "content-type": "application/json",
    }
    headers |= {"authorization": f"Bearer {runner.token}"} | ({"traceparent": trace} if trace else {})
    async with httpx.AsyncClient(base_url=runner.url) as client:
        answer = await client.post("/events", json={"order": "7"}, headers=headers)
    assert answer.status_code == 202, answer.text


async def play(runner: Runner) -> None:
    await post(runner, "paid", "p1", None)
    await post(runner, "packed", "p2", PRODUCER)
    reader = await runner.assembly.reader()

    async def done() -> bool:
        return [str(r.state) for r in await reader.runs(RunFilter())] == ["succeeded", "succeeded"]

    await eventually(done)


async def test_the_last_input_is_the_runs_parent_and_the_others_are_links(
    tmp_path: Path, otlp: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.endpoint)
    async with running(project(tmp_path)) as runner:
        await play(runner)
        spans = await otlp.trace(TRACE, spans=11)
        async with httpx.AsyncClient(base_url=runner.url) as client:
            numbers = (await client.get("/metrics")).text
    assert shape(spans) == EXPECTED
    by_name = {s.name: s for s in spans}
    assert by_name["process packed"].parent_id == PRODUCER[36:52]
    runs = sorted((s for s in spans if s.name == "RUN shop"), key=lambda s: s.start)
    assert [k.trace_id for k in runs[0].links if k.trace_id != TRACE], (
        "the other input has a trace of its own, and is a link"
    )
    assert runs[0].attributes["cicd.pipeline.result"] == "success"
    attempts = [s for s in spans if s.name == "task ship"]
    assert sorted(str(a.attributes["cicd.pipeline.task.run.result"]) for a in attempts) == ["failure", "success"]
    assert (
        {a.attributes["reactor.owner"] for a in attempts}
        == {runs[0].attributes["reactor.owner"]}
        == {"shop@example.com"}
    )
    assert "hunter2" not in str(spans)
    assert 'reactor_runs_total{result="succeeded",task="ship"} 1.0' in numbers
    assert 'reactor_partitions{asset="shipped",state="ready"} 1.0' in numbers
    assert 'reactor_asset_freshness_seconds{asset="paid"} ' in numbers
    assert 'reactor_events_total{outcome="ready",source="http:paid"} 1.0' in numbers


async def test_a_trace_that_the_ratio_leaves_out_tells_its_tasks_so(
    tmp_path: Path, otlp: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.endpoint)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    async with running(project(tmp_path)) as runner:
        await post(runner, "packed", "p2", None)
        await post(runner, "paid", "p1", None)
        reader = await runner.assembly.reader()

        async def handed() -> list[str]:
            return [r.attempt_traceparent or "" for r in await reader.runs(RunFilter()) if r.ended is not None]

        await eventually(lambda: _is_two(handed))
        assert [context[-3:] for context in await handed()] == ["-00", "-00"]


async def _is_two(handed: Callable[[], Awaitable[list[str]]]) -> bool:
    return len(await handed()) == 2


async def test_the_trace_is_seen_in_jaeger(tmp_path: Path, jaeger: Jaeger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", jaeger.endpoint)
    async with running(project(tmp_path)) as runner:
        await play(runner)
        assert shape(await jaeger.trace(TRACE, spans=11)) == EXPECTED


async def test_a_collector_that_is_away_costs_spans_and_nothing_else(
    tmp_path: Path, otlp: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    otlp.status = 400
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.endpoint)
    async with running(project(tmp_path)) as runner:
        await play(runner)
        await eventually(lambda: runner.assembly.telemetry.dropped > 0)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 5


async def test_without_a_collector_there_are_no_traces(tmp_path: Path) -> None:
    async with running(project(tmp_path)) as runner:
        assert not runner.assembly.telemetry.traces
