"""W3C trace context as the text that it travels as: `00-<trace, 32 hex digits>-<span, 16>-<flags, 2>`.

Where such a text enters, it is looked at once; behind that door everything may take it apart by its columns.
"""

import re

from reactor.model.events import Json

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def trace_context(text: Json) -> str | None:
    """The text where it is a trace context, else None: a malformed one is left out, as its specification wants it, and refuses no event."""
    return text if isinstance(text, str) and _TRACEPARENT.fullmatch(text) else None
