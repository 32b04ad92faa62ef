"""Spans as the SDK's exporters want them. What leaves here is redacted: attributes, links, marks and the reason of a failure."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from reactor.model.ports import Redact
from reactor.model.trace import trace_context
from reactor.telemetry.spans import Span, Value

_KINDS = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER, "consumer": SpanKind.CONSUMER}
_UNSET = Status(StatusCode.UNSET)
TEXT_LIMIT = 2_000
"""Characters of one text on a span."""
SHORT = 100


class Readables:
    """Makes them, for one resource."""

    def __init__(self, resource: Resource, redact: Redact) -> None:
        self._resource, self._redact = resource, redact
        self._redact_short = lru_cache(maxsize=4_096)(redact)
        self._scope = InstrumentationScope("reactor")

    def make(self, spans: Sequence[Span]) -> list[ReadableSpan]:
        """One each. A span whose own context cannot be read is left out; a parent or a link that cannot is left off."""
        return [made for made in map(self._one, spans) if made is not None]

    def _one(self, span: Span) -> ReadableSpan | None:
        own = _context(span.context)
        if own is None:
            return None
        links = [(_context(k.context), k.attributes) for k in span.links]
        return ReadableSpan(
            name=span.name,
            context=own,
            parent=_context(span.parent) if span.parent is not None else None,
            resource=self._resource,
            attributes=self._redacted(span.attributes),
            events=[Event(m.name, self._redacted(m.attributes), m.at * 1000) for m in span.marks],
            links=[Link(context, self._redacted(more)) for context, more in links if context is not None],
            kind=_KINDS[span.kind],
            status=_UNSET if span.error is None else Status(StatusCode.ERROR, self._text(span.error)),
            start_time=span.start * 1000,
            end_time=max(span.end, span.start) * 1000,
            instrumentation_scope=self._scope,
        )

    def _redacted(self, attributes: Mapping[str, Value]) -> dict[str, Value]:
        return {k: self._text(v) if isinstance(v, str) else v for k, v in attributes.items()}

    def _text(self, text: str) -> str:
        """Short ones are mostly names, and come again and again."""
        return self._redact_short(text) if len(text) <= SHORT else self._redact(text)[:TEXT_LIMIT]


def _context(traceparent: str) -> SpanContext | None:
    if trace_context(traceparent) is None:
        return None
    flags = TraceFlags(int(traceparent[53:55], 16))
    return SpanContext(int(traceparent[3:35], 16), int(traceparent[36:52], 16), is_remote=True, trace_flags=flags)
