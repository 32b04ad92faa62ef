"""What a row of the bench is, and the words for its figures. Knows nothing of what is measured."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Figures = dict[str, float]
Measure = Callable[[Path, "Size"], Coroutine[None, None, Figures]]
Aim = tuple[float, float]
"""Floor and target of a figure."""


@dataclass(frozen=True)
class Size:
    """How much a row does. `quick` is a glance: every step, a fraction of the work, figures that mean little."""

    quick: bool = False

    def of(self, full: int, quick: int) -> int:
        return quick if self.quick else full


@dataclass(frozen=True)
class Row:
    """One measurement: `measure(folder, size)` gives its figures; `aims` names the figures that have a floor and a target."""

    title: str
    measure: Measure
    aims: Mapping[str, Aim] = field(default_factory=dict)


def spread(took: Sequence[float], prefix: str = "") -> Figures:
    """The usual four of a list of milliseconds."""
    found = sorted(took)

    def at(share: float) -> float:
        return found[min(int(len(found) * share), len(found) - 1)]

    return {f"{prefix}p50": at(0.5), f"{prefix}p95": at(0.95), f"{prefix}p99": at(0.99), f"{prefix}max": found[-1]}


def fsync_ms(folder: Path) -> float:
    """The median of 50 fdatasyncs of one page that is appended."""
    took = []
    handle = os.open(folder / "fsync", os.O_WRONLY | os.O_CREAT)
    for _ in range(50):
        os.write(handle, b"x" * 4096)
        began = time.perf_counter()
        os.fdatasync(handle)
        took.append((time.perf_counter() - began) * 1000)
    os.close(handle)
    return statistics.median(took)


def machine(folder: Path) -> dict[str, float | str]:
    """What a figure must be read beside."""
    return {
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "fdatasync_ms": round(fsync_ms(folder), 3),
        "load": round(os.getloadavg()[0], 2),
    }


def cpu_seconds(pid: int) -> float:
    """Of CPU that a process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid: int) -> float:
    """What a process holds in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def waited_for_a_core(pid: int) -> float:
    """Seconds for which the first thread of a process, where its loop is, could have run and had to wait for others."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


class Spent:
    """What a process took from now until `end`: seconds; CPU, all its threads together; and how long its loop waited for a core. On a busy
    machine only the CPU means something, and the waiting says how busy it was."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._began = self._now()
        self.seconds = self.cpu = self.waited = 0.0

    def _now(self) -> tuple[float, float, float]:
        return time.perf_counter(), cpu_seconds(self._pid), waited_for_a_core(self._pid)

    def end(self) -> Spent:
        self.seconds, self.cpu, self.waited = (
            now - before for now, before in zip(self._now(), self._began, strict=True)
        )
        return self

    def each(self, count: int, what: str = "event") -> Figures:
        """Its share in each of `count` things, in microseconds."""
        return {
            f"us, each {what}": self.seconds / count * 1e6,
            f"CPU us, each {what}": self.cpu / count * 1e6,
            "waited for a core %": self.waited / self.seconds * 100,
        }
