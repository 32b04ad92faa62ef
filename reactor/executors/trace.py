"""The attempt's span as the current one, so that the spans of the user's code become its children.

May know: OpenTelemetry's API. May not know: any exporter; without one all of this is a context variable.
"""

from opentelemetry import context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

_EMPTY = context.Context()


def enter(traceparent: str | None) -> None:
    """Makes the span that a W3C `traceparent` names the current one, for the rest of this task or
    `contextvars.Context`.
    """
    span = span_of(traceparent)
    if span is not None:
        context.attach(set_span_in_context(span, _EMPTY))


def span_of(traceparent: str | None) -> NonRecordingSpan | None:
    """The span, or None where the text names none: a trace is never a reason to fail."""
    parts = (traceparent or "").split("-")
    if len(parts) < 4:
        return None
    try:
        found = SpanContext(int(parts[1], 16), int(parts[2], 16), True, TraceFlags(int(parts[3], 16)))
    except ValueError:
        return None
    return NonRecordingSpan(found) if found.is_valid else None
