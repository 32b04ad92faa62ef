"""A receiver of traces inside the test process: OTLP over HTTP in, a list of flat spans out. It can also be unwell."""

import gzip
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.services.spans import Link, Span, SpanEvent
from tests.services.wait import eventually

T = TypeVar("T")
KINDS = ("internal", "internal", "server", "client", "producer", "consumer")
STATUS = ("unset", "ok", "error")


class OtlpReceiver:
    """Set `status` to another HTTP status (503, say) and it refuses what comes, and counts it in `refused`."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.status = 200
        self.refused = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="otlp", daemon=True)

    @property
    def endpoint(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def clear(self) -> None:
        with self._lock:
            self.spans.clear()

    async def trace(self, trace_id: str, spans: int = 1, timeout: float = 10.0) -> list[Span]:
        """The spans of one trace, by start, as soon as there are `spans` of them."""
        return await eventually(lambda: _enough(self._where(trace_id=trace_id), spans), timeout)

    async def find_traces(self, service: str, traces: int = 1, timeout: float = 10.0) -> list[list[Span]]:
        """The traces in which `service` has a span, as soon as there are `traces` of them."""

        def found() -> list[list[Span]]:
            ids = dict.fromkeys(span.trace_id for span in self._where(service=service))
            return _enough([self._where(trace_id=each) for each in ids], traces)

        return await eventually(found, timeout)

    def receive(self, request: ExportTraceServiceRequest) -> None:
        decoded = list(decode(request.resource_spans))
        with self._lock:
            self.spans.extend(decoded)

    def _where(self, **wanted: str) -> list[Span]:
        with self._lock:
            spans = list(self.spans)
        found = [span for span in spans if all(getattr(span, name) == value for name, value in wanted.items())]
        return sorted(found, key=lambda span: span.start)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if receiver.status == 200:
                    plain = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                    receiver.receive(ExportTraceServiceRequest.FromString(plain))
                else:
                    receiver.refused += 1
                self._answer(ExportTraceServiceResponse().SerializeToString())

            def _answer(self, body: bytes) -> None:
                self.send_response(receiver.status)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: stderr is the test runner's."""

        return Handler


def decode(resource_spans: Iterable[trace_pb2.ResourceSpans]) -> Iterable[Span]:
    """Flat spans from OTLP's nested ones."""
    for group in resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                yield _span(span, group.resource)


def _span(span: trace_pb2.Span, resource: Resource) -> Span:
    return Span(
        name=span.name,
        kind=KINDS[span.kind],
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        status=STATUS[span.status.code],
        attributes=_attributes(span.attributes),
        links=tuple(Link(link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        events=tuple(SpanEvent(each.name, each.time_unix_nano, _attributes(each.attributes)) for each in span.events),
        resource=_attributes(resource.attributes),
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, object]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> object:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_value(each) for each in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case name:
            plain: object = getattr(value, name)
            return plain


def _enough(found: list[T], wanted: int) -> list[T]:
    return found if len(found) >= wanted else []
