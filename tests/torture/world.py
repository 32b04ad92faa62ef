"""The world around a service that is killed for real: a client that posts until it is answered, partners that land files, a producer that writes
records whether the service is up or not, and now and then a second engine that must not get in.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reactor.service.work import POINTS
from tests.torture import checker
from tests.torture.lives import Life, Zygote
from tests.torture.project import ORDERS, POISON, SOURCES, write_project
from tests.torture.topics import Topic

RANDOM = "at random"
NTH = dict.fromkeys(POINTS, 12) | {"before-commit": 25, "after-commit": 25}
"""A point is passed at most so often before it kills: a commit is passed several times in each start."""
POINT_SECONDS = 6.0
"""How long a life has to come by its point; it is killed at random then."""
LENGTHS = (0.02, 0.15, 0.15, 0.15, 0.4, 1.5)
"""Seconds that a life which is killed at random may last. The consumer group is told offsets after half a second."""
RIVAL_EVERY = 25
"""One of so many lives meets a second engine on its ledger."""
POISONOUS = 0.04


@dataclass
class Told:
    """What one source was told, by number: what it was about, and whether it must have its effect, or may have it."""

    sure: dict[int, str] = field(default_factory=dict)
    maybe: dict[int, str] = field(default_factory=dict)


class World:
    """One project, killed again and again. The same seed plays the same plan; the machine deals the instants."""

    def __init__(self, root: Path, zygote: Zygote, topic: Topic, seed: int, defect: str = "") -> None:
        self.root, self.topic, self.seed = root, topic, seed
        self.told = {asset: Told() for asset in SOURCES}
        self.kills: Counter[str] = Counter()
        self.read: Counter[str] = Counter()
        """By source: the lives in which it was read."""
        self.broken: list[str] = []
        """What was seen to be wrong on the way."""
        self.rivals: set[int] = set()
        """Process ids of second engines that got in."""
        self._rng = random.Random(seed)
        self._zygote, self._defect = zygote, defect
        self._numbers = itertools.count(1)
        self._pending: dict[int, str] = {}
        self._newest_file: dict[str, int] = {}
        self._plan = self._plans()
        self._deaf: Life | None = None
        """A life that did not answer: only its next one is asked again."""
        self._stood: dict[tuple[str, str], int] = {}
        write_project(root, topic.name, topic.settings)

    # --- killing

    def _plans(self) -> Iterator[str]:
        """Half of the kills at random instants, the others at each labelled point in turn."""
        while True:
            block = [RANDOM] * len(POINTS) + list(POINTS)
            self._rng.shuffle(block)
            yield from block

    def kill_once(self) -> None:
        """Things happen while the service is down; then one life, and its end."""
        for _ in range(self._rng.randint(0, 2)):
            self._tell(None, self._rng.choice(SOURCES[1:]))
        point = next(self._plan)
        if point is RANDOM:
            self._kill_at_random()
        else:
            self._kill_at(point, self._rng.randint(1, NTH[point]))
        self._look()

    def _look(self) -> None:
        """While the service is dead: where its ledger stands, and what the consumer group was told."""
        stands = checker.stands(self.root)
        self.read.update({source for (source, lane), at in stands.items() if at > self._stood.get((source, lane), 0)})
        self._stood = stands
        self.broken += checker.ahead(self.topic, stands)

    def _kill_at(self, point: str, nth: int) -> None:
        life = self._begin(point, nth)
        if life is None:
            self.kills[point] += 1
            return
        dead = not self._produce(life, POINT_SECONDS)
        life.kill()
        self.kills[point if dead else RANDOM] += 1

    def _kill_at_random(self) -> None:
        life = self._begin()
        if life is None:
            self.broken.append(checker.stopped("a life ended in its start"))
            return
        rival = self._begin() if self._rng.randrange(RIVAL_EVERY) == 0 else None
        if rival is not None:
            self.rivals.add(rival.pid)
            self.broken.append(checker.two_engines(life.pid, rival.pid))
        killing = threading.Timer(self._rng.random() * self._rng.choice(LENGTHS), life.kill)
        killing.start()
        self._produce(life, max(LENGTHS))
        killing.join()
        if rival is not None:
            rival.kill()
        self.kills[RANDOM] += 1

    def _begin(self, point: str = "", nth: int = 0) -> Life | None:
        return self._zygote.begin(self.root, point, nth, self._defect)

    # --- telling

    def _produce(self, life: Life, seconds: float) -> bool:
        """Tells of orders for a while. False: the service died meanwhile."""
        end = time.monotonic() + seconds
        while life.alive:
            if time.monotonic() > end or self._is_deaf(life):
                return True
            self._tell(life, self._rng.choice(SOURCES))
        return False

    def _is_deaf(self, life: Life) -> bool:
        """It lives and does not answer. One that was just killed is given the time to be gone."""
        end = time.monotonic() + 0.5
        while life is self._deaf and life.alive:
            if time.monotonic() > end:
                return True
            time.sleep(0.002)
        return False

    def _tell(self, life: Life | None, asset: str, order: str = "") -> None:
        n = next(self._numbers)
        what = order or (POISON if self._rng.random() < POISONOUS else self._rng.choice(ORDERS))
        if asset == "paid":
            self._pending[n] = what
        elif asset == "packed":
            self._land(n, what)
        else:
            acknowledged = self.topic.tell(life, {"order": what, "n": n})
            if acknowledged is not None:
                told = self.told[asset]
                (told.sure if acknowledged else told.maybe)[n] = what
        if life is not None and life is not self._deaf:
            self._post_all(life)

    def _land(self, n: int, what: str) -> None:
        """A file that is overwritten before it was seen is never seen: only the newest content of a name is sure."""
        told = self.told["packed"]
        name = f"{POISON}-{n}" if what == POISON else what
        if name in self._newest_file:
            before = self._newest_file[name]
            told.maybe[before] = told.sure.pop(before)
        self._newest_file[name] = n
        part = self.root / f".part{n}"
        part.write_text("x" * n)
        part.replace(self.root / "landing" / f"{name}.txt")
        told.sure[n] = what

    def _post_all(self, life: Life) -> None:
        """What was not answered is posted again, under its own id."""
        for n, order in list(self._pending.items()):
            headers = {"ce-specversion": "1.0", "ce-id": f"e{n}", "ce-source": "/shop", "ce-type": "paid"}
            headers["content-type"] = "application/json"
            answer = life.ask("POST", "/events", json.dumps({"order": order, "n": n}), headers)
            if answer is None or answer[0] == 503:
                self._deaf = life
                return
            assert answer[0] == 202, answer
            self.told["paid"].sure[n] = self._pending.pop(n)
        self._deaf = None

    # --- settling

    def settle(self, patience: float, still: float | None = None) -> list[str]:
        """A life that is not killed, until everything has had its effect. Returns what is wrong after `patience` seconds, or once nothing has
        changed for `still` seconds."""
        life = self._begin()
        if life is None:
            return [*self.broken, checker.stopped("a life ended in its start"), *checker.failures(self)]
        for order, asset in itertools.product(ORDERS, SOURCES):  # at the end every order has all three
            self._tell(life, asset, order)
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
            self._post_all(life)
            time.sleep(0.1)

    def _wrong(self) -> list[str]:
        unanswered = [checker.unanswered(n) for n in self._pending]
        return [*self.broken, *unanswered, *asyncio.run(checker.broken(self))]
