"""Alerts by webhook: one POST of JSON, signed as Standard Webhooks asks, so that a chat bridge or a pager can trust and deduplicate it."""

import base64
import hashlib
import hmac

import msgspec

from reactor.alerts.base import Undeliverable
from reactor.model.commands import Alert
from reactor.model.partitions import moment
from reactor.model.ports import Clock

SECONDS = 10.0
NEVER = (400, 413, 422)
"""Answers that mean: this message will not be taken, however often it is sent."""


class WebhookAlerts:
    """Posts each alert to one address that the settings name. Redirects are not followed: what was set is what is spoken to."""

    name = "webhook"

    def __init__(self, url: str, secret: str | None, clock: Clock) -> None:
        self._url, self._clock = url, clock
        self._key = secret.encode() if secret else None

    async def send(self, alert: Alert) -> None:
        import httpx  # noqa: PLC0415 - heavy, and most projects send no webhooks

        body = body_of(alert)
        headers = signed(alert, body, self._key, self._clock.now() // 1_000_000)
        async with httpx.AsyncClient(timeout=SECONDS, follow_redirects=False, trust_env=False) as client:
            answer = await client.post(self._url, content=body, headers=headers)
        if answer.status_code in NEVER:
            raise Undeliverable(f"the webhook answered {answer.status_code}: {answer.text[:200]}")
        if not answer.is_success:
            raise ConnectionError(f"the webhook answered {answer.status_code}")


def body_of(alert: Alert) -> bytes:
    """The alert as JSON."""
    return msgspec.json.encode(
        {
            "type": f"alert.{alert.kind.value.replace(' ', '_')}",
            "timestamp": moment(alert.at).isoformat(),
            "data": {"key": alert.key, "owner": alert.owner, "subject": alert.subject, "text": alert.text},
        }
    )


def signed(alert: Alert, body: bytes, key: bytes | None, now: int) -> dict[str, str]:
    """The headers of Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`. `now`: seconds since 1970."""
    id = "msg_" + hashlib.sha256(alert.key.encode()).hexdigest()[:32]
    headers = {"content-type": "application/json", "webhook-id": id, "webhook-timestamp": str(now)}
    if key is not None:
        mac = hmac.digest(key, f"{id}.{now}.".encode() + body, "sha256")
        headers["webhook-signature"] = "v1," + base64.b64encode(mac).decode()
    return headers
