"""Signatures of webhooks: vectors that their inventors published, or that openssl made, and what is refused."""

import base64
import hashlib
import hmac
import subprocess
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.build import build
from reactor.model.asset import Asset
from reactor.model.errors import ConfigError, DefinitionError
from reactor.model.events import CloudEvent, Ready
from reactor.model.ids import Instant
from reactor.model.sensor import sensor
from reactor.model.source import Style, Webhook
from reactor.sources.cloudevents import EVENT_LIMIT, Refused
from reactor.sources.webhooks.delivery import delivered
from reactor.sources.webhooks.keys import secrets_of
from reactor.sources.webhooks.signature import SIGNATURES, Unsigned, verify

SECOND = 1_000_000
NOW = Instant(1_614_265_330 * SECOND)
STANDARD_SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
STANDARD_BODY = b'{"test": 2432232314}'
GITHUB_SECRET = b"It's a Secret to Everybody"
GITHUB = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
STRIPE_SECRET = b"whsec_a-secret-of-stripe"


def openssl(secret: bytes, content: bytes) -> str:
    """HMAC-SHA256 in hexadecimal digits, as another program makes it."""
    argv = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{secret.hex()}", "-r"]
    return subprocess.run(argv, input=content, capture_output=True, check=True).stdout.split()[0].decode()


def stripe(body: bytes, at: int = 1_614_265_330, secret: bytes = STRIPE_SECRET) -> dict[str, str]:
    return {"stripe-signature": f"t={at},v1={openssl(secret, f'{at}.'.encode() + body)},v0=00"}


def reason(style: Style, headers: dict[str, str], body: bytes, *secrets: bytes, now: Instant = NOW) -> str:
    """Why it is refused; empty where it is not."""
    try:
        verify(style, headers, body, secrets, now)
    except Unsigned as error:
        return error.reason
    return ""


def test_what_their_inventors_published_is_right() -> None:
    assert reason("standard", STANDARD, STANDARD_BODY, STANDARD_SECRET) == ""
    assert reason("standard", STANDARD, STANDARD_BODY, STANDARD_SECRET.removeprefix(b"whsec_")) == ""
    assert reason("github", GITHUB, b"Hello, World!", GITHUB_SECRET) == ""


def test_what_openssl_made_is_right() -> None:
    assert reason("stripe", stripe(b'{"id": "evt_1"}'), b'{"id": "evt_1"}', STRIPE_SECRET) == ""


@pytest.mark.parametrize(
    ("style", "headers", "body", "secret"),
    [
        ("standard", STANDARD, STANDARD_BODY, STANDARD_SECRET),
        ("github", GITHUB, b"Hello, World!", GITHUB_SECRET),
        ("stripe", stripe(b"{}"), b"{}", STRIPE_SECRET),
    ],
)
def test_a_changed_body_another_secret_or_no_header_is_not(
    style: Style, headers: dict[str, str], body: bytes, secret: bytes
) -> None:
    other = base64.b64encode(b"another secret, that is as long")
    assert reason(style, headers, body, other, secret) == ""
    assert reason(style, headers, body, other) == "wrong"
    assert reason(style, headers, body + b" ", secret) == "wrong"
    assert reason(style, headers, body) == "wrong", "without a secret nothing is right"
    for left_out in headers:
        assert reason(style, {k: v for k, v in headers.items() if k != left_out}, body, secret) == "missing"


@pytest.mark.parametrize("style", ["stripe", "standard"])
@pytest.mark.parametrize(
    ("seconds", "said"), [(0, ""), (300, ""), (-300, ""), (301, "stale"), (-301, "stale"), (10**9, "stale")]
)
def test_what_was_signed_long_ago_or_ahead_is_stale(style: Style, seconds: int, said: str) -> None:
    headers, body, secret = (STANDARD, STANDARD_BODY, STANDARD_SECRET)
    if style == "stripe":
        headers, body, secret = stripe(b"{}"), b"{}", STRIPE_SECRET
    now = Instant(NOW + seconds * SECOND)
    assert reason(style, headers, body, secret, now=now) == said
    assert reason(style, headers, body + b"x", secret, now=now) == "wrong", (
        "only who knows the secret is told of the time"
    )


def test_of_several_signatures_one_has_to_be_right_but_not_of_any_number() -> None:
    right = STANDARD["webhook-signature"]
    for number, said in ((1, ""), (SIGNATURES - 1, ""), (SIGNATURES, "wrong")):
        headers = {**STANDARD, "webhook-signature": " ".join(["v1,AAAA", "v1a,xx"] * number) + " " + right}
        assert reason("standard", headers, STANDARD_BODY, STANDARD_SECRET) == said


def test_the_scheme_that_stripe_gave_up_proves_nothing() -> None:
    headers = {"stripe-signature": stripe(b"{}")["stripe-signature"].replace("v1=", "v0=")}
    assert reason("stripe", headers, b"{}", STRIPE_SECRET) == "wrong"


@pytest.mark.parametrize(
    ("style", "headers", "said"),
    [
        ("stripe", {"stripe-signature": "v1=00"}, "malformed"),
        ("stripe", {"stripe-signature": "t=1,t=2,v1=00"}, "malformed"),
        ("stripe", {"stripe-signature": "t=-1,v1=00"}, "malformed"),
        ("stripe", {"stripe-signature": "t=²,v1=00"}, "malformed"),
        ("stripe", {"stripe-signature": "t=" + "9" * 5_000}, "malformed"),
        ("stripe", {"stripe-signature": "t=1,v1=zz"}, "wrong"),
        ("github", {"x-hub-signature-256": "sha1=00"}, "malformed"),
        ("github", {"x-hub-signature-256": "sha256="}, "wrong"),
        ("github", {"x-hub-signature": "sha1=00"}, "missing"),
        ("standard", {**STANDARD, "webhook-timestamp": "soon"}, "malformed"),
        ("standard", {**STANDARD, "webhook-signature": "v2,AAAA"}, "wrong"),
        ("standard", {**STANDARD, "webhook-signature": "v1,ä"}, "wrong"),
        ("standard", {**STANDARD, "webhook-id": "another"}, "wrong"),
    ],
)
def test_nonsense_is_refused(style: Style, headers: dict[str, str], said: str) -> None:
    assert reason(style, headers, STANDARD_BODY, STANDARD_SECRET) == said


@given(style=st.sampled_from(get_args(Style)), values=st.lists(st.text(), min_size=4, max_size=4), body=st.binary())
def test_whatever_a_stranger_sends_is_refused_and_breaks_nothing(style: Style, values: list[str], body: bytes) -> None:
    names = ("stripe-signature", "x-hub-signature-256", "webhook-id", "webhook-timestamp", "webhook-signature")
    headers = dict(zip(names, [*values[:3], "1614265330", values[3]], strict=True))
    assert reason(style, headers, body, STANDARD_SECRET) in ("missing", "malformed", "wrong")


# The event ------------------------------------------------------------------------------------------------------------


def hook(style: Style = "stripe", secret_file: str = "secret") -> Webhook:
    return Webhook("/hooks/shop", secret_file, style)


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("style", "headers", "body", "id", "kind", "at"),
    [
        ("stripe", {}, b'{"id": "evt_1", "type": "invoice.paid", "created": 7}', "evt_1", "invoice.paid", 7 * SECOND),
        ("github", {"x-github-delivery": "d-1", "x-github-event": "push"}, b'{"ref": 1}', "d-1", "push", None),
        ("standard", STANDARD, b'{"type": "user.created"}', STANDARD["webhook-id"], "user.created", NOW),
    ],
)
def test_the_event_is_what_its_sender_calls_it(
    style: Style, headers: dict[str, str], body: bytes, id: str, kind: str, at: int | None
) -> None:
    posted = delivered(hook(style), {**headers, "traceparent": TRACE, "content-type": "application/json"}, body)
    event = posted.event
    assert (event.id, event.source, event.type, event.time) == (id, "/hooks/shop", kind, at)
    assert (isinstance(event.data, dict), posted.traceparent, posted.size) == (True, TRACE, len(body))


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content-type": "application/x-www-form-urlencoded"}, b"payload=%7B%7D", 415),
        ({}, b"no json", 400),
        ({}, b'"\xff"', 400),
        ({}, b"[" * 100_000, 400),
        ({}, b"[1]", 400),
        ({}, b"{}", 400),
        ({}, b'{"id": 7}', 400),
        ({}, b'{"id": "%s"}' % (b"x" * 2_000), 400),
    ],
)
def test_a_delivery_that_can_be_no_event_is_refused(headers: dict[str, str], body: bytes, status: int) -> None:
    with pytest.raises(Refused) as caught:
        delivered(hook(), headers, body)
    assert caught.value.status == status


def test_what_a_delivery_says_of_its_time_is_not_trusted_to_be_one() -> None:
    for created in (b'"soon"', b"-1", b"true", b"1e300", b"9" * 40):
        posted = delivered(hook(), {}, b'{"id": "e", "type": 7, "created": %s}' % created)
        assert (posted.event.time, posted.event.type) == (None, "")


# Secrets --------------------------------------------------------------------------------------------------------------


def test_a_file_holds_one_secret_or_the_new_one_and_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{STRIPE_SECRET.decode()}\n")
    assert secrets_of(hook(), tmp_path) == [STRIPE_SECRET]
    file.write_text(f"\nthe-new-one-of-stripe\r\n{STRIPE_SECRET.decode()}\n\n")
    assert secrets_of(hook(), tmp_path) == [b"the-new-one-of-stripe", STRIPE_SECRET]


@pytest.mark.parametrize(
    ("style", "content", "said"),
    [
        ("stripe", None, "cannot be read: No such file"),
        ("stripe", b"", "is empty"),
        ("stripe", b"\n \n", "is empty"),
        ("stripe", b"\xff", "it is no text"),
        ("stripe", b"1234567890123456\n" * 3, "has 3 secrets"),
        ("github", b"short", "holds a line that is no secret of the style 'github'"),
        ("standard", b"whsec_this is no base64!", "holds a line that is no secret"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_not_quoted(
    tmp_path: Path, style: Style, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        secrets_of(hook(style), tmp_path)
    assert said in str(caught.value)
    assert "/hooks/shop" in str(caught.value)
    assert "whsec_" not in str(caught.value)
    assert "short" not in str(caught.value)


# Definitions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/stripe", "hooks/stripe", "/hooks", "/hooks/", "/hooks/a b", "/hooks/a/b/c/d/e", "/hooks/ä"]
)
def test_a_path_is_below_hooks(path: str) -> None:
    with pytest.raises(DefinitionError, match="the path is one such as '/hooks/stripe'"):
        Webhook(path, "secret", "stripe")


def test_a_style_and_a_secret_are_needed() -> None:
    with pytest.raises(DefinitionError, match="one of 'stripe', 'github', 'standard'"):
        Webhook("/hooks/a", "secret", "stipe")  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="names the file with the secret"):
        Webhook("/hooks/a", "", "stripe")


def test_one_path_has_one_secret_and_as_many_maps_as_it_has_sensors() -> None:
    a = Asset("a")

    def one(event: CloudEvent) -> Ready:
        return a.ready()

    def two(event: CloudEvent) -> Ready:
        return a.ready()

    build(
        [a],
        [sensor(Webhook("/hooks/a", "s", "github", lambda e: e))(one), sensor(Webhook("/hooks/a", "s", "github"))(two)],
        [],
    )
    with pytest.raises(DefinitionError, match="/hooks/a is declared with two secrets or styles"):
        build(
            [a], [sensor(Webhook("/hooks/a", "s", "github"))(one), sensor(Webhook("/hooks/a", "t", "github"))(two)], []
        )


def test_the_limit_is_that_of_posted_events() -> None:
    assert EVENT_LIMIT == 1024 * 1024


def test_the_vectors_agree_with_a_third_implementation() -> None:
    content = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + STANDARD_BODY
    key = base64.b64decode(STANDARD_SECRET.removeprefix(b"whsec_"))
    assert base64.b64decode(STANDARD["webhook-signature"][3:]) == hmac.new(key, content, hashlib.sha256).digest()
    assert base64.b64decode(STANDARD["webhook-signature"][3:]).hex() == openssl(key, content)
