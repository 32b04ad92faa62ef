"""A scenario's rules as a user would write them: assets, sensors, conditions, workflows. Only the public
names are used.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from reactor import (
    Asset,
    CloudEvent,
    Daily,
    Dynamic,
    Hourly,
    Http,
    Limit,
    Monthly,
    Ready,
    Retry,
    Run,
    Schedule,
    Static,
    Tick,
    Workflow,
    at_least,
    schedule,
    sensor,
)
from reactor.model.condition import Condition
from reactor.model.partitions import Partitions, moment
from reactor.model.sensor import Sensor
from tests.scenarios.vocabulary import (
    FLOW,
    FLOW_LATER,
    OPERAND,
    OPERAND_LATER,
    RULE,
    RULE_LATER,
    WHEN,
    WHEN_LATER,
    NotYet,
    UnknownKeyError,
    check,
)

Rule = Mapping[str, Any]
TICK = "tick"
CUTS: dict[str, Any] = {"hour": (Hourly, "2000-01-01T00"), "day": (Daily, "2000-01-01"), "month": (Monthly, "2000-01")}
OWN = {
    "t",
    "input",
    "id",
    "event_t",
    "partition",
    "partitions",
    "keys",
    "status",
    "kind",
    "follows",
    "check",
    "of_version",
    "result",
}
"""The keys of an event that are not its payload."""


class Project:
    """The definitions of one case."""

    def __init__(self, rules: list[Rule]) -> None:
        self.rules = rules
        for rule in rules:
            check(f"rule {rule.get('task')}", rule, RULE, RULE_LATER)
            check("flow", rule.get("flow", {}), FLOW, FLOW_LATER)
        self.assets: dict[str, Asset] = {}
        self.sensors: list[Sensor[..., object]] = []
        self.flow = Workflow("case", owner="owner@example.com")
        for name, cut in self._inputs():
            self._asset(name, cut)
        for rule in rules:
            self._task(rule)

    # --- assets and their sensors

    def _inputs(self) -> Iterator[tuple[str, Partitions | None]]:
        for rule in self.rules:
            cut = _cut(rule)
            for name, own in inputs(rule["when"]):
                yield name, own if own is not None else cut
            for name in rule.get("reads_without_trigger", ()):
                yield name, None
            if rule["task"] in {n for r in self.rules for n, _ in inputs(r["when"])}:
                yield rule["task"], cut

    def _asset(self, name: str, cut: Partitions | None) -> None:
        if name in self.assets:
            if self.assets[name].partitions != cut:
                raise NotYet(f"{name} is cut in two ways")
            return
        asset = self.assets[name] = Asset(name, cut)

        @sensor(Http(name), name=f"{name}_came")
        def came(event: CloudEvent) -> list[Ready]:
            told: dict[str, Any] = event.data
            fields = {k: v for k, v in told.items() if k not in OWN}
            keys = told.get("partitions") or told.get("keys") or [told.get("partition")]
            if cut is None:
                fields |= {"partition": told["partition"]} if "partition" in told else {}
                keys = [None]
            at = moment(told["event_t"]) if "event_t" in told else None
            return [asset.ready(k, status=told.get("status", "ok"), at=at, evidence=fields) for k in keys]

        self.sensors.append(came)

    def _ticks(self, every: float, missed: str) -> Condition:
        """A schedule that is asked to do more than its default: a sensor on it, as a user would have."""
        asset = self.assets.setdefault(TICK, Asset(TICK))

        @sensor(Schedule(every=every, missed=missed), name="ticks")  # type: ignore[arg-type]
        def ticks(tick: Tick) -> Ready:
            return asset.ready(at=moment(tick.at), slot=tick.at)

        self.sensors.append(ticks)
        return asset

    # --- tasks

    def _task(self, rule: Rule) -> None:
        name = rule["task"]
        limit = rule.get("flow", {}).get("concurrency")
        more: dict[str, Any] = {}
        if limit is not None:
            check("concurrency", limit, {"limit", "key"})
            more["limit"] = Limit(limit["limit"], limit.get("key", ""))

        def body(run: Run) -> None:
            """Never called: the simulator plays it."""

        self.flow.task(
            name=name,
            inputs=self._whole(rule),
            outputs=[self.assets[name]] if name in self.assets else [],
            retry=_retry(rule),
            **more,
        )(body)

    def _whole(self, rule: Rule) -> Condition:
        if rule.get("clock", "arrival") != "arrival":
            raise NotYet("clock: event")
        found = self._condition(rule["when"], rule)
        within = rule.get("within")
        if "window" in rule:
            if rule["window"]["kind"] != "sliding":
                raise NotYet(f"window: {rule['window']['kind']}")
            check("window", rule["window"], {"kind", "seconds"})
            within = rule["window"]["seconds"]
        if within is not None:
            found = found.within(within)
        if rule.get("key") not in (None, "partition"):
            found = found.key(rule["key"])
        if "consume" in rule:
            found = found.consume(rule["consume"])
        if "reset" in rule:
            found = found.reset(rule["reset"])
        reads = rule.get("reads_without_trigger")
        return found.reading(*(self.assets[n] for n in reads)) if reads else found

    def _condition(self, when: Any, rule: Rule) -> Condition:
        if isinstance(when, str):
            return self.assets[when]
        if "input" in when:
            return self._operand(when)
        check("when", when, WHEN, WHEN_LATER)
        ((word, inner),) = when.items()
        if word == "all_partitions":
            return self._rollup(inner)
        if word == "tick":
            check("tick", inner, {"every"})
            missed = rule.get("missed_ticks")
            return schedule(every=inner["every"]) if missed is None else self._ticks(inner["every"], missed)
        if word == "at_least":
            check("at_least", inner, {"n", "of"})
            return at_least(inner["n"], *(self._condition(p, rule) for p in inner["of"]))
        parts = [self._condition(p, rule) for p in inner]
        found = parts[0]
        for part in parts[1:]:
            found = found & part if word == "all" else found | part
        return found

    def _operand(self, told: Mapping[str, Any]) -> Condition:
        check("operand", told, OPERAND, OPERAND_LATER)
        asset = self.assets[told["input"]]
        found = asset.operand()
        if "filter" in told:
            found = found.where(**told["filter"])
        if "filter_expr" in told:
            found = found.where(told["filter_expr"])
        if "filter_any" in told:
            found = found.where(" or ".join(f"({part})" for part in told["filter_any"]))
        if "pattern" in told:
            found = found.where(pattern(told["pattern"]))
        return found

    def _rollup(self, told: Mapping[str, Any]) -> Condition:
        fine, unit = _rolled(told)
        assert fine == self.assets[told["input"]].partitions
        return self.assets[told["input"]].all_of(
            unit, missing_at_most=told.get("missing_at_most", 0), at_least=told.get("at_least")
        )


def _rolled(told: Mapping[str, Any]) -> tuple[Partitions, Partitions]:
    check("all_partitions", told, {"input", "of", "by", "timezone", "at_least", "missing_at_most"}, {"segments"})
    found = []
    for unit in (told["by"], told["of"]):
        if unit not in CUTS:
            raise NotYet(f"partitions of a {unit}")
        kind, start = CUTS[unit]
        found.append(kind(start, told.get("timezone", "UTC")))
    return found[0], found[1]


def _cut(rule: Rule) -> Partitions | None:
    told = rule.get("partitions")
    if told is None:
        return Dynamic("partition") if rule.get("key") == "partition" else None
    check("partitions", told, {"kind", "first", "keys"})
    if told["kind"] == "static":
        return Static(*told["keys"])
    unit = {"hourly": "hour", "daily": "day", "monthly": "month"}.get(told["kind"])
    if unit is None:
        raise UnknownKeyError(f"partitions: {told['kind']}")
    kind, start = CUTS[unit]
    cut: Partitions = kind(told.get("first", start))
    return cut


def inputs(when: Any) -> Iterator[tuple[str, Partitions | None]]:
    """The inputs that a condition names, and how each is cut where the condition says so."""
    if isinstance(when, str):
        yield when, None
        return
    if "input" in when:
        yield when["input"], None
        return
    check("when", when, WHEN, WHEN_LATER)
    ((word, inner),) = when.items()
    if word == "all_partitions":
        yield inner["input"], _rolled(inner)[0]
    elif word != "tick":
        for part in inner["of"] if word == "at_least" else inner:
            yield from inputs(part)


def _retry(rule: Rule) -> Retry:
    told = rule.get("retry")
    if told is None:
        return Retry(attempts=rule.get("retries", 0) + 1, first=0)
    check("retry", told, {"attempts", "delay", "factor", "jitter"})
    return Retry(
        told["attempts"], told.get("delay", 0), most="365d", factor=told.get("factor", 1), jitter=told.get("jitter", 0)
    )


def pattern(told: Mapping[str, Any], path: str = "") -> str:
    """A pattern over an event's fields as a filter: every field fits, each in one of its ways."""
    return " and ".join(f"({_fits(f'{path}{name}', ways)})" for name, ways in told.items())


def _fits(field: str, ways: Any) -> str:
    if isinstance(ways, list):
        return " or ".join(f"({_fits(field, way)})" for way in ways)
    if not isinstance(ways, Mapping):
        return f"{field} == {ways!r}"
    words = {"prefix", "anything_but", "exists"}
    if not words & set(ways):
        return pattern(ways, f"{field}.")
    check(f"pattern of {field}", ways, words)
    texts = {
        "prefix": lambda v: f"starts_with({field}, {v!r})",
        "anything_but": lambda v: f"{field} not in {v!r}" if isinstance(v, list) else f"{field} != {v!r}",
        "exists": lambda v: f"exists({field})" if v else f"not exists({field})",
    }
    return " and ".join(texts[word](value) for word, value in ways.items())
