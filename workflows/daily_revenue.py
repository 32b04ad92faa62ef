"""Daily revenue: built the moment a day is whole, built again when one of its parts comes anew."""

import csv
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from reactor import Asset, Evidence, Retry, Run, Workflow, check
from reactor.checks import row_count
from sensors.revenue_inputs import PROJECT, days, orders, payments, refunds, subscriptions

revenue = Asset("revenue", days, owner="finance@example.com", due="08:00")
dashboard = Asset("dashboard", days, owner="finance@example.com")

WAREHOUSE = PROJECT / "warehouse"

daily = Workflow("daily_revenue", owner="finance@example.com", retry=Retry(attempts=3, first="1m", most="10m"))


def every_order_is_paid(made: Mapping[str, Any]) -> str | None:
    if made["paid"] == made["orders"]:
        return None
    return f"{made['orders']} orders were sold, but {made['paid']} were paid"


@daily.task(
    inputs=orders.all_of(days) & refunds & payments & subscriptions,
    outputs=revenue,
    checks=[row_count(at_least=1), check(every_order_is_paid)],
)
def build_revenue(run: Run) -> Evidence:
    """Reads exactly the versions that this run was started for."""
    parts = {
        "payments": amounts(run.inputs["payments"].evidence["path"]),
        "refunds": [-amount for amount in amounts(run.inputs["refunds"].evidence["path"])],
        "subscriptions": subscriptions_of(run.partition),
    }
    path = WAREHOUSE / f"revenue-{run.partition}.csv"
    rows = put(path, run, [(what, str(amount)) for what, found in parts.items() for amount in found])
    total = sum(amount for found in parts.values() for amount in found)
    run.log.info("revenue of %s: %s", run.partition, total)
    sold = sum(hour.evidence["orders"] for hour in run.events["orders"])
    return {"path": str(path), "rows": rows, "orders": sold, "paid": len(parts["payments"]), "total": str(total)}


@daily.task(inputs=revenue, outputs=dashboard)
def refresh_dashboard(run: Run) -> None:
    put(WAREHOUSE / f"dashboard-{run.partition}.csv", run, [("total", run.inputs["revenue"].evidence["total"])])


def amounts(path: str) -> list[Decimal]:
    with Path(path).open(newline="") as file:
        return [Decimal(row["amount"]) for row in csv.DictReader(file)]


def subscriptions_of(day: str) -> list[Decimal]:
    with closing(sqlite3.connect(f"file:{PROJECT / 'shop.db'}?mode=ro", uri=True, timeout=0.5)) as shop:
        found = shop.execute("select amount from subscriptions where day = ?", [day])
        return [Decimal(amount) for (amount,) in found]


def put(path: Path, run: Run, rows: list[tuple[str, str]]) -> int:
    """A table appears whole or not at all, and writing it twice is writing it once."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(f".{run.id}")
    with part.open("w", newline="") as file:
        csv.writer(file).writerows([("what", "amount"), *rows])
    part.replace(path)
    return len(rows)
