"""Metrics for Prometheus, in a registry of our own. Added up per commit, never per event; states are asked for when somebody scrapes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from reactor.model.commands import Alert, Announced, Noted
from reactor.model.run import OPEN, Reason
from reactor.telemetry.base import Counted, Sensed
from reactor.telemetry.tally import Spread, Sums

_WAITS = (0.01, 0.1, 1, 10, 60, 600, 3_600, 21_600, 86_400)
_RUNS = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 1_800, 7_200)


class Metrics:
    """A listener of what happened, and the page that is scraped. Used from the loop alone."""

    traces = False

    def __init__(self, version: str) -> None:
        self._registry = CollectorRegistry()
        self._make_sums()
        self._make_gauges()
        self._gauge("build_info", "The version that runs.", "version").labels(version).set(1)

    def _make_sums(self) -> None:
        self._events = self._sums("events", "Events of a source by what became of them.", "source", "outcome")
        self._versions = self._sums("versions", "Versions that slots of an asset got.", "asset")
        self._runs = self._sums("runs", "Runs that ended.", "task", "result")
        self._attempts = self._sums("attempts", "Attempts that ended.", "task", "result")
        self._dead = self._sums("dead_letters", "Events that went to the dead letters.", "source")
        self._alerts = self._sums("alerts", "Alerts by their kind.", "owner", "kind")
        self._refused = self._sums("webhook_refused", "Deliveries that were turned away.", "source", "reason")
        self._dropped = self._sums("spans_dropped", "Spans, or what would have become some, that no collector got.")
        self._waits = self._spread("rule_wait_seconds", "From the first input of a run to the last.", _WAITS)
        self._took = self._spread("run_duration_seconds", "From a run's first attempt to its end.", _RUNS)

    def _make_gauges(self) -> None:
        self._last = self._gauge(
            "source_last_event_timestamp_seconds", "When a source's last batch was committed.", "source"
        )
        self._lag = self._gauge("source_lag_records", "Events that wait in a source.", "source")
        self._up = self._gauge("source_up", "1 where the source is connected.", "source")
        self._partitions = self._gauge(
            "partitions",
            "The newest partitions of an asset (7, or the hours of 7 days) by their state.",
            "asset",
            "state",
        )
        self._fresh = self._gauge("asset_freshness_seconds", "Since an asset last got a version.", "asset")
        self._open = self._gauge("runs_open", "Runs that are queued, running or retrying.")
        self._loop = self._gauge("event_loop_lag_seconds", "How late the loop came to its last beat.")

    def _sums(self, name: str, help: str, *labels: str) -> Sums:
        made = Sums(f"reactor_{name}", help, labels)
        self._registry.register(made)
        return made

    def _spread(self, name: str, help: str, bounds: Sequence[float]) -> Spread:
        made = Spread(f"reactor_{name}", help, "task", bounds)
        self._registry.register(made)
        return made

    def _gauge(self, name: str, help: str, *labels: str) -> Gauge:
        return Gauge(f"reactor_{name}", help, labels, registry=self._registry)

    def sensed(self, found: Sequence[Sensed]) -> None: ...

    def counted(self, counts: Sequence[Counted]) -> None:
        last: dict[str, int] = {}
        for count in counts:
            for outcome, number in (
                ("ready", count.ready), ("ignored", count.ignored), ("duplicate", count.duplicate), ("dead", count.dead),
            ):  # fmt: skip
                if number:
                    self._events.add((count.source, outcome), number)
            if count.dead:
                self._dead.add((count.source,), count.dead)
            last[count.source] = count.at
        for source, at in last.items():
            self._last.labels(source).set(at / 1e6)

    def announced(self, made: Sequence[Announced]) -> None:
        for asset, number in Counter(m.readiness.asset for m in made).items():
            self._versions.add((asset,), number)

    def noted(self, ended: Sequence[Noted]) -> None:
        for each in ended:
            run = each.run
            if each.attempt is not None:
                self._attempts.add((run.task, each.attempt.result))
            if run.state in OPEN:
                continue
            self._runs.add((run.task, run.state.value))
            if run.reason is not Reason.MANUAL:
                self._waits.observe(run.task, (run.created - run.waited_since) / 1e6)
            if run.started is not None and run.ended is not None:
                self._took.observe(run.task, (run.ended - run.started) / 1e6)

    def refused(self, source: str, reason: str) -> None:
        """`reason` is one of a few words."""
        self._refused.add((source, reason))

    def alerted(self, alert: Alert) -> None:
        self._alerts.add((alert.owner, alert.kind.value))

    def render(
        self,
        sources: Mapping[str, tuple[bool, int | None]],
        open_runs: int,
        loop_lag: float,
        dropped: int,
        partitions: Mapping[tuple[str, str], int],
        freshness: Mapping[str, float],
    ) -> tuple[bytes, str]:
        """The page and its content type. `sources`: for each, whether it is connected, and its lag where that is known. `partitions`: how many,
        by asset and state. `freshness`: seconds, by asset.

        A source or an asset that is not among them any more, after a reload, is gone from the page too.
        """
        for gauge in (self._up, self._lag, self._partitions, self._fresh):
            gauge.clear()
        for (asset, state), number in partitions.items():
            self._partitions.labels(asset, state).set(number)
        for asset, seconds in freshness.items():
            self._fresh.labels(asset).set(seconds)
        for name, (connected, lag) in sources.items():
            self._up.labels(name).set(connected)
            if lag is not None:
                self._lag.labels(name).set(lag)
        self._open.set(open_runs)
        self._loop.set(loop_lag)
        self._dropped.set((), dropped)
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    async def close(self, timeout: float) -> None: ...


class Traces(Protocol):
    """The part of the traces that is joined here: it is loaded only where there is a collector."""

    @property
    def dropped(self) -> int: ...
    def flagged(self, context: str, incoming: str | None) -> str: ...
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

    def flagged(self, context: str, incoming: str | None) -> str:
        return self._traces.flagged(context, incoming) if self._traces is not None else context

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
