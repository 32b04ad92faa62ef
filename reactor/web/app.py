"""The routes. Each says at its place who may use it; a test walks through them all.

- `POST /events`: CloudEvents 1.0, binary, structured or batch. Answered after the commit: 202 means durable.
- `POST /hooks/...`: signed webhooks; open, for the signature is what lets them in. Answered after the commit: 200 means durable.
- `POST /buckets`: what a bucket's server tells of its objects; 200 means that what it led to is durable.
- `POST /topics/{topic}`: records for a topic; of the embedded log, or handed on to Kafka.
- `GET /livez`, `/readyz`, `/metrics`: open, they say nothing of anybody's data.
- `/api/...`: what the command line asks of the running service.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reactor.model.errors import NotFound, ReactorError, Unreachable
from reactor.model.events import Json
from reactor.model.ids import SourceName
from reactor.service.commands import Commands, Refused
from reactor.sources.base import Health
from reactor.web.auth import Endpoint, Guard, refuse
from reactor.web.hooks import HookDoor
from reactor.web.intake import BucketDoor, EventDoor
from reactor.web.limits import Patience, TooLarge, TooSlow, body_of

PUBLISH_LIMIT = 8 * 1024 * 1024
"""Bytes of one request to `/topics`."""


class Word(msgspec.Struct, forbid_unknown_fields=True):
    """One record as it is published: `value` is any JSON value, `text` a body as it stands."""

    value: Json = msgspec.UNSET
    text: str | None = None
    key: str | None = None
    headers: dict[str, str] = {}


class Decision(msgspec.Struct, forbid_unknown_fields=True):
    """What a person says of a partition that a gate holds."""

    asset: str
    partition: str = ""
    reason: str = ""


Publish = Callable[[str, Sequence[Word]], Awaitable[None]]


class Running(Protocol):
    """What the routes need to know of the running service."""

    def ready(self) -> str | None:
        """Why it is not ready; None where it is."""

    def health(self) -> Mapping[SourceName, Health]: ...
    async def metrics(self) -> tuple[bytes, str]: ...
    def about(self) -> Mapping[str, Json]: ...


class App:
    """The endpoints over what they need."""

    def __init__(
        self,
        running: Running,
        commands: Commands,
        events: EventDoor,
        buckets: BucketDoor,
        hooks: HookDoor,
        publish: Publish,
    ) -> None:
        self._running, self._commands, self._publish = running, commands, publish
        self._events, self._buckets, self._hooks = events, buckets, hooks

    def routes(self, guard: Guard) -> list[Route]:
        get, post = ["GET"], ["POST"]
        return [
            Route("/livez", guard.open(self.livez), methods=get),
            Route("/readyz", guard.open(self.readyz), methods=get),
            Route("/metrics", guard.open(self.metrics), methods=get),
            Route("/events", guard.closed(self._writing(self._events.post)), methods=post),
            Route("/buckets", guard.closed(self._writing(self._buckets.post)), methods=post),
            Route("/hooks/{rest:path}", guard.open(self._writing(self._hooks.post)), methods=post),
            Route("/topics/{topic}", guard.closed(_mended(self.publish)), methods=post),
            Route("/api/about", guard.closed(_mended(self.about)), methods=get),
            Route("/api/sources", guard.closed(_mended(self.sources)), methods=get),
            Route("/api/runs/{id}/cancel", guard.closed(self._writing(self.cancel)), methods=post),
            Route("/api/runs/{id}/again", guard.closed(self._writing(self.again)), methods=post),
            Route("/api/held/approve", guard.closed(self._writing(self.approve)), methods=post),
            Route("/api/held/reject", guard.closed(self._writing(self.reject)), methods=post),
            Route("/api/dead/{id:int}/retry", guard.closed(self._writing(self.retry)), methods=post),
            Route("/api/dead/{id:int}/drop", guard.closed(self._writing(self.drop)), methods=post),
        ]

    def _writing(self, endpoint: Endpoint) -> Endpoint:
        """For what ends in the ledger: while that cannot be written, callers hear why and keep what they have, instead of hanging."""

        async def answer(request: Request) -> Response:
            why_not = self._running.ready()
            if why_not is not None:
                raise held_up(why_not)
            return await endpoint(request)

        return _mended(answer)

    async def livez(self, request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def readyz(self, request: Request) -> Response:
        why_not = self._running.ready()
        return JSONResponse({"ready": why_not is None, "reason": why_not}, 200 if why_not is None else 503)

    async def metrics(self, request: Request) -> Response:
        body, kind = await self._running.metrics()
        return Response(body, media_type=kind)

    async def about(self, request: Request) -> Response:
        return JSONResponse(dict(self._running.about()))

    async def sources(self, request: Request) -> Response:
        return JSONResponse({name: msgspec.to_builtins(h) for name, h in self._running.health().items()})

    async def publish(self, request: Request) -> Response:
        topic = request.path_params["topic"]
        body = await body_of(request, PUBLISH_LIMIT)
        try:
            words = msgspec.json.decode(body, type=Word | list[Word])
        except msgspec.MsgspecError as error:
            return refuse(400, f'No record was published: {error}. Send {{"value": ...}}, or a list of such.')
        records = words if isinstance(words, list) else [words]
        for number, word in enumerate(records):
            if (wrong := _wrong(word)) is not None:
                return refuse(400, f"No record was published: record {number} {wrong}")
        await self._publish(topic, records)
        return JSONResponse({"published": len(records)}, 202)

    async def cancel(self, request: Request) -> Response:
        reason = str((await _json(request)).get("reason", ""))
        run = await self._commands.cancel(request.path_params["id"], _actor(request), reason)
        return JSONResponse({"run": run})

    async def again(self, request: Request) -> Response:
        run = await self._commands.again(request.path_params["id"], _actor(request))
        return JSONResponse({"run": run})

    async def approve(self, request: Request) -> Response:
        asked = await _decision(request)
        done = await self._commands.approve(asked.asset, asked.partition, _actor(request), asked.reason)
        return JSONResponse({"approved": done})

    async def reject(self, request: Request) -> Response:
        asked = await _decision(request)
        seq = await self._commands.reject(asked.asset, asked.partition, _actor(request), asked.reason)
        return JSONResponse({"rejected": seq})

    async def retry(self, request: Request) -> Response:
        made = await self._commands.retry_dead(request.path_params["id"], _actor(request))
        return JSONResponse({"ready": made})

    async def drop(self, request: Request) -> Response:
        reason = str((await _json(request)).get("reason", ""))
        await self._commands.drop_dead(request.path_params["id"], _actor(request), reason)
        return JSONResponse({"dropped": request.path_params["id"]})


async def _decision(request: Request) -> Decision:
    asked = msgspec.json.decode(await body_of(request, 64 * 1024), type=Decision)
    if not asked.reason.strip():
        raise Refused("A decision is kept for ever, and those who come after ask why: give a reason.")
    return asked


def held_up(why_not: str) -> Unreachable:
    """The answer while the ledger cannot be written."""
    return Unreachable(f"Nothing was taken of this, because nothing can be written now. {why_not} Then send it again.")


def _wrong(word: Word) -> str | None:
    """Why it is no record; None where it is one."""
    if word.text is not None and word.value is not msgspec.UNSET:
        return "has a value and a text, but one record has one body. Give `value` for JSON, or `text` for a body as it stands."
    if word.text is None and word.value is msgspec.UNSET and word.key is None:
        return "says nothing. Give it a `value` or a `text`; a `key` alone deletes what is under it."
    return None


async def _json(request: Request) -> Mapping[str, Json]:
    body = await body_of(request, 64 * 1024)
    found = msgspec.json.decode(body) if body else {}
    return found if isinstance(found, dict) else {}


def _actor(request: Request) -> str:
    """Who asks, for the audit log: the name that the command line gives, on a machine with one user."""
    return request.headers.get("x-reactor-actor", "local")[:128]


def _mended(endpoint: Endpoint) -> Endpoint:
    """Our own errors as answers, in one place."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except TooLarge as error:
            return refuse(413, str(error))
        except TooSlow as error:
            answer = refuse(408, str(error))
            answer.headers["connection"] = "close"  # what is left of the body would be taken for the next request's
            return answer
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return refuse(400, f"The body is not what is asked for here: {error}.")
        except Unreachable as error:
            answer = refuse(503, str(error))
            answer.headers["retry-after"] = "1"
            return answer
        except NotFound as error:
            return refuse(404, str(error))
        except Refused as error:
            return refuse(409, str(error))
        except ReactorError as error:
            return refuse(400, str(error))

    return answer


class Careful:
    """Answers are data: no browser guesses what they are, keeps them, shows them in a frame, or says where it read them."""

    HEADERS = (
        (b"cache-control", b"no-store"),
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
    )

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self.HEADERS]
            await send(message)

        await self._app(scope, receive, sent)


def make_app(app: App, guard: Guard, body_seconds: float) -> Starlette:
    """`body_seconds`: how long a request's body may take."""
    patience = Middleware(Patience, seconds=body_seconds)
    return Starlette(routes=app.routes(guard), middleware=[Middleware(Careful), patience])
