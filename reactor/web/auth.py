"""Who may come in. Deny by default: every route asks for the token but those that are named here, by object and not by their path.

On loopback there is one user with one token, made at start. The Host header is checked, so that a page in a browser cannot reach the service
under a name of its own (DNS rebinding), and an Origin, where there is one, has to be our own.
"""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Endpoint = Callable[[Request], Awaitable[Response]]


class Guard:
    """Wraps endpoints. `hosts`: the names under which the service may be spoken to."""

    def __init__(self, token: str, hosts: frozenset[str]) -> None:
        self._token = token.encode()
        self._hosts = frozenset(h.lower() for h in hosts)

    def open(self, endpoint: Endpoint) -> Endpoint:
        """For everybody who can reach the port: says nothing that is anybody's business."""

        async def answer(request: Request) -> Response:
            return self._wrong_host(request) or await endpoint(request)

        return answer

    def closed(self, endpoint: Endpoint) -> Endpoint:
        """For those who hold the token."""

        async def answer(request: Request) -> Response:
            return self._wrong_host(request) or self._wrong_token(request) or await endpoint(request)

        return answer

    def _wrong_host(self, request: Request) -> Response | None:
        spoken_to = request.headers.get("host", "").lower()
        host = _name(spoken_to)
        if host not in self._hosts and not _is_loopback(host):
            return refuse(421, f"This service does not answer to the name {host!r}. Set `hosts` to let it.")
        origin = request.headers.get("origin")
        if origin is not None and _place(origin) != spoken_to:
            return refuse(403, "The request comes from a page of another site.")
        return None

    def _wrong_token(self, request: Request) -> Response | None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token)
        if right and scheme.lower() == "bearer":
            return None
        answer = refuse(401, "Give the token of .reactor/service.json as `Authorization: Bearer ...`.")
        answer.headers["www-authenticate"] = "Bearer"
        return answer


def refuse(status: int, text: str, **more: object) -> Response:
    return JSONResponse({"error": text, **more}, status)


def _name(host: str) -> str:
    """The name of a Host header without its port; an IPv6 address stands in brackets there, and its colons are its own."""
    name, colon, port = host.rpartition(":")
    return name if colon and not port.endswith("]") else host


def _place(origin: str) -> str:
    """Host and port of an Origin header. A page has to be our own: another port is another page. `null` is nobody's."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


@lru_cache(maxsize=256)
def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
