"""The running service's own door, for commands that change something: address and token are in `.reactor/service.json`."""

import getpass
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from reactor.model.errors import ConfigError, NotFound, ReactorError, Unreachable
from reactor.model.events import Json
from reactor.project.config import Settings

TIMEOUT = 30.0


class Denied(ReactorError):
    """The service does not let us."""

    exit_code = 5


@dataclass(frozen=True)
class Client:
    """Speaks to one running service."""

    url: str
    token: str

    def get(self, path: str) -> Json:
        return self._ask("GET", path, None)

    def post(self, path: str, body: Json = None) -> Json:
        return self._ask("POST", path, {} if body is None else body)

    def _ask(self, method: str, path: str, body: Json) -> Json:
        host = urlsplit(self.url)
        connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=TIMEOUT)
        try:
            headers = {"authorization": f"Bearer {self.token}", "x-reactor-actor": actor()}
            headers |= {} if body is None else {"content-type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
            answer = connection.getresponse()
            return _answer(answer.status, answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(
                f"The service at {self.url} does not answer ({type(error).__name__}: {error}). If it was killed, its address is still in "
                ".reactor/service.json: start it again with `reactor run` or `reactor dev`."
            ) from error
        finally:
            connection.close()


def connect(settings: Settings) -> Client:
    """The service of this project.

    Raises:
        Unreachable: it does not run.
    """
    try:
        found: Mapping[str, str] = json.loads(settings.service_file.read_text("utf-8"))
        return Client(found["url"], found["token"])
    except FileNotFoundError:
        raise Unreachable(
            f"The service of {settings.root} does not run, and only it may change the ledger. Start it with `reactor run` or `reactor dev`, "
            "then try again."
        ) from None
    except PermissionError as error:
        raise Denied(
            f"{settings.service_file} belongs to another user. Do this as the user that the service runs as."
        ) from error
    except (ValueError, KeyError) as error:
        raise ConfigError(
            f"{settings.service_file} is damaged ({error}). Start the service again: it writes it anew."
        ) from error


def actor() -> str:
    """Who asks, for the audit log."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _answer(status: int, body: bytes) -> Json:
    try:
        said = json.loads(body) if body else {}
    except ValueError:
        said = {}
    if status < 400:
        return said
    text = said.get("error") if isinstance(said, dict) else None
    text = text or f"The service answered {status}."
    if status in (401, 403, 421):
        raise Denied(text)
    if status == 503:
        raise Unreachable(text)
    raise NotFound(text) if status == 404 else ReactorError(text)
