"""CloudEvents 1.0.2 over HTTP, as pure parsing: a request's headers and body in, events and refusals out. Knows no
web framework.

Each item of a batch is judged on its own: a bad one does not take the good ones with it. Every refusal says what is
wrong with what, and carries the status that fits it: 400 no valid event, 413 too large, 415 a format that is not
understood.

`data` becomes a JSON value, so that it can be stored and replayed: JSON is decoded, text is text, and all else is
`{"base64": "..."}`.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, NoReturn
from urllib.parse import unquote_to_bytes

import msgspec

from reactor.model.errors import ReactorError
from reactor.model.events import CloudEvent, Json
from reactor.model.ids import Instant
from reactor.model.partitions import instant, moment
from reactor.model.trace import trace_context

EVENT_LIMIT = 1024 * 1024
"""Bytes that one event may have."""
REQUEST_LIMIT = 8 * 1024 * 1024
"""Bytes that one batch may have: what the web layer reads of a body at most."""
BATCH_LIMIT = 1_000
"""Events that one batch may have."""
NAME_LIMIT = 1_024
"""Characters that an id, a source or a type may have."""

_REQUIRED = ("id", "source", "specversion", "type")
_KNOWN = frozenset((*_REQUIRED, "subject", "time", "datacontenttype", "dataschema"))
_EXTENSION = re.compile(r"[a-z0-9]+")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d{1,12})?([Zz]|[+-]\d\d:\d\d)")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


class Refused(ReactorError):
    """The request, or one item of it, cannot be taken. `status` is the HTTP status that fits."""

    def __init__(self, status: int, text: str, number: int = 0) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.number = number
        """Which item of the batch it was, from 0."""


class Posted(NamedTuple):
    """An event that was accepted as well formed."""

    event: CloudEvent
    traceparent: str | None
    size: int
    """Bytes, as it came."""
    number: int = 0
    """Which item of the batch it was, from 0."""


class Parsed(NamedTuple):
    posted: list[Posted]
    refused: list[Refused]
    batch: bool
    """Whether the request was a batch, even one of one."""


def parse(headers: Iterable[tuple[str, str]], body: bytes) -> Parsed:
    """Judges one request. Header names in any case; values as the server decoded them (Latin-1).

    Raises:
        Refused: nothing of it can be taken.
    """
    given = _headers(headers)
    media, charset = _media(given.get("content-type", ""))
    trace = trace_context(given.get("traceparent"))
    if media.startswith("application/cloudevents-batch"):
        return _batch(media, charset, body, trace)
    _fits(len(body))
    if media.startswith("application/cloudevents"):
        _is_json(media, charset, "application/cloudevents+json")
        return Parsed([_structured(body, trace, 0)], [], batch=False)
    return Parsed([_binary(given, media, charset, body, trace)], [], batch=False)


# The three modes ----------------------------------------------------------------------------------------------------


def _batch(media: str, charset: str, body: bytes, trace: str | None) -> Parsed:
    _is_json(media, charset, "application/cloudevents-batch+json")
    if len(body) > REQUEST_LIMIT:
        _refuse(413, f"The batch has {len(body)} bytes; {REQUEST_LIMIT} are allowed. Send it in parts.")
    try:
        items = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _refuse(400, f"The body is no JSON array of events: {error}.")
    if len(items) > BATCH_LIMIT:
        _refuse(413, f"The batch has {len(items)} events; {BATCH_LIMIT} are allowed. Send it in parts.")
    parsed = Parsed([], [], batch=True)
    for number, item in enumerate(items):
        try:
            _fits(len(bytes(item)))
            parsed.posted.append(_structured(bytes(item), trace, number))
        except Refused as refusal:
            refusal.number = number
            parsed.refused.append(refusal)
    return parsed


def _structured(body: bytes, trace: str | None, number: int) -> Posted:
    try:
        found: Json = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _refuse(400, f"The event is no JSON: {error}.")
    if not isinstance(found, dict):
        _refuse(400, f"An event is a JSON object, but this is {_article(found)}.")
    given = {name: value for name, value in found.items() if value is not None}
    attributes = {name: value for name, value in given.items() if name not in ("data", "data_base64")}
    for name, value in attributes.items():
        _check_json_attribute(name, value)
    if "data_base64" in given:
        if "data" in given:
            _refuse(400, "The event has both 'data' and 'data_base64'. Give one of them.")
        data = _decoded(_from_base64(given["data_base64"]), *_media(attributes.get("datacontenttype", "")))
    else:
        data = given.get("data")
    return _event(attributes, data, trace, len(body), number)


def _binary(given: Mapping[str, str], media: str, charset: str, body: bytes, trace: str | None) -> Posted:
    attributes: dict[str, Json] = {
        name[3:]: _unescaped(name, value) for name, value in given.items() if name.startswith("ce-")
    }
    if not attributes:
        _refuse(
            415,
            f"The request is no CloudEvent: its content type is {media or 'not given'} and it has no ce- headers. Send "
            "application/cloudevents+json, application/cloudevents-batch+json, or the headers ce-id, ce-source, "
            "ce-type and "
            "ce-specversion beside the data.",
        )
    if "datacontenttype" in attributes:
        _refuse(
            400, "The header ce-datacontenttype may not be sent: in binary mode Content-Type says what the data is."
        )
    if given.get("content-type"):
        attributes["datacontenttype"] = given["content-type"]
    return _event(attributes, _decoded(body, media, charset) if body else None, trace, len(body), 0)


# One event ----------------------------------------------------------------------------------------------------------


def _event(attributes: Mapping[str, Json], data: Json, trace: str | None, size: int, number: int) -> Posted:
    missing = [name for name in _REQUIRED if not attributes.get(name)]
    if missing:
        _refuse(
            400, f"The event has no {' and no '.join(missing)}. Every CloudEvent has id, source, specversion and type."
        )
    version = attributes["specversion"]
    if version != "1.0":
        _refuse(400, f"The event says specversion {version!r}; '1.0' is understood.")
    for name in ("id", "source", "type", "subject", "datacontenttype", "dataschema", "time"):
        if name in attributes:
            _check_text(name, attributes[name])
    schema = attributes.get("dataschema")
    if schema is not None and not _URI.fullmatch(schema):
        _refuse(400, f"dataschema {schema!r} is no absolute URI, such as https://example.com/order.json.")
    extensions = {name: value for name, value in attributes.items() if name not in _KNOWN}
    event = CloudEvent(
        attributes["id"], attributes["source"], attributes["type"], attributes.get("subject"),
        _time(attributes.get("time")), attributes.get("datacontenttype"), schema, data, extensions,
    )  # fmt: skip
    return Posted(event, trace_context(extensions.get("traceparent")) or trace, size, number)


def _check_json_attribute(name: str, value: Json) -> None:
    if name in _KNOWN:
        if not isinstance(value, str):
            _refuse(400, f"{name} is a text, but this is {_article(value)}.")
    elif not _EXTENSION.fullmatch(name):
        _refuse(
            400,
            f"The attribute {name[:80]!r} has a name that no attribute can have: lower-case letters and digits only.",
        )
    elif isinstance(value, str):
        _check_characters(name, value)
    elif not isinstance(value, (bool, int)):
        _refuse(
            400,
            f"The extension {name} is {_article(value)}; a text, a truth value or an integer is allowed. Put it "
            "into data.",
        )


def _check_text(name: str, value: str) -> None:
    if not value:
        _refuse(400, f"{name} is empty. Give it a value, or leave it out where it is optional.")
    if len(value) > NAME_LIMIT:
        _refuse(400, f"{name} has {len(value)} characters; {NAME_LIMIT} are allowed.")
    _check_characters(name, value)


def _check_characters(name: str, value: str) -> None:
    found = _FORBIDDEN.search(value)
    if found is not None:
        _refuse(400, f"{name} holds the character U+{ord(found[0]):04X}, which no attribute may hold.")


def _time(text: str | None) -> Instant | None:
    if text is None:
        return None
    found = _TIME.fullmatch(text)
    try:
        if found is None:
            raise ValueError("not in that form")
        day, clock, fraction, zone = found.groups()
        micros = (fraction or ".0")[1:7].ljust(6, "0")
        at = instant(datetime.fromisoformat(f"{day}T{clock}.{micros}{zone.upper().replace('Z', '+00:00')}"))
        moment(at)  # its zone may lead out of the years that there are
        return at
    except (ValueError, OverflowError):
        _refuse(400, f"time {text!r} is no RFC 3339 time, such as 2026-11-20T06:00:00Z.")


# Data ---------------------------------------------------------------------------------------------------------------


def _decoded(body: bytes, media: str, charset: str) -> Json:
    kind = media or "application/json"
    if kind.endswith(("/json", "+json")):
        if charset not in ("", "utf-8", "us-ascii"):
            _refuse(415, f"The data is JSON in {charset}; UTF-8 is understood.")
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            _refuse(400, f"The data is said to be {kind}, but it is no JSON: {error}.")
    if kind.startswith("text/") or kind.endswith("+xml"):
        try:
            return body.decode(charset or "utf-8")
        except (UnicodeDecodeError, LookupError):
            return {"base64": base64.b64encode(body).decode()}
    return {"base64": base64.b64encode(body).decode()}


def _from_base64(text: Json) -> bytes:
    if not isinstance(text, str):
        _refuse(400, f"data_base64 is a text, but this is {_article(text)}.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        _refuse(400, f"data_base64 is no base64: {error}.")


# Headers ------------------------------------------------------------------------------------------------------------


def _headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in headers:
        name = name.lower()
        if name in given and (name.startswith("ce-") or name == "content-type"):
            _refuse(400, f"The header {name} was sent twice, so which one is meant cannot be told.")
        given[name] = value.strip()
    return given


def _unescaped(name: str, value: str) -> str:
    if not _EXTENSION.fullmatch(name[3:]):
        _refuse(400, f"The header {name[:80]} names no attribute: lower-case letters and digits only.")
    quoted = _QUOTED.fullmatch(value)
    plain = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else value
    try:
        text = unquote_to_bytes(plain.encode("latin-1")).decode()
    except (UnicodeDecodeError, UnicodeEncodeError):
        _refuse(400, f"The header {name} is not UTF-8 once its %-escapes are decoded.")
    _check_characters(name, text)
    return text


def _media(content_type: str) -> tuple[str, str]:
    """The media type and the charset, both in lower case."""
    media, *parameters = content_type.split(";")
    charset = ""
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
    return media.strip().lower(), "utf-8" if charset == "utf8" else charset


def _is_json(media: str, charset: str, wanted: str) -> None:
    if media != wanted:
        _refuse(415, f"{media} is not understood. Send {wanted}.")
    if charset not in ("", "utf-8", "us-ascii"):
        _refuse(415, f"The events are in {charset}. Send them in UTF-8.")


def _fits(size: int) -> None:
    if size > EVENT_LIMIT:
        _refuse(
            413,
            f"The event has {size} bytes; {EVENT_LIMIT} are allowed. Put large data where it belongs and name the "
            "place.",
        )


def _article(value: Json) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def _refuse(status: int, text: str) -> NoReturn:
    raise Refused(status, text) from None
