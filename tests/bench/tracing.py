"""Rows: what it costs to trace runs. The collector is this process: it takes what comes over OTLP and counts it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.bench.broker import broker, fill
from tests.bench.definitions import no_op
from tests.bench.latency import paced
from tests.bench.measure import Figures, Size
from tests.bench.throughput import drained
from tests.services.otlp import OtlpReceiver

RATE = 1_000


class Counter(OtlpReceiver):
    """Keeps no span: a collector that is quick enough never to be what is measured."""

    count = 0

    def receive(self, request: ExportTraceServiceRequest) -> None:
        self.count += sum(len(scope.spans) for group in request.resource_spans for scope in group.scope_spans)


@contextmanager
def collector() -> Iterator[Counter]:
    counter = Counter()
    counter.start()
    try:
        yield counter
    finally:
        counter.stop()


async def at_1k(root: Path, size: Size) -> Figures:
    """A thousand runs a second over Kafka, once without a collector and once with one. `lost %`: the share of a core that tracing took, which is
    what the engine, on its one core, has no more for runs."""
    plain = await paced(RATE, root / "plain", size)
    with collector() as counter:
        traced = await paced(RATE, root / "traced", size, {"OTEL_EXPORTER_OTLP_ENDPOINT": counter.endpoint})
    cpu = "CPU us, each run"
    names = {"p50": "p50 ms", "p99": "p99 ms", cpu: cpu}
    beside = {
        f"{said}, {how}": found[name]
        for name, said in names.items()
        for how, found in (("plain", plain), ("traced", traced))
    }
    return {"lost %": (traced[cpu] - plain[cpu]) * RATE / 1e6 * 100, **beside, "spans": counter.count}


async def flat_out(root: Path, size: Size) -> Figures:
    """As many runs as there can be, from a Kafka that was filled before, once without a collector and once with one. (More than 1,000 traces a second
    are not written, and counted.)"""
    count = size.of(20_000, 4_000)
    (root / "plain").mkdir()
    async with broker(root) as kafka:
        await fill(kafka, [b"{}"] * count)
        plain = await drained(root / "plain", no_op("inline"), kafka, count, count)
        with collector() as counter:
            environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": counter.endpoint}
            traced = await drained(root / "traced", no_op("inline"), kafka, count, count, environ)
    lost = (1 - traced["runs/s"] / plain["runs/s"]) * 100
    return {
        "lost %": lost,
        "runs/s, plain": plain["runs/s"],
        "runs/s, traced": traced["runs/s"],
        "spans": counter.count,
    }
