"""Spans to a collector, over OTLP/HTTP, from a thread of its own.

What is told is put into a bounded queue and nothing more; the thread makes spans of it and sends them. A collector that is slow, hangs or is away
costs spans, which are counted, and never a moment of the service (G15).
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link as OtelLink
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode

from reactor.model.commands import Announced, Noted
from reactor.telemetry.base import Counted, Sensed
from reactor.telemetry.sampling import Sampled, sampler
from reactor.telemetry.spans import Span, of_announced, of_noted, of_sensed

log = logging.getLogger(__name__)

QUEUE = 50_000
"""Things told that may wait to become spans."""
BATCH = 512
LINGER = 0.2
"""Seconds that the thread waits for company."""
_KINDS = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER, "consumer": SpanKind.CONSUMER}
Told = Sensed | Noted | Announced
Redact = Callable[[str], str]


class OtelTraces:
    """See `reactor.telemetry.base.Telemetry`. `dropped` counts the things told that became no span at a collector."""

    traces = True

    def __init__(self, resource: Resource, exporter: SpanExporter, sampled: Sampled, redact: Redact) -> None:
        self.dropped = 0
        self._resource, self._exporter, self._sampled, self._redact = resource, exporter, sampled, redact
        self._scope = InstrumentationScope("reactor")
        self._queue: deque[Told] = deque()
        self._wake = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._stopping = False
        self._warned = False
        self._thread = threading.Thread(target=self._work, name="traces", daemon=True)
        self._thread.start()

    def sensed(self, found: Sequence[Sensed]) -> None:
        self._put(found)

    def counted(self, counts: Sequence[Counted]) -> None: ...

    def announced(self, made: Sequence[Announced]) -> None:
        self._put([m for m in made if m.parent is not None])

    def noted(self, ended: Sequence[Noted]) -> None:
        self._put(ended)

    def _put(self, told: Sequence[Told]) -> None:
        room = QUEUE - len(self._queue)
        self.dropped += max(0, len(told) - room)
        self._queue.extend(told[: max(room, 0)])
        if told and not self._wake.is_set():
            self._wake.set()

    async def close(self, timeout: float) -> None:
        """Gives the thread `timeout` seconds to send what it has. It is a daemon: a collector that hangs keeps nobody."""
        self._stopping = True
        self._wake.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._ended.wait()
        left = len(self._queue)
        if left:
            self.dropped += left
            log.warning("%d spans were not sent before the end: the collector took too long.", left)

    # --- in the thread

    def _work(self) -> None:
        try:
            self._send_all()
        finally:
            with suppress(RuntimeError):  # the loop did not wait for us
                self._loop.call_soon_threadsafe(self._ended.set)

    def _send_all(self) -> None:
        while True:
            self._wake.wait()
            if not self._stopping:
                self._wake.clear()
                self._pause()
            while self._queue:
                self._send([self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))])
            if self._stopping:
                return

    def _pause(self) -> None:
        threading.Event().wait(LINGER)

    def _send(self, told: list[Told]) -> None:
        spans = [self._readable(s) for t in told for s in _spans(t) if self._sampled(s.context) or s.error is not None]
        if not spans:
            return
        try:
            good = self._exporter.export(spans) is SpanExportResult.SUCCESS
        except Exception as error:  # noqa: BLE001 - whatever a client library raises costs spans, not the service
            log.debug("spans could not be sent: %s", error)
            good = False
        if good:
            self._warned = False
            return
        self.dropped += len(told)
        if not self._warned:
            log.warning(
                "Spans could not be sent to the collector and were dropped; they are counted in reactor_spans_dropped_total."
            )
            self._warned = True

    def _readable(self, span: Span) -> ReadableSpan:
        error = self._redact(span.error) if span.error is not None else None
        return ReadableSpan(
            name=span.name,
            context=_context(span.context),
            parent=_context(span.parent) if span.parent is not None else None,
            resource=self._resource,
            attributes={k: self._redact(v) if isinstance(v, str) else v for k, v in span.attributes.items()},
            events=[Event(m.name, dict(m.attributes), m.at * 1000) for m in span.marks],
            links=[OtelLink(_context(k.context), dict(k.attributes)) for k in span.links],
            kind=_KINDS[span.kind],
            status=Status(StatusCode.ERROR, error[:2000]) if error is not None else Status(StatusCode.UNSET),
            start_time=span.start * 1000,
            end_time=max(span.end, span.start) * 1000,
            instrumentation_scope=self._scope,
        )


def _spans(told: Told) -> list[Span]:
    match told:
        case Sensed():
            return of_sensed(told)
        case Noted():
            return of_noted(told)
        case Announced():
            return of_announced(told)


def _context(traceparent: str) -> SpanContext:
    _, trace, span, flags = traceparent.split("-")[:4]
    return SpanContext(int(trace, 16), int(span, 16), True, TraceFlags(int(flags, 16)), TraceState())


def from_environment(environ: Mapping[str, str], version: str, redact: Redact) -> OtelTraces:
    """The exporter that the standard `OTEL_*` variables describe: endpoint, headers, service name, resource attributes, sampler."""
    resource = Resource.create(
        {"service.name": environ.get("OTEL_SERVICE_NAME", "reactor"), "service.version": version}
    )
    return OtelTraces(resource, OTLPSpanExporter(), sampler(environ), redact)


def wanted(environ: Mapping[str, str]) -> bool:
    """Whether the environment names a collector."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    return bool(environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
