"""The stage: a real service in a project of its own, and what is seen of it while the day is played."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from reactor.cli.client import Client
from reactor.cli.demo.clock import FastClock
from reactor.cli.demo.shop import Shop
from reactor.model.commands import Alert, Announced, Noted
from reactor.model.errors import ReactorError
from reactor.project.config import load_settings
from reactor.project.load import load
from reactor.store.base import Reader
from reactor.web.runner import Runner, make_service

TOPIC = "shop.hour-closed"
PATIENCE = 30.0
"""Seconds that an effect may take before the demo says that it is missing."""
GLANCE = 0.05


class Missing(ReactorError):
    """Something that had to happen did not."""


class Stage:
    """What the story acts on and looks at."""

    def __init__(self, runner: Runner, clock: FastClock, shop: Shop, reader: Reader) -> None:
        self.runner, self.clock, self.shop, self.reader = runner, clock, shop, reader
        self.versions: dict[tuple[str, str], int] = {}
        self.noted: list[Noted] = []
        self.alerts: list[Alert] = []
        self.on_announced: list[Callable[[Announced], None]] = []
        self.on_noted: list[Callable[[Noted], None]] = []
        self.on_alert: list[Callable[[Alert], None]] = []
        self._last_alert = 0
        runner.service.listeners.append(self._heard)

    def _heard(self, announced: Sequence[Announced], noted: Sequence[Noted]) -> None:
        for n in noted:
            self.noted.append(n)
            for say in self.on_noted:
                say(n)
        for a in announced:
            self.versions[a.readiness.asset, a.readiness.partition] = a.version
            for tell in self.on_announced:
                tell(a)

    async def publish(self, records: Sequence[object]) -> None:
        """Through the door that everybody uses."""
        client = Client(self.runner.url, self.runner.token)
        await asyncio.to_thread(client.post, f"/topics/{TOPIC}", [{"value": r} for r in records])

    async def look(self) -> None:
        """Reads the alerts that came."""
        for row in await self.reader.alerts(self._last_alert, 100):
            self._last_alert = row.id
            self.alerts.append(row.alert)
            for tell in self.on_alert:
                tell(row.alert)

    async def until(self, what: str, holds: Callable[[], bool]) -> None:
        """Raises Missing where it does not come about."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds():
                    await asyncio.sleep(GLANCE)
                    await self.look()
        except TimeoutError:
            raise Missing(
                f"The demo waited {PATIENCE:.0f} s for this and it did not come: {what}. Run it again with --keep DIR, and look at it there: "
                "reactor -C DIR status, reactor why."
            ) from None

    def has(self, asset: str, day: str, version: int = 1) -> bool:
        return self.versions.get((asset, day), 0) >= version


@asynccontextmanager
async def staged(root: Path, clock: FastClock) -> AsyncIterator[Stage]:
    """The service of the project in `root`, on this clock."""
    # Nothing of the surroundings changes what the demo shows.
    settings = load_settings(root, mode="dev", flags={"port": 0, "kafka.servers": "embedded"}, environ={}).settings
    runner = await make_service(settings, load(root, settings.definitions), clock=clock)
    await runner.open()
    shop = Shop(root)
    try:
        yield Stage(runner, clock, shop, await runner.assembly.reader())
    finally:
        shop.unlock()
        await runner.close()
