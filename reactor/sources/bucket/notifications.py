"""What a bucket's server says has happened, in any of the shapes that are in use: only which objects to look at. Pure.

- Amazon's: `Records` of `s3.bucket.name` and `s3.object.key`; its first message is `s3:TestEvent`.
- MinIO's, RustFS's and Ceph's: the same with `s3:` before the event's name, or `EventName` and `Key` (`bucket/key`) alone.
- EventBridge's: `detail.bucket.name` and `detail.object.key`.
- Any of these as the `Message` of an SNS notification.

Which event it was is not asked, because the object itself is: notifications come twice, late, and out of order. Nor is it
known for certain whether a key comes URL-encoded, so where it may be either, both are looked at.
"""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote_plus

import msgspec

from reactor.model.errors import ReactorError
from reactor.model.events import Json

NESTED = 3
"""How deep one message may stand in another: SNS in SNS is nobody's intention."""


class NotANotification(ReactorError):
    """The message says nothing of any object that could be understood."""


class Named(NamedTuple):
    """An object that something happened to. `keys` are the spellings that its key may have meant."""

    bucket: str
    keys: tuple[str, ...]


def parse(body: bytes) -> list[Named]:
    """The objects that a message names; none for a test event. Raises NotANotification."""
    try:
        return list(_named(_decoded(body), NESTED))
    except (KeyError, TypeError, AttributeError, UnicodeError) as error:
        raise NotANotification(
            f"The message has a known shape, but what belongs there is missing or of another kind ({error})."
        ) from error


def _named(value: Json, nested: int) -> Iterator[Named]:
    if not isinstance(value, dict):
        raise NotANotification("The message is JSON, but no object: no bucket speaks so.")
    if value.get("Event") == "s3:TestEvent":
        return
    if value.get("Type") == "SubscriptionConfirmation":
        raise NotANotification(
            f"SNS asks whether it may send here. Confirm the subscription of {value.get('TopicArn')} there, once."
        )
    if "Records" in value:
        for record in value["Records"]:
            yield _spelt(record["s3"]["bucket"]["name"], record["s3"]["object"]["key"])
    elif "Message" in value and nested:
        yield from _named(_decoded(value["Message"].encode()), nested - 1)
    elif "detail" in value:
        yield _spelt(value["detail"]["bucket"]["name"], value["detail"]["object"]["key"])
    elif "Key" in value:
        bucket, _, key = value["Key"].partition("/")
        yield _spelt(bucket, key)
    else:
        raise NotANotification(
            "The message has no 'Records', no 'detail' and no 'Key'. Amazon's, MinIO's, RustFS's, Ceph's and "
            "EventBridge's notifications are understood, and each of them within one of SNS."
        )


def _spelt(bucket: str, key: str) -> Named:
    key.encode()  # what is no Unicode text is no key
    plain = unquote_plus(key)
    if not isinstance(bucket, str):
        raise TypeError("the bucket's name is no text")
    return Named(bucket, (plain,) if plain == key else (plain, key))


def _decoded(body: bytes) -> Json:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotANotification(f"The message is no JSON: {error}.") from error
