"""The world around a service that is killed for real: lives and their ends, what is told meanwhile, and the life that is let be."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from pathlib import Path

from tests.torture import checker
from tests.torture.lives import Life, Zygote
from tests.torture.plan import RANDOM, Kill, kills
from tests.torture.project import write_project
from tests.torture.telling import Tellers
from tests.torture.topics import Topic

POINT_SECONDS = 6.0
"""How long a life has to come by the point that kills it; else it is killed at random."""


class World:
    """One project, killed again and again. The same seed plays the same plan; the machine deals the instants."""

    def __init__(self, root: Path, zygote: Zygote, topic: Topic, seed: int, defect: str = "") -> None:
        self.root, self.topic, self.seed = root, topic, seed
        self.tellers = Tellers(root, topic, seed)
        self.kills: Counter[str] = Counter()
        self.read: Counter[str] = Counter()
        """By source: the lives in which it was read."""
        self.broken: list[str] = []
        """What was seen to be wrong on the way."""
        self.rivals: set[int] = set()
        """Process ids of second engines that got in."""
        self._zygote, self._defect = zygote, defect
        self._plan = kills(seed)
        self._stood: dict[tuple[str, str], int] = {}
        write_project(root, topic.name, topic.settings)

    def kill_once(self) -> None:
        """Things happen while the service is down; then one life, and its end."""
        self.tellers.work_alone()
        kill = next(self._plan)
        self.kills[self._at_random(kill) if kill.point == RANDOM else self._at_point(kill)] += 1
        self._look()

    def _at_point(self, kill: Kill) -> str:
        life = self._begin(kill)
        if life is None:
            return kill.point
        dead = not self.tellers.work(life, POINT_SECONDS)
        life.kill()
        return kill.point if dead else RANDOM

    def _at_random(self, kill: Kill) -> str:
        pid, opened = self._zygote.fork(self.root, defect=self._defect)
        killing = threading.Timer(kill.seconds, Life(pid).kill)
        killing.start()
        life = opened()
        rival = self._meet(life) if life is not None and kill.rival else None
        if life is not None:
            self.tellers.work(life, kill.seconds)
        killing.join()
        if rival is not None:
            rival.kill()
        return RANDOM

    def _meet(self, life: Life) -> Life | None:
        """A second engine on the ledger of one that lives. It must not get in."""
        rival = self._begin()
        if rival is not None and life.alive:
            self.rivals.add(rival.pid)
            self.broken.append(checker.two_engines(life.pid, rival.pid))
        return rival

    def _begin(self, kill: Kill | None = None) -> Life | None:
        point, nth = (kill.point, kill.nth) if kill is not None else ("", 0)
        _, opened = self._zygote.fork(self.root, point, nth, self._defect)
        return opened()

    def _look(self) -> None:
        """While the service is dead: where its ledger stands, and what the consumer group was told."""
        stands = checker.stands(self.root)
        self.read.update({source for (source, lane), at in stands.items() if at > self._stood.get((source, lane), 0)})
        self._stood = stands
        self.broken += checker.ahead(self.topic, stands)

    def settle(self, patience: float, still: float | None = None) -> list[str]:
        """A life that is not killed, until everything has had its effect. Returns what is wrong after `patience` seconds, or once nothing has
        changed for `still` seconds."""
        life = self._begin()
        if life is None:
            return [*self.broken, checker.stopped("a life ended in its start"), *checker.failures(self)]
        self.tellers.tell_all(life)
        found = self._until_right(life, patience, still)
        life.stop()
        return found or self._wrong()

    def _until_right(self, life: Life, patience: float, still: float | None) -> list[str]:
        begun = same_since = time.monotonic()
        before: object = None
        while True:
            answer = life.ask("GET", "/api/about")
            open_runs = answer[1]["open_runs"] if answer is not None else -1
            found = [checker.stuck(open_runs)] if open_runs else self._wrong()
            now = time.monotonic()
            if (open_runs, found) != before:
                before, same_since = (open_runs, found), now
            over = not life.alive or now - begun > patience or (still is not None and now - same_since > still)
            if not found or over:
                return [*found, *self._wrong()] if open_runs else found
            self.tellers.post_all(life)
            time.sleep(0.1)

    def _wrong(self) -> list[str]:
        unanswered = [checker.unanswered(n) for n in self.tellers.pending]
        return [*self.broken, *unanswered, *asyncio.run(checker.broken(self))]
