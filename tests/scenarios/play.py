"""Plays one scenario on the simulator and says what started."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from reactor import NOTHING, DefinitionError
from reactor.model.ids import Instant
from reactor.model.partitions import instant, moment
from reactor.testing import Simulator, Start
from tests.scenarios.translate import TICK, Project
from tests.scenarios.vocabulary import (
    CASE,
    CASE_LATER,
    EXPECT,
    EXPECT_LATER,
    KIND,
    KIND_LATER,
    START,
    Case,
    NotYet,
    UnknownKeyError,
    check,
)

EPOCH = "2026-11-02T00:00:00Z"
POINTS = {"after_decision_before_start": "after-commit", "before_commit": "before-commit"}
Event = dict[str, Any]


def play(case: Case) -> None:
    """Raises AssertionError where the starts are not the expected ones."""
    check("case", case, CASE, CASE_LATER)
    expect = case["expect"]
    check("expect", expect, EXPECT, EXPECT_LATER)
    for start in expect.get("starts", ()):
        check("start", start, START)
    rules = case["rules"] if "rules" in case else [case["rule"]]
    timeline = events(case)
    for event in timeline:
        _check_event(event)
    if expect.get("invalid_rule"):
        _refused(rules)
        return
    stage = Stage(Project(rules), case)
    stage.run(
        timeline,
        case.get("horizon", max((e["t"] for e in timeline), default=0) + 3600),
        together=case.get("concurrent", False),
    )
    stage.compare(expect)


def _refused(rules: list[Any]) -> None:
    try:
        project = Project(rules)
        Simulator(project.flow, sensors=project.sensors, assets=project.assets.values())
    except DefinitionError:
        return
    raise AssertionError("the rule can never start, but it was not refused")


def _check_event(event: Event) -> None:
    if "kind" in event:
        if event["kind"] in KIND_LATER:
            raise NotYet(f"kind: {event['kind']}")
        if event["kind"] not in KIND:
            raise UnknownKeyError(f"kind: {event['kind']}")
        check(f"event of kind {event['kind']}", event, {"t", "kind", "at", "id"})
        if event.get("at") not in {None, *POINTS}:
            raise UnknownKeyError(f"crash at: {event['at']}")
        return
    if "check" in event:
        raise NotYet("events that report a check")
    if "follows" in event:
        raise NotYet("follows")
    if not {"t", "input"} <= set(event):
        raise UnknownKeyError(f"an event without a time or an input: {event}")


def events(case: Case) -> list[Event]:
    """All events of the case by their time, equal ones in the order listed."""
    found = [dict(e) for e in case.get("events", ())]
    found += _generated(case)
    found += [dict(e) for e in case.get("extra_events", ())]
    return sorted(found, key=lambda e: e["t"])


def _generated(case: Case) -> Iterator[Event]:
    if told := case.get("events_gen"):
        check("events_gen", told, {"input", "count", "t0", "step", "partition_format", "partition_from"})
        for n in range(told["count"]):
            name = str(told["partition_format"]) % (told["partition_from"] + n)
            yield {"t": told["t0"] + n * told["step"], "input": told["input"], "id": f"gen-{n}", "partition": name}
    if told := case.get("events_list_partitions"):
        check("events_list_partitions", told, {"input", "t0", "step", "partitions"})
        for n, name in enumerate(told["partitions"]):
            yield {
                "t": told["t0"] + n * told["step"],
                "input": told["input"],
                "id": f"list-{n}",
                "partition": str(name),
            }


class Stage:
    """The simulator with one case on it. A scenario's t is in seconds since the case's epoch."""

    def __init__(self, project: Project, case: Case) -> None:
        self.epoch = instant(datetime.fromisoformat(str(case.get("epoch", EPOCH))))
        self.sim = Simulator(
            project.flow, sensors=project.sensors, assets=project.assets.values(), start=moment(self.epoch).isoformat()
        )
        for rule in project.rules:
            self.sim.takes(rule["task"], rule.get("run_s", 0))
        for task, lines in case.get("run_outcomes", {}).items():
            for line in lines:
                self._script(task, line)

    def _script(self, task: str, line: Event) -> None:
        check("run_outcomes", line, {"start", "attempt", "outcome"})
        which = {k: line[k] for k in ("start", "attempt") if k in line}
        match line["outcome"]:
            case "ok":
                self.sim.outcome(task, **which)
            case "failed":
                self.sim.outcome(task, fails="ScenarioFailure", **which)
            case "ok_without_output":
                self.sim.outcome(task, returns=NOTHING, **which)
            case other:
                raise UnknownKeyError(f"outcome: {other}")

    def run(self, timeline: list[Event], horizon: float, *, together: bool) -> None:
        n = 0
        while n < len(timeline):
            same = [e for e in timeline[n:] if e["t"] == timeline[n]["t"]] if together else [timeline[n]]
            self.sim.at(self._moment(timeline[n]["t"]))
            following = timeline[n + len(same)] if n + len(same) < len(timeline) else {}
            if following.get("kind") == "crash" and following.get("at"):
                self.sim.crash(POINTS[following["at"]])  # type: ignore[arg-type]
            if together:
                with self.sim.together():
                    for event in same:
                        self._hand(event)
            else:
                self._hand(same[0])
            n += len(same)
        self.sim.at(self._moment(horizon))
        self.starts = self.sim.starts

    def _hand(self, event: Event) -> None:
        match event.get("kind"):
            case "crash" | "service_down":
                if not event.get("at"):
                    self.sim.crash()
            case "restart" | "service_up":
                self.sim.restart()
            case _:
                told = {**event, **({"event_t": self._at(event["event_t"])} if "event_t" in event else {})}
                self.sim.post(event["input"], told, id=str(event.get("id", "")))

    def _at(self, t: float) -> Instant:
        return Instant(self.epoch + round(t * 1e6))

    def _moment(self, t: float) -> datetime:
        return moment(self.epoch) + timedelta(microseconds=round(t * 1e6))

    # --- what came of it

    def compare(self, expect: Case) -> None:
        wanted = list(expect.get("starts", ()))
        got = list(self.starts)
        if expect.get("order") == "any":
            wanted.sort(key=lambda s: (s["t"], s["task"], str(s.get("partition", s.get("key", "")))))
            got.sort(key=lambda s: (s.at, s.task, s.key))
        seen = [f"t={(s.at - self.epoch) / 1e6:g} {s.task} key={s.key!r} attempt={s.attempt} {_ids(s)}" for s in got]
        assert len(got) == len(wanted), f"expected {len(wanted)} starts, got {len(got)}: {seen}"
        for start, want in zip(got, wanted, strict=True):
            for what, (is_, should) in self._sides(start, want).items():
                assert is_ == should, f"{what} is {is_!r}, should be {should!r}; started: {seen}"
        if "rejected" in expect:
            dead = [msgspec.json.decode(d.body)["id"] for d in self.sim.dead]
            assert dead == list(expect["rejected"]), f"refused: {dead}"
        self.sim.restart().drain().check()

    def _sides(self, start: Start, want: Event) -> dict[str, tuple[object, object]]:
        t = (start.at - self.epoch) / 1e6
        sides: dict[str, tuple[object, object]] = {"task": (start.task, want["task"])}
        if "t" in want:
            sides["t"] = (t, want["t"])
        if "t_min" in want or "t_max" in want:
            sides["t in its range"] = (want.get("t_min", t) <= t <= want.get("t_max", t), True)
        if "inputs" in want:
            sides["inputs"] = (_ids(start), {k: [str(i) for i in v] for k, v in want["inputs"].items()})
        for word in ("key", "partition"):
            if word in want:
                sides[word] = (start.key, str(want[word]))
        if "attempt" in want:
            sides["attempt"] = (start.attempt, want["attempt"])
        if "tick" in want:
            slots = [msgspec.json.decode(i.evidence)["slot"] for i in start.run.inputs if i.asset == TICK]
            sides["tick"] = ([(s - self.epoch) / 1e6 for s in slots], [want["tick"]])
        return sides


def _ids(start: Start) -> dict[str, list[str]]:
    """The ids of the events of each input, as the scenario names them; schedules are not inputs there."""
    return {
        asset: [i.removeprefix("/simulated ") for i in ids]
        for asset, ids in start.inputs.items()
        if asset != TICK and not asset.startswith("schedule:")
    }
