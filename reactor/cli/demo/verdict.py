"""The end of the day: is anything lost, doubled, early or wrong? Read from the ledger and from the files, not from what was shown."""

import csv
from collections import Counter
from decimal import Decimal
from pathlib import Path

import msgspec

from reactor.cli.demo.stage import Stage
from reactor.cli.demo.story import BEFORE, DAY, EXPECTED, LAST
from reactor.model.events import Json
from reactor.model.run import Run, RunState
from reactor.service.views.words import called
from reactor.store.base import RunFilter


class Verdict(msgspec.Struct, frozen=True):
    """Empty lists, where all is well."""

    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    early: tuple[str, ...]
    wrong: tuple[str, ...]
    unbalanced: tuple[str, ...]
    runs: int
    attempts: int
    alerts: tuple[str, ...]
    totals: dict[str, Json]

    @property
    def ok(self) -> bool:
        return not (self.lost or self.doubled or self.early or self.wrong or self.unbalanced)


async def judge(stage: Stage, root: Path) -> Verdict:
    runs = await stage.reader.runs(RunFilter(limit=1_000))
    counted = Counter((str(r.task), str(r.key)) for r in runs)
    attempts = {r.id: len(await stage.reader.attempts(r.id)) for r in runs}
    wrong = [
        f"run {r.id} of {called(r.task, r.key)} is {r.state}: {r.error}"
        for r in runs
        if r.state is not RunState.SUCCEEDED
    ]
    wrong.extend(_totals(stage, root))
    if not any(attempts[r.id] == 2 for r in runs if (r.task, r.key) == ("build_revenue", DAY)):
        wrong.append(f"build_revenue {DAY} was to fail once and be tried again")
    return Verdict(
        lost=tuple(
            f"{called(*w)}: {n} runs expected, {counted[w]} made" for w, n in EXPECTED.items() if counted[w] < n
        ),
        doubled=tuple(
            f"{called(*w)}: {EXPECTED.get(w, 0)} runs expected, {n} made"
            for w, n in counted.items()
            if n > EXPECTED.get(w, 0)
        ),
        early=tuple(e for r in runs for e in _early(r)),
        wrong=tuple(wrong),
        unbalanced=tuple(await stage.reader.balance()),
        runs=len(runs),
        attempts=sum(attempts.values()),
        alerts=tuple(a.text for a in stage.alerts),
        totals=dict(await stage.reader.totals()),
    )


def _early(run: Run) -> list[str]:
    """A run of a day that began before all of the day's parts were there."""
    if run.task != "build_revenue":
        return []
    parts = Counter(str(i.asset) for i in run.inputs)
    whole = {"orders": 24, "refunds": 1, "payments": 1, "subscriptions": 1}
    missing = [f"{n - parts[a]} of {a}" for a, n in whole.items() if parts[a] < n]
    late = [i.asset for i in run.inputs if run.started is not None and i.at > run.started]
    return [f"{called(run.task, run.key)} started without {', '.join([*missing, *late])}"] if missing or late else []


def _totals(stage: Stage, root: Path) -> list[str]:
    """What stands in the warehouse, against what the shop itself reckons."""
    wrong: list[str] = []
    for day in (BEFORE, LAST, DAY):
        with (root / "warehouse" / f"revenue-{day}.csv").open(newline="") as file:
            found = sum((Decimal(row["amount"]) for row in csv.DictReader(file)), Decimal())
        if found != stage.shop.total(day):
            wrong.append(f"the revenue of {day} is {found}, and should be {stage.shop.total(day)}")
    return wrong
