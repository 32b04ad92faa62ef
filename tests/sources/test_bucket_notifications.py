"""What buckets' servers say, in every shape that is in use, and what nobody says."""

import json
from typing import Any

import pytest

from reactor.sources.bucket.notifications import Named, NotANotification, parse


def records(key: str, name: str = "ObjectCreated:Put", by: str = "aws:s3") -> dict[str, Any]:
    return {"Records": [{"eventVersion": "2.1", "eventSource": by, "eventName": name, "eventTime": "2026-11-20T08:10:00.000Z",
        "s3": {"bucket": {"name": "landing"}, "object": {"key": key, "size": 3, "eTag": "e1", "sequencer": "01"}}}]}  # fmt: skip


MINIO = {"EventName": "s3:ObjectCreated:Put", "Key": "landing/in/a b.csv"}
BRIDGE = {"version": "0", "source": "aws.s3", "detail-type": "Object Created",
    "detail": {"bucket": {"name": "landing"}, "object": {"key": "in/a+b.csv", "size": 3, "etag": "e1"}}}  # fmt: skip


def sns(message: object) -> dict[str, Any]:
    return {"Type": "Notification", "TopicArn": "arn:aws:sns:::t", "Message": json.dumps(message)}


@pytest.mark.parametrize(
    ("message", "keys"),
    [
        (records("in/a.csv"), ("in/a.csv",)),
        (records("in%2Fa+b%2B%C3%A9.csv"), ("in/a b+é.csv", "in%2Fa+b%2B%C3%A9.csv")),
        (records("in/a.csv", "s3:ObjectCreated:Put", "minio:s3"), ("in/a.csv",)),
        (records("in/a.csv", "s3:ObjectRemoved:Delete", "ceph:s3"), ("in/a.csv",)),
        (MINIO | records("in%2Fa+b.csv", "s3:ObjectCreated:Put", "minio:s3"), ("in/a b.csv", "in%2Fa+b.csv")),
        (MINIO, ("in/a b.csv",)),
        (BRIDGE, ("in/a b.csv", "in/a+b.csv")),
        (sns(records("in/a.csv")), ("in/a.csv",)),
        (sns(BRIDGE), ("in/a b.csv", "in/a+b.csv")),
    ],
)
def test_each_shape_names_the_object_in_every_spelling_that_it_may_mean(
    message: dict[str, Any], keys: tuple[str, ...]
) -> None:
    assert parse(json.dumps(message).encode()) == [Named("landing", keys)]


@pytest.mark.parametrize(
    "test",
    [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "landing"},
        sns({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "landing"}),
        {"Records": []},
    ],
)
def test_the_test_event_names_nothing(test: dict[str, Any]) -> None:
    assert parse(json.dumps(test).encode()) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[1]", "no object"),
        (b"{}", "no 'Records'"),
        (b'{"Records": 1}', "missing or of another kind"),
        (b'{"Records": [{"s3": {}}]}', "missing or of another kind"),
        (b'{"Records": [{"s3": {"bucket": {"name": 1}, "object": {"key": "a"}}}]}', "missing or of another kind"),
        (b'{"detail": {"bucket": {"name": "b"}}}', "missing or of another kind"),
        (b'{"Key": 7}', "missing or of another kind"),
        (b'{"Message": "hello"}', "no JSON"),
        (b'{"Type": "SubscriptionConfirmation", "TopicArn": "arn:t"}', "Confirm the subscription of arn:t"),
        (json.dumps(sns(sns(sns(sns(records("in/a.csv")))))).encode(), "no 'Records'"),
        (b"[" * 5_000, "no JSON"),
    ],
)
def test_what_is_none_is_refused_with_the_reason(body: bytes, said: str) -> None:
    with pytest.raises(NotANotification, match=said):
        parse(body)
