"""The runner: an assembled service with its door, its name on the machine, and its end."""

import asyncio
import gc
import ipaddress
import json
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version

from reactor.model.errors import ConfigError
from reactor.model.ids import SourceName
from reactor.model.ports import Clock
from reactor.project.config import Settings
from reactor.project.load import Definitions
from reactor.service.alive import Heart
from reactor.service.wellbeing import watch_over
from reactor.service.work import Labels, nothing
from reactor.sources.base import Health
from reactor.web.app import App, make_app
from reactor.web.auth import Guard
from reactor.web.hooks import HookDoor, Refusals
from reactor.web.intake import BucketDoor, EventDoor
from reactor.web.publish import Publisher
from reactor.web.server import Web, bind
from reactor.wiring import Assembly

TURN = 0.0003
"""Seconds for which one thread keeps the interpreter from another. A commit asks for it some dozens of times, between its statements, and a busy
loop would let it wait five milliseconds each time."""
YOUNG_AT_MOST = 50_000
"""Objects that may be made before the garbage collector looks at them. What a batch of events makes is let go of with the batch, and has no cycles;
to look through it while it is under way costs a fifth of the processor, in pauses of ten milliseconds."""


class Runner:
    """A service that can be opened, waited for and closed. `url` and `token` hold while it is open."""

    def __init__(self, assembly: Assembly) -> None:
        settings = assembly.settings
        self._assembly, self.settings, self.service = assembly, settings, assembly.service
        self.token = settings.token.get_secret_value() if settings.token else f"rx_{secrets.token_urlsafe(32)}"
        self._heart = Heart(assembly.clock)
        self.publisher = Publisher(assembly)
        self._web: Web | None = None
        self._beside: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        return self._web.url if self._web is not None else ""

    @property
    def assembly(self) -> Assembly:
        return self._assembly

    async def reload(self, definitions: Definitions) -> None:
        """New definitions for the same service."""
        await self._assembly.reload(definitions)

    async def open(self) -> None:
        """Binds, takes the ledger, starts everything, and writes down where it can be reached.

        Raises:
            ConfigError: the address, the folder or the database cannot be used.
            StoreBusy: another engine holds the ledger.
        """
        sock = bind(self.settings.host, self.settings.port)
        try:
            _make_state_dir(self.settings)
            await self.service.open()
        except BaseException:
            sock.close()
            raise
        try:
            self._open_door(sock)
        except BaseException:
            await self.close()
            raise
        sys.setswitchinterval(TURN)
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG_AT_MOST, 20, 50)

    def _open_door(self, sock: socket.socket) -> None:
        made = self._assembly
        events, buckets = EventDoor(lambda: made.sources.http), BucketDoor(lambda: made.sources.bucket_hook)
        refusals = Refusals(made.clock, made.refused_webhook, made.commands.note)
        hooks = HookDoor(lambda: made.sources.http, self.settings.root, made.clock, refusals)
        app = App(self, made.commands, events, buckets, hooks, self.publisher.publish)
        guard = Guard(self.token, frozenset(self.settings.hosts))
        self._web = Web(make_app(app, guard, self.settings.body_seconds), sock)
        self._web.start()
        self._beside = [
            asyncio.create_task(self._heart.run(), name="heart"),
            asyncio.create_task(watch_over(self.service.own_health, self._assembly.clock), name="wellbeing"),
        ]
        _write_service_file(self.settings, self.url, self.token)

    async def wait(self) -> None:
        """Returns when the service ended by itself; raises what it failed of."""
        await self.service.wait()

    async def close(self) -> None:
        """Drains, within the setting `stop_timeout`."""
        with suppress(FileNotFoundError):
            self.settings.service_file.unlink()
        if self._web is not None:
            await self._web.stop()
        for task in self._beside:
            task.cancel()
        await self.publisher.close()
        await self._assembly.close()

    # what the routes ask

    def ready(self) -> str | None:
        """See `reactor.web.app.Running`."""
        if not self.service.ready:
            return "The service is starting or stopping."
        return self.service.engine.trouble

    def health(self) -> Mapping[SourceName, Health]:
        """See `reactor.web.app.Running`."""
        return self.service.health()

    async def metrics(self) -> tuple[bytes, str]:
        """See `reactor.web.app.Running`."""
        return await self._assembly.metrics(self._heart.lag)

    def about(self) -> Mapping[str, object]:
        """See `reactor.web.app.Running`."""
        engine = self.service.engine
        return {
            "version": version("reactor-orchestrator"),
            "pid": os.getpid(),
            "ready": self.ready() is None,
            "open_runs": len(engine.state.runs),
            "paused": engine.paused,
            "alerts": dict(self.service.outbox.troubles),
            "loop_lag_seconds": self._heart.lag,
            "definitions": [str(f) for f in self._assembly.definitions.files],
        }


async def make_service(
    settings: Settings, definitions: Definitions, labels: Labels = nothing, clock: Clock | None = None
) -> Runner:
    """The parts, chosen and joined; nothing runs yet.

    Raises:
        ConfigError: a setting asks for something that cannot be.
    """
    _check_bind(settings)
    return Runner(Assembly(settings, definitions, labels, clock))


def _make_state_dir(settings: Settings) -> None:
    try:
        settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The folder {settings.state_dir} cannot be made: {error.strerror}. Let this user write there, or set `state` to another place."
        ) from error


def _write_service_file(settings: Settings, url: str, token: str) -> None:
    """Whole or not at all, and readable by this user alone: it holds the token."""
    place = settings.service_file
    fresh = place.with_suffix(".new")
    fresh.unlink(missing_ok=True)  # whoever left one there chose its rights, or where it leads
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump({"url": url, "token": token, "pid": os.getpid()}, file)
    fresh.replace(place)


def _check_bind(settings: Settings) -> None:
    """No network without a token that somebody chose: a service that others can reach is never open by default."""
    if settings.host == "localhost" or _is_loopback(settings.host):
        return
    if settings.token is None:
        raise ConfigError(
            f"host = {settings.host!r} lets other machines in, but no token is set. Set REACTOR_TOKEN_FILE to a file with a long random "
            "text, or bind to 127.0.0.1."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
