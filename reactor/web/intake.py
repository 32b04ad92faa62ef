"""`POST /events` and `POST /buckets`: CloudEvents and notifications in, and an answer only when they are durable."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reactor.sources.bucket import Webhook
from reactor.sources.cloudevents import REQUEST_LIMIT, Parsed, Posted, Refused, parse
from reactor.sources.http import Busy, HttpIntake, UnknownType
from reactor.web.auth import refuse
from reactor.web.limits import body_of

NOTIFICATION_LIMIT = 1024 * 1024
"""Bytes of one notification of a bucket: Amazon sends at most 256 KiB, with one object in it."""


class BucketDoor:
    """`POST /buckets`: what a bucket's server says has happened. Answered when what it led to is durable."""

    def __init__(self, webhook: Callable[[], Webhook]) -> None:
        self._webhook = webhook

    async def post(self, request: Request) -> Response:
        named = await self._webhook().post(await body_of(request, NOTIFICATION_LIMIT))
        return JSONResponse({"named": named})


class EventDoor:
    """`intake` gives the one of the definitions that hold now: it is made anew when they are reloaded."""

    def __init__(self, intake: Callable[[], HttpIntake]) -> None:
        self._intake = intake

    async def post(self, request: Request) -> Response:
        body = await body_of(request, REQUEST_LIMIT)
        try:
            parsed = parse(request.headers.items(), body)
        except Refused as error:
            return refuse(error.status, error.text)
        return await self._offer(parsed)

    async def _offer(self, parsed: Parsed) -> Response:
        intake = self._intake()
        refused = {r.number: (r.status, r.text) for r in parsed.refused}
        good: list[Posted] = []
        for posted in parsed.posted:
            unknown = intake.refuse(posted.event.type)
            if unknown is None:
                good.append(posted)
            else:
                refused[posted.number] = (404, unknown)
        try:
            if good:
                await intake.offer(good)
        except UnknownType as error:
            return refuse(404, str(error))
        except Busy as error:
            answer = refuse(429, str(error))
            answer.headers["retry-after"] = str(error.retry_after)
            return answer
        if not parsed.batch:
            return _single(good, refused)
        return JSONResponse(_items(good, refused), 207 if refused else 202)


def _single(good: list[Posted], refused: dict[int, tuple[int, str]]) -> Response:
    if refused:
        status, text = next(iter(refused.values()))
        return refuse(status, text)
    return JSONResponse({"id": good[0].event.id, "accepted": True}, 202)


def _items(good: list[Posted], refused: dict[int, tuple[int, str]]) -> list[dict[str, object]]:
    """One answer for each event of the batch, in its order."""
    items: dict[int, dict[str, object]] = {p.number: {"id": p.event.id, "accepted": True} for p in good}
    items |= {n: {"accepted": False, "status": status, "error": text} for n, (status, text) in refused.items()}
    return [items[n] for n in sorted(items)]
