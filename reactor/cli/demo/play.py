"""Playing the story: the service is opened on a folder of its own, scene follows scene, and the ledger has the last word."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from reactor.cli.demo.clock import StoryClock
from reactor.cli.demo.story import TODAY, Scene, scenes, zones
from reactor.cli.demo.verdict import Verdict, judge
from reactor.cli.demo.watch import Watch
from reactor.cli.demo.world import World
from reactor.model.ids import Instant
from reactor.project.config import load_settings
from reactor.project.load import load
from reactor.web.runner import Runner, make_service

FRAME = 0.05
"""Seconds between two pictures."""
DRIFT = 1_000_000
"""Microseconds of the story that pass in a moment in which it waits."""
LEAP = 600_000_000
"""Microseconds of the story that pass at once, where nobody looks."""


class Screen(Protocol):
    """Who shows the story."""

    def line(self, kind: str, text: str, at: Instant) -> None: ...
    async def frame(self, runner: Runner, at: Instant) -> None: ...


class Play:
    """One performance. `speed`: seconds of the story in one second; None: as fast as the work allows."""

    def __init__(self, root: Path, screen: Screen, speed: float | None) -> None:
        self._root, self._screen, self._speed = root, screen, speed

    async def run(self) -> Verdict:
        """Plays the whole day. Raises `Stuck` where the service does not go on."""
        World.prepare(self._root)
        definitions = load(self._root)
        days, _ = zones(definitions.graph)
        self._clock = StoryClock(days.begin(TODAY))
        settings = load_settings(self._root, mode="dev", flags={"port": 0}).settings
        runner = await make_service(settings, definitions, clock=self._clock)
        watch = Watch(self._tell, self._clock.now)
        alerts = logging.getLogger("reactor.alert")
        alerts.addHandler(watch)
        world = World(self._root, runner)
        await runner.open()
        runner.service.listeners.append(watch.heard)
        try:
            for scene in scenes(definitions.graph):
                await self._scene(scene, world, watch, runner)
            return await judge(await runner.assembly.reader())
        finally:
            world.unlock_table()
            alerts.removeHandler(watch)
            await runner.close()

    def _tell(self, kind: str, text: str) -> None:
        self._screen.line(kind, text, self._clock.now())

    async def _scene(self, scene: Scene, world: World, watch: Watch, runner: Runner) -> None:
        await self._pass_to(scene.at, runner)
        self._tell("scene", scene.say)
        done = scene.act(world)
        if done is not None:
            await done
        if scene.until:
            await watch.until(scene.until, lambda: self._clock.pass_to(Instant(self._clock.now() + DRIFT)))

    async def _pass_to(self, at: Instant, runner: Runner) -> None:
        while (left := at - self._clock.now()) > 0:
            if self._speed is None:
                await asyncio.sleep(0)
                step = min(left, LEAP)
            else:
                await asyncio.sleep(FRAME)
                step = min(left, round(FRAME * self._speed * 1e6))
            self._clock.pass_to(Instant(self._clock.now() + step))
            await self._screen.frame(runner, self._clock.now())


Act = Callable[[World], Awaitable[None] | None]
