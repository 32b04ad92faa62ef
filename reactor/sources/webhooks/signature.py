"""Whether the sender of a webhook knew the secret, and when it signed. Law: pure; what comes in is hostile until proven.

Three ways to say the same, an HMAC-SHA256 over the body:

- `stripe`: `Stripe-Signature: t=SECONDS,v1=HEX[,v1=HEX...]`, over `SECONDS.BODY`;
- `github`: `X-Hub-Signature-256: sha256=HEX`, over the body. It signs neither its time nor its id;
- `standard` (Standard Webhooks): `webhook-id`, `webhook-timestamp`, `webhook-signature: v1,BASE64[ v1,BASE64...]`, over
  `ID.SECONDS.BODY`, with the bytes that the secret is the base64 of.

Every signature that was sent is compared with that of every secret, in constant time, whatever the first one said.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from reactor.model.duration import SECOND
from reactor.model.errors import ReactorError
from reactor.model.ids import Instant
from reactor.model.source import Style

WINDOW = 300 * SECOND
"""How far the time that was signed may lie from ours, before or behind."""
SIGNATURES = 8
"""How many of those that were sent are looked at: a sender that changes its secret signs with both."""


class Unsigned(ReactorError):
    """The request is not from who holds the secret, or is an old one. `reason` is a word for counting."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Claim(NamedTuple):
    """What a request claims of itself."""

    content: bytes
    """What was signed."""
    signatures: Sequence[bytes]
    at: Instant | None
    """When it was signed, where that was signed too."""


def verify(style: Style, headers: Mapping[str, str], body: bytes, secrets: Iterable[bytes], now: Instant) -> None:
    """Returns where one of the secrets signed this, within the window. Names of `headers` are in lower case.

    Raises:
        Unsigned: `missing`, `malformed`, `wrong` or `stale`.
    """
    claim = _CLAIMS[style](headers, body)
    ours = [hmac.new(key_of(style, secret), claim.content, hashlib.sha256).digest() for secret in secrets]
    right = sum(
        hmac.compare_digest(mine, theirs) for mine in ours for theirs in claim.signatures
    )  # all of them, always
    if not right:
        raise Unsigned("wrong", "The signature is wrong: another secret made it, or the body was changed on its way.")
    if claim.at is not None and abs(now - claim.at) > WINDOW:
        raise Unsigned("stale", "The signature is right but too old, or its time lies ahead: more than 5 minutes.")


def key_of(style: Style, secret: bytes) -> bytes:
    """The key that a secret stands for.

    Raises:
        ValueError: it is none of this style.
    """
    if style != "standard":
        return secret
    return base64.b64decode(secret.removeprefix(b"whsec_"), validate=True)


def _stripe(headers: Mapping[str, str], body: bytes) -> Claim:
    pairs = [part.strip().partition("=") for part in _given(headers, "stripe-signature").split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    if len(times) != 1:
        raise _malformed("stripe-signature")
    signatures = [_hex(value) for name, _, value in pairs if name == "v1"][:SIGNATURES]
    return Claim(times[0].encode() + b"." + body, signatures, _seconds(times[0]))


def _github(headers: Mapping[str, str], body: bytes) -> Claim:
    kind, _, value = _given(headers, "x-hub-signature-256").partition("=")
    if kind != "sha256":
        raise _malformed("x-hub-signature-256")
    return Claim(body, [_hex(value)], None)


def _standard(headers: Mapping[str, str], body: bytes) -> Claim:
    id, at, given = (_given(headers, f"webhook-{name}") for name in ("id", "timestamp", "signature"))
    pairs = [part.partition(",") for part in given.split(" ")]
    signatures = [_base64(value) for version, _, value in pairs if version == "v1"][:SIGNATURES]
    return Claim(f"{id}.{at}.".encode() + body, signatures, _seconds(at))


_CLAIMS: Mapping[Style, Callable[[Mapping[str, str], bytes], Claim]] = {
    "stripe": _stripe,
    "github": _github,
    "standard": _standard,
}


def _given(headers: Mapping[str, str], name: str) -> str:
    found = headers.get(name, "")
    if not found:
        raise Unsigned("missing", f"The request is not signed: it has no header {name}.")
    return found


def _seconds(text: str) -> Instant:
    if not (text.isascii() and text.isdecimal() and len(text) <= 11):
        raise Unsigned("malformed", "The time of the signature is no number of seconds.")
    return Instant(int(text) * SECOND)


def _hex(text: str) -> bytes:
    """Empty where it is none: it is then as wrong as any other."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _malformed(header: str) -> Unsigned:
    return Unsigned("malformed", f"The header {header} is not in the form that signatures of this kind have.")
