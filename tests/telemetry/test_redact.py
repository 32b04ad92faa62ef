"""Planted secrets, every sink: none comes through."""

from __future__ import annotations

import io
import json
import logging
import time
from urllib.parse import quote

import msgspec
import pytest

from reactor.telemetry.logs import JsonLines, Readable
from reactor.telemetry.redact import MASK, Redactor

KNOWN = [
    "hunter2-hunter2",
    "kafka-Pa$$word",
    "s3cr3t.with(regex)*chars",
    'q"uo\\te-däsh\ttab',
    "-----KEY\nof two lines",
]
PLANTED = [
    *(f"the broker said {secret} is wrong" for secret in KNOWN),
    "Authorization: Bearer abcdefghijklmnop1234",
    "authorization: basic dXNlcjpwYXNzd29yZA==",
    "{'Authorization': 'Bearer abcdefghijklmnop1234'}",
    "bearer abcdefghijklmnop1234",
    "password=abcdefghijklmnop1234",
    "PASSWORD: abcdefghijklmnop1234",
    "db_password = abcdefghijklmnop1234",
    '"password": "abcdefghijklmnop1234"',
    "passwd=abcdefghijklmnop1234&x=1",
    "client_secret=abcdefghijklmnop1234",
    "api_key=abcdefghijklmnop1234",
    "apikey=abcdefghijklmnop1234",
    "access_token=abcdefghijklmnop1234",
    "?token=abcdefghijklmnop1234&y=2",
    "postgres://shop:abcdefghijklmnop1234@db/orders",
    "https://user:abcdefghijklmnop1234@example.com/",
    "the service's own is rx_abcdefghijklmnop1234",
    "Authorization: ApiKey abcdefghijklmnop1234",
    "authorization=abcdefghijklmnop1234",
    "X-Api-Key: abcdefghijklmnop1234",
    "Set-Cookie: session=abcdefghijklmnop1234; HttpOnly",
    "aws_secret_access_key = abcdefghijklmnop1234",
    "AWS_SECRET_ACCESS_KEY=abcdefghijklmnop1234",
    'password="two words abcdefghijklmnop1234"',
    "{'password': 'two words abcdefghijklmnop1234'}",
    "password='two words and no end abcdefghijklmnop1234",
    "-----BEGIN RSA PRIVATE KEY-----\nabcdefghijklmnop1234\n-----END RSA PRIVATE KEY-----",
    *(f"{escaped} as a library spells it" for s in KNOWN for escaped in (repr(s), json.dumps(s), quote(s))),
]
SECRETS = [
    *(spelt for s in KNOWN for spelt in (s, repr(s)[1:-1], json.dumps(s)[1:-1], quote(s))),
    "abcdefghijklmnop1234",
    "dXNlcjpwYXNzd29yZA==",
]


def leaks(text: str) -> list[str]:
    return [s for s in SECRETS if s in text]


@pytest.mark.parametrize("planted", PLANTED)
def test_no_secret_comes_through_a_text(planted: str) -> None:
    assert leaks(planted), "the plant itself holds a secret"
    assert not leaks(Redactor(KNOWN)(planted))


@pytest.mark.parametrize("kind", [Readable, JsonLines])
@pytest.mark.parametrize("planted", PLANTED)
def test_no_secret_comes_through_a_log(planted: str, kind: type[Readable | JsonLines]) -> None:
    """In the message, in its arguments, in an extra field, in a traceback."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(kind(Redactor(KNOWN)))
    log = logging.Logger("test")  # noqa: LOG001 - one of its own, that nobody else writes to
    log.addHandler(handler)
    log.warning(planted)
    log.warning("an argument: %s", planted, extra={"more": planted})
    try:
        raise ValueError(planted)
    except ValueError:
        log.exception("it went wrong")
    assert out.getvalue().count(MASK) >= 3
    assert not leaks(out.getvalue())
    if kind is JsonLines:
        assert [msgspec.json.decode(line)["level"] for line in out.getvalue().splitlines()] == [
            "warning",
            "warning",
            "error",
        ]


@pytest.mark.parametrize(
    "text", ["nothing to hide", "https://example.com/a:b@c", "tokens are 12", "rows=812 day=2026-11-20"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor(KNOWN)(text) == text


@pytest.mark.parametrize(
    "bite",
    [
        "a",
        "-_token",
        'password="',
        "password ",
        "authorization ",
        "ab://",
        "a://b:",
        "-----BEGIN PRIVATE KEY-----",
        " \t",
    ],
)
def test_no_text_makes_it_slow(bite: str) -> None:
    """A log line may hold what an attacker wrote. A pattern that looks back over it would take minutes for this one."""
    redact = Redactor(KNOWN)
    began = time.perf_counter()
    redact((bite * 100_000)[:100_000])
    assert time.perf_counter() - began < 1


def test_a_json_line_holds_what_was_given() -> None:
    record = logging.LogRecord("reactor.x", logging.INFO, "", 0, "hello %s", ("you",), None)
    record.run = "01abc"
    line = msgspec.json.decode(JsonLines(Redactor()).format(record))
    assert (line["level"], line["logger"], line["msg"], line["run"]) == ("info", "reactor.x", "hello you", "01abc")
    assert line["ts"].endswith("Z")
