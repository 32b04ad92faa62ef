"""What a webhook delivered, as an event. Law: pure; the signature was checked before.

The event is known by what its sender calls it, so that a second delivery of it has no effect: `stripe` says it in the body
(`id`, `type`, `created`), `github` in headers (`X-GitHub-Delivery`, `X-GitHub-Event`), `standard` in `webhook-id` and the
body's `type`. Its source is the webhook's path, its data the whole body.
"""

from collections.abc import Mapping

import msgspec

from reactor.model.duration import SECOND
from reactor.model.events import CloudEvent, Json
from reactor.model.ids import Instant
from reactor.model.source import Webhook
from reactor.model.trace import trace_context
from reactor.sources.cloudevents import EVENT_LIMIT, NAME_LIMIT, Posted, Refused

HOOK_LIMIT = EVENT_LIMIT
"""Bytes that a delivery may have."""


def delivered(spec: Webhook, headers: Mapping[str, str], body: bytes) -> Posted:
    """Raises Refused where it cannot be an event. Names of `headers` are in lower case."""
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media and not media.endswith(("/json", "+json")):
        raise Refused(415, f"The delivery is {media[:80]}; JSON is understood. Have the sender use application/json.")
    try:
        data: Json = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, f"The delivery is no JSON: {error}.") from None
    if not isinstance(data, dict):
        raise Refused(400, "The delivery is JSON, but no object.")
    id, kind, at = _named(spec, headers, data)
    if not id or len(id) > NAME_LIMIT or len(kind) > NAME_LIMIT:
        raise Refused(400, f"The delivery has no id of at most {NAME_LIMIT} characters where {spec.style} puts it.")
    event = CloudEvent(id, spec.path, kind, None, at, "application/json", None, data)
    return Posted(event, trace_context(headers.get("traceparent")), len(body))


def _named(spec: Webhook, headers: Mapping[str, str], data: Mapping[str, Json]) -> tuple[str, str, Instant | None]:
    match spec.style:
        case "stripe":
            return _text(data.get("id")), _text(data.get("type")), _time(data.get("created"))
        case "github":
            return headers.get("x-github-delivery", ""), headers.get("x-github-event", ""), None
        case "standard":
            return headers.get("webhook-id", ""), _text(data.get("type")), _time(int(headers["webhook-timestamp"]))


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _time(value: Json) -> Instant | None:
    is_time = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**11
    return Instant(value * SECOND) if is_time else None
