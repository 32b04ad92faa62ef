"""Alerts by webhook, to a real HTTP server; the signature is checked by its own reckoning."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from reactor.alerts.base import Undeliverable
from reactor.alerts.webhook import WebhookAlerts
from reactor.model.commands import Alert, AlertKind
from reactor.model.ids import Instant, Owner
from reactor.service.clock import SystemClock

ALERT = Alert("failed/r1/3", AlertKind.DEAD_LETTER, Owner("ana"), "s", "it failed", Instant(1_795_000_000_000_000))


class Hook(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 204
        self.came: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/alerts"


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.came.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("location", self.server.url)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def hook() -> Iterator[Hook]:
    server = Hook()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


async def test_the_alert_is_posted_and_signed_over_its_id_time_and_body(hook: Hook) -> None:
    await WebhookAlerts(hook.url, "s3cret", SystemClock()).send(ALERT)
    ((headers, body),) = hook.came
    assert json.loads(body) == {
        "type": "alert.dead_letter",
        "timestamp": "2026-11-18T11:06:40+00:00",
        "data": {"key": "failed/r1/3", "owner": "ana", "subject": "s", "text": "it failed"},
    }
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.new(b"s3cret", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()


async def test_an_alert_that_is_sent_twice_has_one_id(hook: Hook) -> None:
    channel = WebhookAlerts(hook.url, None, SystemClock())
    await channel.send(ALERT)
    await channel.send(ALERT)
    assert len({h["webhook-id"] for h, _ in hook.came}) == 1
    assert "webhook-signature" not in hook.came[0][0]


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_will_never_be_taken_is_told_apart(hook: Hook, status: int) -> None:
    hook.status = status
    with pytest.raises(Undeliverable, match=f"the webhook answered {status}"):
        await WebhookAlerts(hook.url, None, SystemClock()).send(ALERT)


@pytest.mark.parametrize("status", [302, 401, 404, 429, 500, 503])
async def test_other_answers_are_trouble_that_may_pass_and_no_redirect_is_followed(hook: Hook, status: int) -> None:
    hook.status = status
    with pytest.raises(ConnectionError, match=f"the webhook answered {status}"):
        await WebhookAlerts(hook.url, None, SystemClock()).send(ALERT)
    assert len(hook.came) == 1
