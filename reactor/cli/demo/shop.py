"""The shop of the demo: what it sells on a day, and how its parts reach the project. The same day is always the same."""

import csv
import sqlite3
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

HOURS = range(24)


class Shop:
    """Writes what others would write: files by renaming them into place, rows into a table."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._refunds: dict[str, list[Decimal]] = {}
        self._lock: sqlite3.Connection | None = None

    def closings(self, day: str) -> list[dict[str, object]]:
        """What the shop publishes for each hour of a day."""
        return [{"hour": f"{day}T{hour:02}", "orders": self._orders(day, hour)} for hour in HOURS]

    def _orders(self, day: str, hour: int) -> int:
        return 12 + (hour * 7 + date.fromisoformat(day).toordinal() * 3) % 31

    def _paid(self, day: str) -> list[Decimal]:
        count = sum(self._orders(day, hour) for hour in HOURS)
        return [Decimal(1_000 + (n * 37) % 4_000) / 100 for n in range(count)]

    def _subscribed(self, day: str) -> list[Decimal]:
        return [Decimal(999 + n) / 100 for n in range(20 + date.fromisoformat(day).day)]

    def total(self, day: str) -> Decimal:
        """What the revenue of the day has to be."""
        return (
            sum(self._paid(day), Decimal()) + sum(self._subscribed(day), Decimal()) - sum(self._refunds[day], Decimal())
        )

    def land_payments(self, day: str) -> str:
        return self._land("payments", day, self._paid(day))

    def land_refunds(self, day: str, more: int = 0) -> str:
        """`more` refunds than those that the day had at first."""
        self._refunds[day] = [Decimal(1_500 + n * 250) / 100 for n in range(5 + more)]
        return self._land("refunds", day, self._refunds[day])

    def _land(self, what: str, day: str, amounts: list[Decimal]) -> str:
        target = self._root / "landing" / f"{what}-{day}.csv"
        part = target.with_suffix(".part")
        with part.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["order", "amount"])
            table.writerows(enumerate(amounts))
        part.replace(target)
        return f"landing/{target.name}"

    def close_subscriptions(self, day: str) -> None:
        with closing(sqlite3.connect(self._root / "shop.db")) as shop, shop:
            shop.executemany(
                "insert into subscriptions (day, customer, amount) values (?, ?, ?)",
                [(day, f"customer {n}", str(amount)) for n, amount in enumerate(self._subscribed(day))],
            )
            shop.execute("insert into closings (day) values (?)", [day])

    def lock(self) -> None:
        """Billing's nightly job takes its database for itself."""
        self._lock = sqlite3.connect(self._root / "shop.db", timeout=5)
        self._lock.execute("begin exclusive")

    def unlock(self) -> None:
        if self._lock is not None:
            self._lock.rollback()
            self._lock.close()
            self._lock = None
