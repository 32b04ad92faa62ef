"""CloudEvents over HTTP, as values in and values out: three modes, and a clear word for each way to be wrong."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.model.events import CloudEvent
from reactor.model.ids import Instant
from reactor.sources.cloudevents import BATCH_LIMIT, EVENT_LIMIT, Parsed, Posted, Refused, parse

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-11111111111111111111111111111111-2222222222222222-00"
Attributes = dict[str, Any]  # what a sender might write: anything
EVENT: Attributes = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "com.shop.order"}


JSON = st.recursive(
    st.none() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
MODES = ["application/cloudevents+json", "application/cloudevents-batch+json", "application/json", "text/plain", ""]
HEADER = st.tuples(
    st.sampled_from(["ce-id", "ce-time", "ce-x", "traceparent"]), st.text(st.characters(max_codepoint=255))
)


def binary(body: bytes = b"", *, media: str = "application/json", **headers: str) -> Posted:
    given = {
        "ce-id": "1",
        "ce-source": "/shop",
        "ce-specversion": "1.0",
        "ce-type": "com.shop.order",
        "content-type": media,
    }
    given.update({name.replace("_", "-"): value for name, value in headers.items()})
    [posted] = parse([(k, v) for k, v in given.items() if v], body).posted
    return posted


def structured(**changes: object) -> Posted:
    return only({**EVENT, **changes})


def only(event: object, media: str = "application/cloudevents+json") -> Posted:
    [posted] = parse([("Content-Type", media)], json.dumps(event).encode()).posted
    return posted


def batch(*events: object, headers: tuple[tuple[str, str], ...] = ()) -> Parsed:
    return parse([("content-type", "application/cloudevents-batch+json"), *headers], json.dumps(events).encode())


def test_binary_mode() -> None:
    assert binary(b'{"rows": 3}', ce_subject="a", ce_time="2026-11-20T06:00:00Z", ce_region="eu") == Posted(
        CloudEvent(
            "1",
            "/shop",
            "com.shop.order",
            "a",
            Instant(1_795_154_400_000_000),
            "application/json",
            None,
            {"rows": 3},
            {"region": "eu"},
        ),
        None,
        11,
    )


def test_structured_mode() -> None:
    event = structured(data={"rows": 3}, region="eu", count=7, flag=True, subject=None).event
    assert event == CloudEvent(
        "1", "/shop", "com.shop.order", data={"rows": 3}, extensions={"region": "eu", "count": 7, "flag": True}
    )


def test_a_batch_is_judged_item_by_item() -> None:
    parsed = batch(EVENT, {**EVENT, "id": ""}, 7, {**EVENT, "id": "2"})
    assert [(p.number, p.event.id) for p in parsed.posted] == [(0, "1"), (3, "2")]
    assert [(r.number, r.status) for r in parsed.refused] == [(1, 400), (2, 400)]
    assert parsed.batch
    assert batch() == Parsed([], [], True)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("%45uro", "Euro"),
        ("caf%c3%a9", "café"),
        ('"a \\"b\\" c"', 'a "b" c'),
        ("100%", "100%"),
        ("%2525", "%25"),
    ],
)
def test_header_values_are_unquoted_and_percent_decoded_once(header: str, value: str) -> None:
    assert binary(ce_subject=header).event.subject == value


@pytest.mark.parametrize(
    ("media", "body", "data"),
    [
        ("application/json; charset=utf-8", b'{"a":1}', {"a": 1}),
        ("application/vnd.shop+json", b"[1]", [1]),
        ("", b'{"a":1}', {"a": 1}),
        ("text/csv", "ä,b".encode(), "ä,b"),
        ("text/csv; charset=latin-1", "ä".encode("latin-1"), "ä"),
        ("text/plain", b"\xff", {"base64": "/w=="}),
        ("application/octet-stream", b"\x00\x01", {"base64": "AAE="}),
        ("application/json", b"", None),
    ],
)
def test_data_is_a_json_value_whatever_its_type(media: str, body: bytes, data: object) -> None:
    assert binary(body, media=media).event.data == data


def test_data_base64_is_what_its_content_type_says() -> None:
    assert structured(data_base64="eyJhIjoxfQ==").event.data == {"a": 1}
    assert structured(data_base64="AAE=", datacontenttype="image/png").event.data == {"base64": "AAE="}
    assert structured(data_base64="aGk=", datacontenttype="text/plain").event.data == "hi"


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T01:00:01.5+01:00", 1_500_000),
        ("1970-01-01t00:00:01.123456789z", 1_123_456),
    ],
)
def test_times(text: str, micros: int) -> None:
    assert structured(time=text).event.time == micros


def test_the_trace_of_an_event_comes_before_that_of_its_request() -> None:
    assert binary(traceparent=TRACE).traceparent == TRACE
    assert binary(traceparent=TRACE, ce_traceparent=OTHER).traceparent == OTHER
    assert binary(traceparent="00-nonsense").traceparent is None
    parsed = batch({**EVENT, "traceparent": OTHER}, EVENT, headers=(("traceparent", TRACE),))
    assert [p.traceparent for p in parsed.posted] == [OTHER, TRACE]


@pytest.mark.parametrize(
    ("changes", "status", "why"),
    [
        ({"id": ""}, 400, "has no id"),
        ({"id": None, "type": None}, 400, "no id and no type"),
        ({"id": 7}, 400, "id is a text, but this is a number"),
        ({"specversion": "0.3"}, 400, "specversion '0.3'"),
        ({"source": "a\nb"}, 400, "U\\+000A"),
        ({"type": "t" * 2_000}, 400, "2000 characters"),
        ({"time": "yesterday"}, 400, "no RFC 3339"),
        ({"time": "2026-02-30T00:00:00Z"}, 400, "no RFC 3339"),
        ({"time": "0001-01-01T00:00:00+23:59"}, 400, "no RFC 3339"),
        ({"subject": ""}, 400, "subject is empty"),
        ({"dataschema": "no uri"}, 400, "no absolute URI"),
        ({"Region": "eu"}, 400, "name that no attribute can have"),
        ({"region": {"a": 1}}, 400, "is an object"),
        ({"region": 1.5}, 400, "integer"),
        ({"data": 1, "data_base64": "AA=="}, 400, "both"),
        ({"data_base64": "?"}, 400, "no base64"),
        ({"data_base64": "e30=", "datacontenttype": "application/json; charset=utf-16"}, 415, "utf-16"),
        ({"data": "x" * EVENT_LIMIT}, 413, "1048576 are allowed"),
    ],
)
def test_an_event_that_is_wrong_is_refused_with_the_reason(changes: dict[str, object], status: int, why: str) -> None:
    with pytest.raises(Refused, match=why) as caught:
        structured(**changes)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("headers", "body", "status", "why"),
    [
        ([("content-type", "application/json")], b"{}", 415, "no CloudEvent"),
        ([], b"", 415, "content type is not given"),
        ([("content-type", "application/cloudevents+avro")], b"", 415, "avro is not understood"),
        ([("content-type", "application/cloudevents-batch+avro")], b"", 415, "avro is not understood"),
        ([("content-type", "application/cloudevents+json; charset=latin-1")], b"{}", 415, "UTF-8"),
        ([("content-type", "application/cloudevents+json")], b"{", 400, "no JSON"),
        ([("content-type", "application/cloudevents+json")], b"\xff", 400, "no JSON"),
        ([("content-type", "application/cloudevents+json")], b"[" * 100_000, 400, "no JSON"),
        ([("content-type", "application/cloudevents+json")], b"[]", 400, "this is an array"),
        ([("content-type", "application/cloudevents+json")], b'{"id":"\\ud800"}', 400, "no JSON|U\\+D800"),
        ([("content-type", "application/cloudevents-batch+json")], b"{}", 400, "no JSON array"),
        (
            [("content-type", "application/cloudevents-batch+json")],
            b"[" + b"1," * BATCH_LIMIT + b"1]",
            413,
            "1001 events",
        ),
        ([("content-type", "application/cloudevents-batch+json")], b" " * 9_000_000, 413, "9000000 bytes"),
        ([("ce-id", "1"), ("CE-ID", "2")], b"", 400, "sent twice"),
        ([("ce-id", "%C0%A0")], b"", 400, "not UTF-8"),
        ([("ce-datacontenttype", "a/b")], b"", 400, "Content-Type says"),
        ([("ce-my-thing", "1")], b"", 400, "names no attribute"),
        ([("ce-id", "a%0Ab")], b"", 400, "U\\+000A"),
        (
            [("ce-id", "1"), ("ce-source", "/"), ("ce-type", "t"), ("ce-specversion", "1.0")],
            b"{",
            400,
            "application/json, but it is no JSON",
        ),
    ],
)
def test_a_request_that_is_wrong_is_refused_with_the_reason(
    headers: list[tuple[str, str]], body: bytes, status: int, why: str
) -> None:
    with pytest.raises(Refused, match=why) as caught:
        parse(headers, body)
    assert caught.value.status == status


@given(
    st.sampled_from(MODES),
    st.lists(HEADER),
    st.binary() | JSON.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")),
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_sent_is_an_event_or_a_refusal_and_can_be_stored(
    media: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    whole = [("ce-source", "/shop"), ("ce-type", "t"), ("ce-specversion", "1.0")] if media == "application/json" else []
    try:
        parsed = parse([("content-type", media), *whole, *headers], body)
    except Refused as refusal:
        status = refusal.status
    else:
        status = 202
        msgspec.json.encode([p.event for p in parsed.posted])
    assert status in (202, 400, 413, 415)
