"""A span as tests look at it: flat, and the same whether Jaeger or the tests' own receiver tells of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Link:
    trace_id: str
    span_id: str


@dataclass(frozen=True)
class SpanEvent:
    name: str
    time: int
    attributes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Span:
    """Ids are lower-case hexadecimal, `parent_id` is empty for a root, times are nanoseconds since 1970.

    `kind` is one of internal, server, client, producer, consumer; `status` one of unset, ok, error.
    """

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    status: str
    attributes: Mapping[str, object]
    links: tuple[Link, ...]
    events: tuple[SpanEvent, ...]
    resource: Mapping[str, object]

    @property
    def service(self) -> str:
        return str(self.resource.get("service.name", ""))


def tree(spans: Iterable[Span]) -> str:
    """The spans as indented lines, children by start below their parents: what a test compares or prints."""
    known = sorted(spans, key=lambda span: (span.start, span.name))
    ids = {span.span_id for span in known}
    lines: list[str] = []

    def add(span: Span, depth: int) -> None:
        lines.append("  " * depth + f"{span.name} {span.kind}")
        for child in known:
            if child.parent_id == span.span_id:
                add(child, depth + 1)

    for span in known:
        if span.parent_id not in ids:
            add(span, 0)
    return "\n".join(lines)
