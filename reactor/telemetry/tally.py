"""Sums that are kept as plain dictionaries and turned into Prometheus' families when somebody scrapes.

The client library's own counters cost a lock and a look-up for each number; these cost an addition, once for each kind in a commit.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily

Labels = tuple[str, ...]


class Sums:
    """A counter."""

    def __init__(self, name: str, help: str, labels: Sequence[str]) -> None:
        self._name, self._help, self._labels = name, help, labels
        self._of: dict[Labels, int] = {}

    def add(self, labels: Labels, number: int = 1) -> None:
        self._of[labels] = self._of.get(labels, 0) + number

    def set(self, labels: Labels, number: int) -> None:
        """Where somebody else does the counting."""
        self._of[labels] = number

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._help, labels=self._labels)
        for labels, number in self._of.items():
            family.add_metric(labels, number)
        yield family


class Spread:
    """A histogram of seconds by one label. `bounds`: the upper ends of its buckets."""

    def __init__(self, name: str, help: str, label: str, bounds: Sequence[float]) -> None:
        self._name, self._help, self._label, self._bounds = name, help, label, bounds
        self._of: dict[str, list[int]] = {}
        self._total: dict[str, float] = {}

    def observe(self, label: str, seconds: float) -> None:
        counts = self._of.get(label)
        if counts is None:
            counts = self._of[label] = [0] * (len(self._bounds) + 1)
            self._total[label] = 0.0
        counts[bisect_left(self._bounds, seconds)] += 1
        self._total[label] += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._help, labels=[self._label])
        ends = [*map(_written, self._bounds), "+Inf"]
        for label, counts in self._of.items():
            family.add_metric([label], list(zip(ends, accumulate(counts), strict=True)), self._total[label])
        yield family


def _written(bound: float) -> str:
    return str(float(bound))
