"""Signed webhooks at the real door: who may come in, that 200 means durable, and what is told of those who may not."""

import hashlib
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import BaseModel

from reactor import Asset, CloudEvent, Dynamic, Ready, Webhook, sensor
from reactor.core.build import build
from reactor.core.graph import Graph
from reactor.model.duration import MINUTE
from reactor.model.errors import Unreachable
from reactor.model.ids import AssetName, PartitionKey, SourceName
from reactor.model.source import Map
from reactor.project.config import load_settings
from reactor.project.load import Definitions
from reactor.sources.base import Condition
from reactor.sources.http import Busy
from reactor.sources.webhooks.delivery import HOOK_LIMIT
from reactor.web.hooks import Refusals
from reactor.web.runner import make_service
from tests.clock import VirtualClock
from tests.services.wait import eventually
from tests.web.conftest import Door

SECRET, OLD, STRANGER = "the-secret-of-the-shop", "the-secret-that-was-before", "the-secret-of-a-stranger"
NAME = SourceName("webhook:/hooks/stripe")
paid, pushed = Asset("paid", Dynamic("invoice")), Asset("pushed", Dynamic("ref"))


class Invoice(BaseModel):
    number: str


def only_paid(event: CloudEvent) -> CloudEvent | None:
    """The user's map: what is delivered is wrapped, and most of it is of no interest."""
    if event.type != "invoice.paid":
        return None
    return CloudEvent(event.id, event.source, event.type, data=event.data["data"]["object"])


def graph(map: Map | None = only_paid) -> Graph:
    stripe, github = (
        Webhook("/hooks/stripe", "secrets/stripe", "stripe", map),
        Webhook("/hooks/git/hub", "secrets/github", "github"),
    )

    @sensor(stripe)
    async def on_paid(invoice: Invoice) -> Ready:
        return paid.ready(invoice.number)

    @sensor(github)
    def on_push(event: CloudEvent) -> Ready:
        return pushed.ready(event.data["ref"])

    return build([paid, pushed], [on_paid, on_push], [])


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    (tmp_path / "secrets").mkdir()
    for name in ("stripe", "github"):
        (tmp_path / "secrets" / name).write_text(f"{SECRET}\n")
    settings = load_settings(tmp_path, flags={"port": 0, "stop_timeout": "0s"}, environ={}).settings
    runner = await make_service(settings, Definitions(tmp_path, (), graph(), {}, ()))
    await runner.open()
    bearer = {"authorization": f"Bearer {runner.token}"}
    async with (
        httpx.AsyncClient(base_url=runner.url, headers=bearer, trust_env=False) as client,
        httpx.AsyncClient(base_url=runner.url, trust_env=False) as stranger,
    ):
        yield Door(runner, client, stranger)
    await runner.close()


def invoice(id: str, number: str = "i1", kind: str = "invoice.paid") -> bytes:
    return json.dumps({"id": id, "type": kind, "data": {"object": {"number": number}}}).encode()


def signed(body: bytes, secret: str = SECRET, at: int | None = None) -> dict[str, str]:
    """As Stripe signs, worked out anew."""
    now = int(time.time()) if at is None else at
    mac = hmac.new(secret.encode(), b"%d.%s" % (now, body), hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={now},v1={mac}"}


async def deliver(door: Door, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    """As a stranger to our token, which those who deliver are."""
    return await door.stranger.post("/hooks/stripe", content=body, headers=signed(body) if headers is None else headers)


async def versions(door: Door, number: str = "i1") -> int:
    slot = await (await door.runner.assembly.reader()).slot(AssetName("paid"), PartitionKey(number))
    return 0 if slot is None else slot.version


async def test_a_delivery_is_answered_when_it_is_durable_and_has_its_effect_once(door: Door) -> None:
    first = await deliver(door, invoice("evt_1"))
    assert (first.status_code, first.json(), await versions(door)) == (200, {"id": "evt_1", "accepted": True}, 1)
    second = await deliver(door, invoice("evt_1"))
    assert (second.status_code, second.json(), await versions(door)) == (200, {"id": "evt_1", "accepted": True}, 1)
    await deliver(door, invoice("evt_2"))
    assert await versions(door) == 2
    assert list(await (await door.runner.assembly.reader()).balance()) == []


async def test_github_s_way(door: Door) -> None:
    body = b'{"ref": "refs/heads/main"}'
    mac = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-hub-signature-256": f"sha256={mac}", "x-github-event": "push", "x-github-delivery": "d1"}
    for _ in range(2):
        assert (await door.stranger.post("/hooks/git/hub", content=body, headers=headers)).status_code == 200
    slot = await (await door.runner.assembly.reader()).slot(AssetName("pushed"), PartitionKey("refs/heads/main"))
    assert slot is not None
    assert slot.version == 1


async def test_what_the_map_leaves_out_is_taken_and_has_no_effect(door: Door) -> None:
    answer = await deliver(door, invoice("evt_1", kind="invoice.drafted"))
    assert (answer.status_code, await versions(door)) == (200, 0)
    reader = await door.runner.assembly.reader()
    assert list(await reader.dead(None, 9)) == []
    assert list(await reader.balance()) == []


async def test_what_the_map_fails_of_is_a_dead_letter_that_can_be_retried_when_it_is_mended(door: Door) -> None:
    body = json.dumps({"id": "evt_1", "type": "invoice.paid", "data": {"number": "i1"}}).encode()
    assert (await deliver(door, body)).status_code == 200
    [letter] = await (await door.runner.assembly.reader()).dead(None, 9)
    assert (letter.sensor, letter.reason) == ("on_paid", "KeyError: 'object'")

    def mended(event: CloudEvent) -> CloudEvent:
        return CloudEvent(event.id, event.source, event.type, data=event.data["data"])

    await door.runner.reload(Definitions(door.runner.settings.root, (), graph(mended), {}, ()))
    await door.runner.assembly.commands.retry_dead(letter.id, "test")
    assert await versions(door) == 1


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "missing"),
        ({"stripe-signature": "t=1"}, "wrong"),
        ({"stripe-signature": "v1=00"}, "malformed"),
        (signed(invoice("evt_1"), STRANGER), "wrong"),
        (signed(invoice("evt_2")), "wrong"),
        (signed(invoice("evt_1"), at=int(time.time()) - 3_600), "stale"),
        (signed(invoice("evt_1"), at=int(time.time()) + 3_600), "stale"),
    ],
)
async def test_who_is_not_proven_to_know_the_secret_is_turned_away_counted_and_told(
    door: Door, headers: dict[str, str], reason: str
) -> None:
    answer = await deliver(door, invoice("evt_1"), headers)
    assert (answer.status_code, await versions(door)) == (401, 0)
    page = (await door.stranger.get("/metrics")).text
    assert f'reactor_webhook_refused_total{{reason="{reason}",source="{NAME}"}} 1.0' in page
    [line] = await (await door.runner.assembly.reader()).audits(9)
    assert (line.actor, line.action, line.detail) == (
        NAME,
        "refuse webhook",
        f"1 since the last line; this one: {reason}",
    )


async def test_whoever_tries_again_and_again_fills_no_audit_log(door: Door) -> None:
    for _ in range(30):
        await deliver(door, invoice("evt_1"), {})
    assert len(await (await door.runner.assembly.reader()).audits(99)) == 1
    assert f'{{reason="missing",source="{NAME}"}} 30.0' in (await door.stranger.get("/metrics")).text


async def test_the_audit_log_gets_a_line_a_minute_of_each_webhook_with_their_number() -> None:
    clock, lines, counted = VirtualClock(), list[tuple[str, str]](), list[str]()

    async def note(actor: str, action: str, detail: str) -> None:
        lines.append((actor, detail))

    refusals = Refusals(clock, lambda _, reason: counted.append(reason), note)
    a, b = Webhook("/hooks/a", "s", "github"), Webhook("/hooks/b", "s", "github")
    for _ in range(5):
        await refusals.add(a, "wrong")
    await refusals.add(b, "stale")
    await clock.advance(MINUTE)
    await refusals.add(a, "missing")
    assert lines == [
        (a.name, "1 since the last line; this one: wrong"),
        (b.name, "1 since the last line; this one: stale"),
        (a.name, "5 since the last line; this one: missing"),
    ]
    assert len(counted) == 7


async def test_a_secret_is_changed_without_a_gap(door: Door) -> None:
    file = door.runner.settings.root / "secrets" / "stripe"
    file.write_text(f"{SECRET}\n{OLD}\n")
    for number, secret in enumerate((SECRET, OLD)):
        body = invoice(f"evt_{number}")
        assert (await deliver(door, body, signed(body, secret))).status_code == 200
    file.write_text(f"{SECRET}\n")
    body = invoice("evt_3")
    assert (await deliver(door, body, signed(body, OLD))).status_code == 401


async def test_a_webhook_without_its_secret_takes_nothing_and_says_why(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    file = door.runner.settings.root / "secrets" / "stripe"
    file.unlink()
    answer = await deliver(door, invoice("evt_1"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "secrets" not in answer.text, "a stranger is told nothing of our files"
    health = door.runner.health()[NAME]
    assert health.condition is Condition.BROKEN
    assert "cannot be read: No such file or directory. Put the secret that the sender shows there" in str(health.error)
    file.write_text(SECRET)
    assert (await deliver(door, invoice("evt_1"))).status_code == 200
    assert door.runner.health()[NAME].condition is Condition.CONNECTED


async def test_it_says_so_from_the_start(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, flags={"port": 0}, environ={}).settings
    runner = await make_service(settings, Definitions(tmp_path, (), graph(), {}, ()))
    await runner.open()
    try:
        await eventually(lambda: runner.health()[NAME].condition is Condition.BROKEN)
    finally:
        await runner.close()


async def test_bodies_have_a_limit_and_are_read_no_further(door: Door) -> None:
    body = invoice("evt_1", "x" * HOOK_LIMIT)
    assert (await deliver(door, body)).status_code == 413
    assert (
        f'reactor_webhook_refused_total{{reason="too large",source="{NAME}"}} 1.0'
        in (await door.stranger.get("/metrics")).text
    )


async def test_a_delivery_that_is_signed_and_no_event_is_refused_with_the_reason(door: Door) -> None:
    for body, status in ((b"no json", 400), (b"{}", 400)):
        assert (await deliver(door, body)).status_code == status
    body = invoice("evt_1")
    form = {**signed(body), "content-type": "application/x-www-form-urlencoded"}
    assert (await deliver(door, body, form)).status_code == 415


async def test_of_two_signatures_in_two_headers_none_is_believed(door: Door) -> None:
    body = invoice("evt_1")
    twice = [*signed(body, STRANGER).items(), *signed(body).items()]
    assert (await door.stranger.post("/hooks/stripe", content=body, headers=twice)).status_code == 401


async def test_other_paths_and_methods_are_not_there(door: Door) -> None:
    for path in ("/hooks/strip", "/hooks/", "/hooks/stripe/", "/hooks/git", "/hooks//stripe"):
        answer = await door.stranger.post(path, content=b"{}", headers=signed(b"{}"))
        assert answer.status_code == 404, path
    assert (await door.stranger.get("/hooks/stripe")).status_code == 405
    body = invoice("evt_1")
    answer = await door.stranger.post("/hooks/stripe", content=body, headers={**signed(body), "host": "evil.example"})
    assert answer.status_code == 421


@pytest.mark.parametrize(("error", "status"), [(Busy("too much waits"), 429), (Unreachable("it is stopping"), 503)])
async def test_who_comes_at_a_bad_moment_is_told_to_come_again(
    door: Door, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    async def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(door.runner.assembly.sources.http, "deliver", refuse)
    answer = await deliver(door, invoice("evt_1"))
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "1")


async def test_secrets_and_signatures_are_in_no_log_and_no_answer(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = invoice("evt_1")
    right = signed(body)
    for headers in (right, {}, signed(body, STRANGER), signed(body, at=1), {"stripe-signature": f"t={SECRET}"}):
        answer = await deliver(door, body, headers)
        assert SECRET not in answer.text
    said = caplog.text + "".join(line.detail for line in await (await door.runner.assembly.reader()).audits(9))
    assert SECRET not in said
    assert right["stripe-signature"].split("v1=")[1] not in said
