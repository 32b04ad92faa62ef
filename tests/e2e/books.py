"""A project that takes the same fact, a day that is closed, by every way; and one day after the other for the tests."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from tests.e2e.project import Project, Service, until

SENSORS = """
from pathlib import Path
from pydantic import BaseModel
from reactor import Asset, Daily, Dynamic, File, Files, Http, Kafka, Ready, Record, Static, sensor

days = Daily(start="2026-01-01")
closed = Asset("closed", days, owner="books@example.com")
stock = Asset("stock", Static("north", "south"))
note = Asset("note", Dynamic("note"))

class Closed(BaseModel):
    day: str
    rows: int

@sensor(Kafka("TYPED"))
def on_closed(fact: Closed) -> Ready:
    return closed.ready(fact.day, rows=fact.rows)

@sensor(Kafka("PLAIN"))
def on_record(record: Record) -> Ready:
    fact = record.value
    return stock.ready(fact["region"]) if "region" in fact else closed.ready(fact["day"], rows=fact["rows"])

@sensor(Files("landing/closed-{day}.csv", ready="named"))
def on_file(file: File) -> Ready:
    return closed.ready(file.fields["day"], rows=len(Path(file.path).read_text().splitlines()))

@sensor(Http("day.closed"))
def on_event(fact: Closed) -> Ready:
    return closed.ready(fact.day, rows=fact.rows)
"""
WORKFLOWS = """
from pathlib import Path
from reactor import Asset, Run, Workflow
from sensors.books import closed, days

EFFECTS = Path(__file__).parents[1] / "effects.jsonl"
built = Asset("built", days)
books = Workflow("books", owner="books@example.com")

@books.task(inputs=closed, outputs=built)
async def build(run: Run) -> None:
    with EFFECTS.open("a") as effects:
        effects.write(f'{{"day": "{run.partition}", "rows": {run.inputs["closed"].evidence["rows"]}}}\\n')
"""


def definitions(project: Project, typed: str = "typed", plain: str = "plain") -> Project:
    project.write("sensors/books.py", SENSORS.replace("TYPED", typed).replace("PLAIN", plain))
    project.write("workflows/books.py", WORKFLOWS)
    (project.root / "landing").mkdir(exist_ok=True)
    return project


class Books:
    """The project while it is served."""

    def __init__(self, project: Project, service: Service) -> None:
        self.project, self.service = project, service
        self._days = itertools.count()
        self._letters = 0

    def day(self) -> str:
        """One that no test had before."""
        return (date(2026, 1, 1) + timedelta(days=next(self._days))).isoformat()

    def land(self, day: str) -> None:
        self.project.land(f"closed-{day}.csv", "one row\n")

    def post(self, day: str) -> None:
        assert self.service.post("/events", fact(day), cloud_event(day)).status == 202

    def publish(self, topic: str, day: str) -> None:
        assert self.service.post(f"/topics/{topic}", json.dumps({"text": fact(day)})).status == 202

    def letters(self) -> list[dict[str, Any]]:
        """The dead letters that this did not give before, oldest first."""
        found = [letter for letter in self.project.read("dead", "list")[::-1] if letter["id"] > self._letters]
        self._letters = max((letter["id"] for letter in found), default=self._letters)
        return found

    def reasons(self) -> list[str]:
        return [letter["reason"] for letter in self.letters()]

    @property
    def built(self) -> dict[str, int]:
        """Rows by day, of what the task built."""
        return {effect["day"]: effect["rows"] for effect in self.project.effects}

    @contextmanager
    def between(self, send: Callable[[str], None]) -> Iterator[None]:
        """Good input before and after what happens inside has its effect, and nothing else does."""
        before, after, had = self.day(), self.day(), self.built
        send(before)
        until(lambda: before in self.built)
        yield
        send(after)
        until(lambda: after in self.built)
        assert self.built == {**had, before: 1, after: 1}


def fact(day: str) -> str:
    return json.dumps({"day": day, "rows": 1})


def cloud_event(id: str, **more: str) -> dict[str, str]:
    """Headers of the binary mode."""
    return {
        "ce-specversion": "1.0", "ce-id": id, "ce-source": "/books", "ce-type": "day.closed", "content-type": "application/json", **more,
    }  # fmt: skip
