"""A real Jaeger, built from its Go module, with its traces in memory, asked through its JSON API.

`REACTOR_TEST_JAEGER=http://host:16686,http://host:4318` names one that is already there: its query and OTLP addresses.
"""

import os
from pathlib import Path
from typing import Any

import httpx

from tests.services import cache
from tests.services.process import Server, free_ports
from tests.services.spans import Link, Span, SpanEvent
from tests.services.wait import eventually

RECIPE = Path(__file__).with_name("jaeger")
PACKAGE = "github.com/jaegertracing/jaeger/cmd/jaeger"
Json = dict[str, Any]  # what Jaeger's API answers: nested, untyped, and read in this file only


class Jaeger:
    """A Jaeger that answers at `query_url` and takes OTLP over HTTP at `endpoint`."""

    def __init__(self, query_url: str, endpoint: str) -> None:
        self.query_url = query_url
        self.endpoint = endpoint

    async def trace(self, trace_id: str, spans: int = 1, timeout: float = 10.0) -> list[Span]:
        """The spans of one trace, by start, as soon as there are `spans` of them."""

        async def found() -> list[Span]:
            traces = await self._get(f"/api/traces/{trace_id}")
            return next((trace for trace in traces if len(trace) >= spans), [])

        return await eventually(found, timeout, every=0.1)

    async def find_traces(self, service: str, traces: int = 1, timeout: float = 10.0) -> list[list[Span]]:
        """The traces in which `service` has a span, as soon as there are `traces` of them."""

        async def found() -> list[list[Span]]:
            answer = await self._get("/api/traces", service=service, lookback="1h", limit="1000")
            return answer if len(answer) >= traces else []

        return await eventually(found, timeout, every=0.1)

    async def answers(self) -> bool:
        """True where the query API answers."""
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{self.query_url}/api/services")).is_success
        except httpx.TransportError:
            return False

    async def _get(self, path: str, **params: str) -> list[list[Span]]:
        async with httpx.AsyncClient() as client:
            response = await client.get(f"{self.query_url}{path}", params=params)
        return [_spans(trace) for trace in response.json().get("data") or []]


class JaegerServer(Jaeger):
    """A Jaeger of the tests' own. Stopped and started again it is empty and has the same ports."""

    def __init__(self, folder: Path) -> None:
        query, query_grpc, otlp = free_ports(3)
        super().__init__(f"http://127.0.0.1:{query}", f"http://127.0.0.1:{otlp}")
        ports = {"QUERY_PORT": str(query), "QUERY_GRPC_PORT": str(query_grpc), "OTLP_PORT": str(otlp)}
        argv = [str(prepare()), "--config", str(RECIPE / "config.yaml")]
        self._server = Server(argv, folder / "jaeger.log", env=ports)

    async def start(self, timeout: float = 30.0) -> None:
        """Returns when the query API answers."""
        await self._server.start(self.answers, timeout)

    async def stop(self) -> None:
        """SIGTERM: it takes seconds to drain."""
        await self._server.stop()

    async def kill(self) -> None:
        """SIGKILL: what it held in memory is gone either way."""
        await self._server.kill()


def external() -> Jaeger | None:
    """The Jaeger that REACTOR_TEST_JAEGER names."""
    addresses = os.environ.get("REACTOR_TEST_JAEGER")
    return Jaeger(*(each.rstrip("/") for each in addresses.split(",", 1))) if addresses else None


def prepare() -> Path:
    """The executable, built where it is not cached (minutes); Unavailable where it cannot be."""
    return cache.made_once("jaeger", [RECIPE / "go.mod", RECIPE / "go.sum"], _build) / "jaeger"


def _build(folder: Path) -> None:
    purpose = "Jaeger from its Go module"
    argv = [cache.tool("go", purpose), "build", "-mod=readonly", "-trimpath", "-buildvcs=false"]
    cache.run([*argv, "-o", str(folder / "jaeger"), PACKAGE], cwd=RECIPE, purpose=purpose, env={"CGO_ENABLED": "0"})


def _spans(trace: Json) -> list[Span]:
    return sorted((_span(span, trace["processes"]) for span in trace["spans"]), key=lambda span: span.start)


def _span(span: Json, processes: Json) -> Span:
    attributes, process = _tags(span["tags"]), processes[span["processID"]]
    children = [each for each in span["references"] if each["refType"] == "CHILD_OF"]
    return Span(
        name=span["operationName"],
        kind=str(attributes.pop("span.kind", "internal")),
        trace_id=span["traceID"],
        span_id=span["spanID"],
        parent_id=children[0]["spanID"] if children else "",
        start=span["startTime"] * 1000,
        end=(span["startTime"] + span["duration"]) * 1000,
        status=str(attributes.pop("otel.status_code", "unset")).lower(),
        attributes=attributes,
        links=tuple(Link(each["traceID"], each["spanID"]) for each in span["references"] if each not in children[:1]),
        events=tuple(_event(log) for log in span["logs"]),
        resource={**_tags(process["tags"]), "service.name": process["serviceName"]},
    )


def _event(log: Json) -> SpanEvent:
    attributes = _tags(log["fields"])
    return SpanEvent(str(attributes.pop("event", "")), log["timestamp"] * 1000, attributes)


def _tags(tags: list[Json]) -> dict[str, object]:
    return {tag["key"]: tag["value"] for tag in tags}
