"""`simulate`: a month of a project's own schedule, with random arrivals and faults, and the promises checked
at its end.
"""

import random
from collections.abc import Iterator

import msgspec

from reactor.core.deadlines import due_at
from reactor.core.graph import Graph
from reactor.model.asset import Asset
from reactor.model.duration import DAY, HOUR
from reactor.model.events import Json, Ready
from reactor.model.ids import AssetName, Instant
from reactor.model.partitions import Static, moment, time_of
from reactor.testing.faults import Faults
from reactor.testing.simulator import Simulator

AGAIN = 0.2
"""The share of partitions that come up to twice more, with new versions: within the hour, so that they meet
the run that they started.
"""
START = "2026-11-01T00:00"


class Report(msgspec.Struct, frozen=True):
    """What a simulated month came to. `broken` is empty where every promise was kept."""

    seed: int
    days: int
    events: int
    runs: int
    attempts: int
    alerts: int
    dead: int
    crashes: int
    broken: tuple[str, ...]
    never_started: tuple[str, ...]
    """Tasks that no arrival of the month started: their filters or keys ask for what random events do not have."""

    @property
    def ok(self) -> bool:
        return not self.broken

    def lines(self) -> list[str]:
        """The report as people read it."""
        verdict = (
            "every promise was kept"
            if self.ok
            else f"{len(self.broken)} promises were broken (play it again with seed {self.seed})"
        )
        text = (
            f"{self.days} days, {self.events} events, {self.runs} runs, {self.attempts} attempts, "
            f"{self.alerts} alerts, {self.dead} dead letters, {self.crashes} crashes: {verdict}"
        )
        return [text, *self.broken, *(f"never started: {task}" for task in self.never_started)]


def simulate(
    definitions: Graph, seed: int = 0, faults: Faults | None = None, *, days: int = 30, start: str = START
) -> Report:
    """Plays `days` days: each asset that no task makes arrives for each of its partitions, at a random time,
    sometimes twice.

    Tasks are not called; they last a random while. Schedules tick, and the sensors on them are really asked.
    The same seed plays the same.
    """
    sim = Simulator(definitions, start=start, seed=seed, faults=faults if faults is not None else Faults.some())
    dice = random.Random(f"month {seed}")
    for task in definitions.nodes:
        sim.takes(task, dice.uniform(1, 3600))
    begin = Instant(sim.instant)
    end = Instant(begin + days * DAY)
    plan = sorted(_arrivals(definitions, dice, begin, end), key=lambda a: a[0])
    for number, (at, ready) in enumerate(plan):
        sim.at(moment(Instant(at)))
        sim.ready(ready, id=f"{seed}-{number}")
    sim.at(moment(end)).drain()
    return _report(definitions, sim, days)


def _report(graph: Graph, sim: Simulator, days: int) -> Report:
    started = {r.task for r in sim.runs}
    return Report(
        seed=sim.seed,
        days=days,
        events=sim.events,
        runs=len(sim.runs),
        attempts=len(sim.starts),
        alerts=len(sim.alerts),
        dead=len(sim.dead),
        crashes=sim.crashes,
        broken=tuple(sim.broken()),
        never_started=tuple(sorted(t for t in graph.nodes if t not in started)),
    )


def _arrivals(graph: Graph, dice: random.Random, begin: Instant, end: Instant) -> Iterator[tuple[int, Ready]]:
    for name, asset in sorted(graph.assets.items()):
        if name in graph.makers:
            continue
        fields = _fields(graph, name)
        for partition, usual in _partitions(asset, begin, end):
            first = usual + dice.randrange(12 * HOUR)
            times = dice.randrange(1, 4) if dice.random() < AGAIN else 1
            for at in (first, *(first + dice.randrange(HOUR) for _ in range(times - 1))):
                if at < end:
                    facts: dict[str, Json] = {f: f"{f}-{dice.randrange(5)}" for f in fields}
                    yield at, asset.ready(partition, evidence={"rows": dice.randrange(1_000), **facts})


def _partitions(asset: Asset, begin: Instant, end: Instant) -> Iterator[tuple[str | None, int]]:
    """Each partition with the moment from which it may come."""
    time = time_of(asset.partitions)
    if time is not None:
        for key in time.between(Instant(begin - DAY), end):
            if time.refuse(key) is None and time.end(key) >= begin:
                due = due_at(asset, key)
                yield key, time.end(key) if due is None else max(time.end(key), due - 11 * HOUR)
        return
    keys = asset.partitions.keys if isinstance(asset.partitions, Static) else None
    for day in range(begin, end, DAY):
        if asset.partitions is None:
            yield None, day
        else:
            for name in keys if keys is not None else [f"key-{day // DAY}-{n}" for n in range(5)]:
                yield name, day


def _fields(graph: Graph, asset: AssetName) -> list[str]:
    """The fields by which rules that name this asset are keyed."""
    keyed = [node.plan.rule.key_field for node, _ in graph.consumers.get(asset, ())]
    return sorted({k for k in keyed if k})
