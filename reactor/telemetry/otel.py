"""Spans to a collector, over OTLP/HTTP, from a thread of its own.

What is told is put into a bounded queue and nothing more; the thread makes spans of it and sends them. A collector that is slow, hangs or is away
costs spans, which are counted, and never a moment of the service (G15).
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from reactor.model.commands import Announced, Noted
from reactor.model.errors import ConfigError
from reactor.model.ports import Redact
from reactor.telemetry.base import Counted, Sensed
from reactor.telemetry.readable import Readables
from reactor.telemetry.sampling import Keep, sampler
from reactor.telemetry.slim import slim_noted, slim_sensed
from reactor.telemetry.spans import Span, of_announced, of_noted, of_sensed

log = logging.getLogger(__name__)

QUEUE = 20_000
"""Things told that may wait to become spans."""
BATCH = 512
"""Spans in one request."""
LINGER = 0.2
"""Seconds that the thread waits for company."""
SAY_EVERY = 60
"""Seconds between two lines about spans that were lost."""
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
Told = Sensed | Noted | Announced


class OtelTraces:
    """See `reactor.telemetry.base.Telemetry`. Called from the loop alone."""

    traces = True

    def __init__(self, exporter: SpanExporter, readables: Readables, keep: Keep, group: str | None = None) -> None:
        self._exporter, self._readables, self._keep, self._group = exporter, readables, keep, group
        self._overrun = 0
        self._unsent = 0
        self._sending = 0
        self._queue: deque[Told] = deque()
        self._wake, self._hurry = threading.Event(), threading.Event()
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._said, self._say_from = 0, float("-inf")
        self._thread = threading.Thread(target=self._work, name="traces", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """What was lost for the queue, the collector or the rate. What the sampler was asked to leave out is not lost."""
        return self._overrun + self._unsent + self._keep.refused

    def sensed(self, found: Sequence[Sensed]) -> None:
        keep = self._keep
        self._put([slim_sensed(f) for f in found if keep(f.process, f.ended, incoming=f.event.traceparent)])

    def flagged(self, context: str, incoming: str | None) -> str:
        return self._keep.flagged(context, incoming)

    def counted(self, counts: Sequence[Counted]) -> None: ...

    def announced(self, made: Sequence[Announced]) -> None:
        self._put([m for m in made if m.parent is not None and self._keep(m.parent, m.readiness.arrived)])

    def noted(self, ended: Sequence[Noted]) -> None:
        self._put([slim_noted(n) for n in ended if self._wanted(n)])

    def _wanted(self, ended: Noted) -> bool:
        context, attempt = ended.run.traceparent, ended.attempt
        failed = attempt is not None and attempt.result not in ("succeeded", "cancelled")
        at = attempt.ended if attempt is not None else ended.run.ended
        return context is not None and at is not None and self._keep(context, at, failed=failed)

    def _put(self, told: Sequence[Told]) -> None:
        if not told:
            return
        room = max(QUEUE - len(self._queue), 0)
        self._overrun += max(0, len(told) - room)
        self._queue.extend(told[:room])
        if not self._wake.is_set():
            self._wake.set()

    async def close(self, timeout: float) -> None:
        """Gives the thread `timeout` seconds to send what it has. It is a daemon: a collector that hangs keeps nobody."""
        self._hurry.set()
        self._wake.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._ended.wait()
        self._exporter.shutdown()  # a thread that waits for the next try is woken by it
        left = len(self._queue) + self._sending
        if left:
            self._queue.clear()
            self._unsent += left
            log.warning(
                "%d or more spans were not sent within %g s before the end: the collector at OTEL_EXPORTER_OTLP_ENDPOINT is away or slow.",
                left,
                timeout,
            )

    # --- in the thread

    def _work(self) -> None:
        try:
            while True:
                self._wake.wait()
                self._wake.clear()
                last = self._hurry.wait(LINGER)
                self._send_all()
                if last:
                    return
        finally:
            with suppress(RuntimeError):  # the loop did not wait for us
                self._loop.call_soon_threadsafe(self._ended.set)

    def _send_all(self) -> None:
        batch: list[Span] = []
        for span in self._spans():
            batch.append(span)
            if len(batch) >= BATCH:
                self._send(batch)
                batch = []
        if batch:
            self._send(batch)
        self._say_losses()

    def _spans(self) -> Iterator[Span]:
        while self._queue:
            try:
                yield from _spans_of(self._queue.popleft(), self._group)
            except Exception as error:  # noqa: BLE001 - it is lost alone, and takes neither the thread nor another with it
                self._unsent += 1
                log.debug("something told could not be made a span: %r", error)

    def _send(self, batch: list[Span]) -> None:
        self._sending, sent = len(batch), 0
        try:
            spans = self._readables.make(batch)
            if self._exporter.export(spans) is SpanExportResult.SUCCESS:
                sent = len(spans)
        except Exception as error:  # noqa: BLE001 - whatever a client library raises costs spans, not the service
            log.debug("spans could not be sent: %s", error)
        self._unsent += len(batch) - sent
        self._sending = 0

    def _say_losses(self) -> None:
        """At most once a minute: a collector that is away for a day is not worth a day of lines."""
        lost, now = self.dropped, self._loop.time()
        if lost == self._said or now < self._say_from:
            return
        log.warning(
            "%d spans were lost since this was last said: %d in all because the collector did not take them, %d because too many waited for "
            "it, %d because there were more traces than are written in a second. No work was lost or delayed. See that the collector at "
            "OTEL_EXPORTER_OTLP_ENDPOINT answers; for less, set OTEL_TRACES_SAMPLER=parentbased_traceidratio. They are counted in "
            "reactor_spans_dropped_total.",
            lost - self._said, self._unsent, self._overrun, self._keep.refused,
        )  # fmt: skip
        self._said, self._say_from = lost, now + SAY_EVERY


def _spans_of(told: Told, group: str | None) -> list[Span]:
    match told:
        case Sensed():
            return of_sensed(told, group)
        case Noted():
            return of_noted(told)
        case Announced():
            return of_announced(told)


def from_environment(environ: Mapping[str, str], version: str, redact: Redact, group: str | None) -> OtelTraces:
    """The exporter that the standard `OTEL_*` variables describe: endpoint, headers, service name, resource attributes, sampler. `group`: the
    service's own among Kafka's consumer groups.

    Raises:
        ConfigError: a variable asks for what there is not.
    """
    for name in _PROTOCOLS:
        if environ.get(name, "http/protobuf") != "http/protobuf":
            raise ConfigError(
                f"{name}={environ[name]!r}, but spans are sent as http/protobuf only. Unset it, and name the collector's HTTP port, "
                "4318 as a rule, in OTEL_EXPORTER_OTLP_ENDPOINT."
            )
    return OtelTraces(OTLPSpanExporter(), Readables(resource(version), redact), Keep(sampler(environ)), group)


def resource(version: str) -> Resource:
    """Who sends: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say it, else `reactor`."""
    found = Resource.create()
    named = not str(found.attributes["service.name"]).startswith("unknown_service")
    ours = {"service.version": version} if named else {"service.version": version, "service.name": "reactor"}
    return found.merge(Resource({k: v for k, v in ours.items() if k == "service.name" or k not in found.attributes}))


def wanted(environ: Mapping[str, str]) -> bool:
    """Whether the environment names a collector, and wants it to be told."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    if environ.get("OTEL_TRACES_SAMPLER") == "always_off":
        return False
    return bool(environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
