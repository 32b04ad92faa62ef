"""The world around the demo: a shop that publishes, partners who land files, a billing system with a table. All of it real, in one folder."""

import csv
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from reactor.web.app import Word
from reactor.web.runner import Runner

TOPIC = "shop.hour-closed"
ORDERS_AN_HOUR = 5


class World:
    """`root` is the project's folder."""

    def __init__(self, root: Path, runner: Runner) -> None:
        self._root, self._runner = root, runner
        self._lock: sqlite3.Connection | None = None

    @staticmethod
    def prepare(root: Path) -> None:
        """What is there before the service starts."""
        (root / "landing").mkdir(exist_ok=True)
        with closing(sqlite3.connect(root / "shop.db")) as shop, shop:
            shop.execute("create table if not exists subscriptions (day text, amount text)")
            shop.execute("create table if not exists closings (id integer primary key, day text)")

    async def hours(self, hours: Sequence[str]) -> None:
        """Hours of the shop are closed."""
        await self._publish([Word(value={"hour": hour, "orders": ORDERS_AN_HOUR}) for hour in hours])

    async def nonsense(self) -> None:
        """A record that is no JSON: it goes to the dead letters, and its topic goes on."""
        await self._publish([Word(text="hour=seven")])

    async def _publish(self, words: Sequence[Word]) -> None:
        await self._runner.publisher.publish(TOPIC, words)

    def land(self, what: str, day: str, amounts: Sequence[str]) -> None:
        """A partner writes beside the folder and renames into place."""
        part = self._root / f".{what}-{day}.part"
        with part.open("w", newline="") as file:
            csv.writer(file).writerows([("id", "amount"), *enumerate(amounts, 1)])
        part.replace(self._root / "landing" / f"{what}-{day}.csv")

    def bill(self, day: str) -> None:
        """The billing system closes its day."""
        with closing(sqlite3.connect(self._root / "shop.db")) as shop, shop:
            shop.executemany("insert into subscriptions values (?, ?)", [(day, "9.90"), (day, "19.90")])
            shop.execute("insert into closings (day) values (?)", [day])

    def lock_table(self) -> None:
        """Somebody holds the table for a while, as it happens at night."""
        self._lock = sqlite3.connect(self._root / "shop.db", isolation_level=None)
        self._lock.execute("begin exclusive")

    def unlock_table(self) -> None:
        if self._lock is not None:
            self._lock.execute("rollback")
            self._lock.close()
            self._lock = None
