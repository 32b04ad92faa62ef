"""`POST /hooks/...`: what others send, signed with a secret that both know. Answered after the commit: 200 means durable.

Who has no signature, a wrong or an old one gets 401. That is counted (`reactor_webhook_refused_total`), and told in the audit
log, of each webhook at most once a minute: with how many there were since the last line, so that whoever tries a thousand
times fills nothing.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reactor.model.duration import MINUTE
from reactor.model.errors import ConfigError, Unreachable
from reactor.model.ids import Instant, SourceName
from reactor.model.ports import Clock
from reactor.model.source import Webhook
from reactor.sources.cloudevents import Refused
from reactor.sources.http import Busy, HttpIntake
from reactor.sources.webhooks.delivery import HOOK_LIMIT, delivered
from reactor.sources.webhooks.keys import secrets_of
from reactor.sources.webhooks.signature import Unsigned, verify
from reactor.web.auth import refuse
from reactor.web.limits import TooLarge, body_of

log = logging.getLogger(__name__)

Count = Callable[[SourceName, str], None]
Note = Callable[[str, str, str], Awaitable[None]]
"""Writes a line into the audit log: who, what, and its detail. Durable when it returns."""


class Refusals:
    """Those of one webhook that were turned away."""

    def __init__(self, clock: Clock, count: Count, note: Note) -> None:
        self._clock, self._count, self._note = clock, count, note
        self._told: dict[SourceName, Instant] = {}
        self._since: dict[SourceName, int] = {}

    async def add(self, spec: Webhook, reason: str) -> None:
        self._count(spec.name, reason)
        number = self._since[spec.name] = self._since.get(spec.name, 0) + 1
        now, last = self._clock.now(), self._told.get(spec.name)
        if last is not None and now - last < MINUTE:
            return
        self._told[spec.name], self._since[spec.name] = now, 0
        try:
            await self._note(spec.name, "refuse webhook", f"{number} since the last line; this one: {reason}")
        except Unreachable:
            log.warning("%s: %d deliveries were refused; the last one: %s.", spec.name, number, reason)


class HookDoor:
    """`intake` gives the one of the definitions that hold now: it is made anew when they are reloaded."""

    def __init__(self, intake: Callable[[], HttpIntake], root: Path, clock: Clock, refusals: Refusals) -> None:
        self._intake, self._root, self._clock, self._refusals = intake, root, clock, refusals

    async def post(self, request: Request) -> Response:
        intake = self._intake()
        spec = intake.hook(request.url.path)
        if spec is None:
            return refuse(404, "There is no webhook at this path.")
        try:
            return await self._take(intake, spec, request)
        except Unsigned as error:
            await self._refusals.add(spec, error.reason)
            return refuse(401, str(error))
        except Refused as error:
            await self._refusals.add(spec, "unreadable")
            return refuse(error.status, error.text)
        except TooLarge:
            await self._refusals.add(spec, "too large")
            raise
        except Busy as error:
            answer = refuse(429, str(error))
            answer.headers["retry-after"] = str(error.retry_after)
            return answer

    async def _take(self, intake: HttpIntake, spec: Webhook, request: Request) -> Response:
        headers = _once(request)
        body = await body_of(request, HOOK_LIMIT)
        verify(spec.style, headers, body, self._secrets(intake, spec), self._clock.now())
        posted = delivered(spec, headers, body)
        await intake.deliver(spec, posted)
        return JSONResponse({"id": posted.event.id, "accepted": True})

    def _secrets(self, intake: HttpIntake, spec: Webhook) -> list[bytes]:
        """Raises Unreachable: the sender comes again, and the reason is for us alone."""
        try:
            found = secrets_of(spec, self._root)
        except ConfigError as error:
            intake.trouble(spec, str(error))
            log.error("%s", error)
            raise Unreachable("The webhook cannot be checked now. Send it again later.") from None
        intake.trouble(spec, None)
        return found


def _once(request: Request) -> Mapping[str, str]:
    """The headers, each that counts at most once: which of two would be meant cannot be told."""
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        if name in found and ("signature" in name or name.startswith(("webhook-", "x-github-", "content-type"))):
            raise Unsigned("malformed", f"The header {name} was sent twice.")
        found[name] = value
    return found
