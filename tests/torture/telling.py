"""Those who tell the service of orders: a client that posts until it is answered, partners that land files, a producer of records. They keep what
they told, and what of it was acknowledged.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.torture.lives import Life
from tests.torture.project import ORDERS, POISON, SOURCES
from tests.torture.topics import Topic

POISONOUS = 0.04


@dataclass
class Told:
    """What one source was told, by number: what it was about, and whether it must have its effect, or may have it."""

    sure: dict[int, str] = field(default_factory=dict)
    maybe: dict[int, str] = field(default_factory=dict)


class Tellers:
    """All of them."""

    def __init__(self, root: Path, topic: Topic, seed: int) -> None:
        self.told = {asset: Told() for asset in SOURCES}
        self.pending: dict[int, str] = {}
        """Posts that were not answered yet."""
        self._root, self._topic = root, topic
        self._dice = random.Random(f"telling {seed}")
        self._numbers = itertools.count(1)
        self._newest_file: dict[str, int] = {}
        self._deaf: Life | None = None
        """A life that did not answer: it is asked no more."""

    def work(self, life: Life, seconds: float) -> bool:
        """For a while. False: the service died meanwhile."""
        end = time.monotonic() + seconds
        while life.alive:
            if time.monotonic() > end or self._is_deaf(life):
                return True
            self.tell(life, self._dice.choice(SOURCES))
        return False

    def work_alone(self) -> None:
        """While the service is down: files land, and records come to a broker that does not know of it."""
        for _ in range(self._dice.randint(0, 2)):
            self.tell(None, self._dice.choice(SOURCES[1:]))

    def tell_all(self, life: Life) -> None:
        """Of every order in every way, so that all that is waited for can begin."""
        for order, asset in itertools.product(ORDERS, SOURCES):
            self.tell(life, asset, order)

    def tell(self, life: Life | None, asset: str, order: str = "") -> None:
        n = next(self._numbers)
        what = order or (POISON if self._dice.random() < POISONOUS else self._dice.choice(ORDERS))
        if asset == "paid":
            self.pending[n] = what
        elif asset == "packed":
            self._land(n, what)
        else:
            acknowledged = self._topic.tell(life, {"order": what, "n": n})
            if acknowledged is not None:
                told = self.told[asset]
                (told.sure if acknowledged else told.maybe)[n] = what
        if life is not None and life is not self._deaf:
            self.post_all(life)

    def post_all(self, life: Life) -> None:
        """What was not answered is posted again, under its own id."""
        headers = {"ce-specversion": "1.0", "ce-source": "/shop", "ce-type": "paid", "content-type": "application/json"}
        for n, order in list(self.pending.items()):
            answer = life.ask("POST", "/events", json.dumps({"order": order, "n": n}), {**headers, "ce-id": f"e{n}"})
            if answer is None or answer[0] == 503:
                self._deaf = life
                return
            assert answer[0] == 202, answer
            self.told["paid"].sure[n] = self.pending.pop(n)
        self._deaf = None

    def _land(self, n: int, what: str) -> None:
        """A file that is overwritten before it was seen is never seen: only the newest content of a name is sure."""
        told = self.told["packed"]
        name = f"{POISON}-{n}" if what == POISON else what
        if name in self._newest_file:
            before = self._newest_file[name]
            told.maybe[before] = told.sure.pop(before)
        self._newest_file[name] = n
        part = self._root / f".part{n}"
        part.write_text("x" * n)
        part.replace(self._root / "landing" / f"{name}.txt")
        told.sure[n] = what

    def _is_deaf(self, life: Life) -> bool:
        """It lives and does not answer. One that was just killed is given the time to be gone."""
        end = time.monotonic() + 0.5
        while life is self._deaf and life.alive:
            if time.monotonic() > end:
                return True
            time.sleep(0.002)
        return False
