"""Metrics for Prometheus, in a registry of our own. Added up per commit, never per event; states are asked for when somebody scrapes."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from reactor.model.commands import Alert, Announced, Noted
from reactor.model.run import OPEN
from reactor.telemetry.base import Counted, Sensed

_WAITS = (0.01, 0.1, 1, 10, 60, 600, 3_600, 21_600, 86_400)
_RUNS = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 1_800, 7_200)


class Metrics:
    """A listener of what happened, and the page that is scraped."""

    traces = False

    def __init__(self, version: str) -> None:
        r = self._registry = CollectorRegistry()
        self._events = Counter(
            "reactor_events", "Events of a source by what became of them.", ["source", "outcome"], registry=r
        )
        self._last = Gauge(
            "reactor_source_last_event_timestamp_seconds",
            "When a source's last batch was committed.",
            ["source"],
            registry=r,
        )
        self._lag = Gauge("reactor_source_lag_records", "Events that wait in a source.", ["source"], registry=r)
        self._up = Gauge("reactor_source_up", "1 where the source is connected.", ["source"], registry=r)
        self._versions = Counter("reactor_versions", "Versions that slots of an asset got.", ["asset"], registry=r)
        self._waits = Histogram(
            "reactor_rule_wait_seconds",
            "From the first input of a run to the last.",
            ["task"],
            buckets=_WAITS,
            registry=r,
        )
        self._runs = Counter("reactor_runs", "Runs that ended.", ["task", "result"], registry=r)
        self._attempts = Counter("reactor_attempts", "Attempts that ended.", ["task", "result"], registry=r)
        self._took = Histogram(
            "reactor_run_duration_seconds",
            "From a run's first attempt to its end.",
            ["task"],
            buckets=_RUNS,
            registry=r,
        )
        self._dead = Counter("reactor_dead_letters", "Events that went to the dead letters.", ["source"], registry=r)
        self._alerts = Counter("reactor_alerts", "Alerts by their kind.", ["owner", "kind"], registry=r)
        self._open = Gauge("reactor_runs_open", "Runs that are queued, running or retrying.", registry=r)
        self._loop = Gauge("reactor_event_loop_lag_seconds", "How late the loop came to its last beat.", registry=r)
        self._dropped = Gauge(
            "reactor_spans_dropped_total", "Things told that became no span at a collector.", registry=r
        )
        Gauge("reactor_build_info", "The version that runs.", ["version"], registry=r).labels(version).set(1)

    def sensed(self, found: Sequence[Sensed]) -> None: ...

    def counted(self, counts: Sequence[Counted]) -> None:
        for count in counts:
            for outcome, number in (
                ("ready", count.ready), ("ignored", count.ignored), ("duplicate", count.duplicate), ("dead", count.dead),
            ):  # fmt: skip
                if number:
                    self._events.labels(count.source, outcome).inc(number)
            if count.dead:
                self._dead.labels(count.source).inc(count.dead)
            self._last.labels(count.source).set(count.at / 1e6)

    def announced(self, made: Sequence[Announced]) -> None:
        counts: dict[str, int] = {}
        for each in made:
            counts[each.readiness.asset] = counts.get(each.readiness.asset, 0) + 1
        for asset, number in counts.items():
            self._versions.labels(asset).inc(number)

    def noted(self, ended: Sequence[Noted]) -> None:
        for each in ended:
            run = each.run
            self._attempts.labels(run.task, each.attempt.result).inc()
            if run.state in OPEN:
                continue
            self._runs.labels(run.task, run.state.value).inc()
            self._waits.labels(run.task).observe((run.created - run.waited_since) / 1e6)
            if run.started is not None and run.ended is not None:
                self._took.labels(run.task).observe((run.ended - run.started) / 1e6)

    def alerted(self, alert: Alert) -> None:
        self._alerts.labels(alert.owner, alert.kind.value).inc()

    def render(
        self, sources: Mapping[str, tuple[bool, int | None]], open_runs: int, loop_lag: float, dropped: int
    ) -> tuple[bytes, str]:
        """The page and its content type. `sources`: for each, whether it is connected, and its lag where that is known."""
        for name, (connected, lag) in sources.items():
            self._up.labels(name).set(connected)
            if lag is not None:
                self._lag.labels(name).set(lag)
        self._open.set(open_runs)
        self._loop.set(loop_lag)
        self._dropped.set(dropped)
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    async def close(self, timeout: float) -> None: ...


class Traces(Protocol):
    """The part of the traces that is joined here: it is loaded only where there is a collector."""

    @property
    def dropped(self) -> int: ...
    def sensed(self, found: Sequence[Sensed]) -> None: ...
    def announced(self, made: Sequence[Announced]) -> None: ...
    def noted(self, ended: Sequence[Noted]) -> None: ...
    async def close(self, timeout: float) -> None: ...


class Both:
    """Metrics always, traces where there is a collector."""

    def __init__(self, metrics: Metrics, traces: Traces | None) -> None:
        self._metrics, self._traces = metrics, traces

    @property
    def traces(self) -> bool:
        return self._traces is not None

    @property
    def dropped(self) -> int:
        return self._traces.dropped if self._traces is not None else 0

    def sensed(self, found: Sequence[Sensed]) -> None:
        if self._traces is not None:
            self._traces.sensed(found)

    def counted(self, counts: Sequence[Counted]) -> None:
        self._metrics.counted(counts)

    def announced(self, made: Sequence[Announced]) -> None:
        self._metrics.announced(made)
        if self._traces is not None:
            self._traces.announced(made)

    def noted(self, ended: Sequence[Noted]) -> None:
        self._metrics.noted(ended)
        if self._traces is not None:
            self._traces.noted(ended)

    async def close(self, timeout: float) -> None:
        if self._traces is not None:
            await self._traces.close(timeout)
