"""`make bench`: what this machine reaches, as a table and as `bench.json`, with its cores, its fsync time and its load beside it.

python -m tests.bench [ROW ...]
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from tests.bench import buckets, rows

ROWS: dict[str, tuple[str, Callable[[Path], Coroutine[object, object, dict[str, float]]]]] = {
    "events": ("events/s end to end, all relevant, one run per two (target 60,000)", rows.events_all),
    "rare": ("events/s, 1 % relevant (target 300,000)", rows.events_rare),
    "latency": ("POST to the task's first line at 5/s, ms (target p50 3, p99 6)", rows.latency),
    "posts": ("durable POSTs/s, single, 32 callers (target 10,000)", rows.posts),
    "chain": ("chain of 10 no-op tasks, wall ms (target 12)", rows.chain),
    "files": ("10,000 files at once: ms to the last, lost (target 0 lost)", rows.files),
    "bucket": ("100,000 objects: keys/s into the ledger, listed again, loop held", buckets.bucket),
    "process": ("service: start ms, idle MiB, idle CPU % (target 1,000; 90; 1)", rows.process),
    "help": ("`reactor --help`, ms (target 300)", rows.help_time),
}


def fsync_ms(folder: Path) -> float:
    """The median of 50 fdatasyncs of one page."""
    took = []
    handle = os.open(folder / "fsync", os.O_WRONLY | os.O_CREAT)
    for _ in range(50):
        os.write(handle, b"x" * 4096)
        began = time.perf_counter()
        os.fdatasync(handle)
        took.append((time.perf_counter() - began) * 1000)
    os.close(handle)
    return statistics.median(took)


def main() -> None:
    wanted = sys.argv[1:] or list(ROWS)
    with tempfile.TemporaryDirectory(prefix="reactor-bench-") as folder:
        machine = {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "fdatasync_ms": round(fsync_ms(Path(folder)), 3),
            "load": round(os.getloadavg()[0], 2),
        }
        print(machine)
        found: dict[str, dict[str, float]] = {}
        for name in wanted:
            title, row = ROWS[name]
            place = Path(folder) / name
            place.mkdir()
            found[name] = {k: round(v, 2) for k, v in asyncio.run(row(place)).items()}
            print(f"{name:8} {title:70} {found[name]}  load {os.getloadavg()[0]:.2f}")
    Path("bench.json").write_text(json.dumps({"machine": machine, "rows": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
