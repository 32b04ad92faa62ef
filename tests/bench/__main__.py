"""`make bench`: what this machine reaches, as a table and as `bench.json`, with its cores, its fsync time and its load beside it.

    python -m tests.bench [--quick] [--json FILE] [ROW ...]      a name, or how it begins: `kafka` is all rows of it

Each row runs in a process of its own, so that none leaves its memory or its threads to the next.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from reactor.cli.serve import run_loop
from tests.bench.measure import Figures, Row, Size, machine
from tests.bench.rows import ROWS
from tests.services.cache import Unavailable

UNAVAILABLE = 77
"""How a row's process ends that cannot be had here; its last line says why."""
FAILED = "it failed; see above"


def main() -> None:
    asked = _arguments()
    if asked.one:
        _measure(ROWS[asked.rows[0]], Path(asked.one), Size(asked.quick))
        return
    with tempfile.TemporaryDirectory(prefix="reactor-bench-") as folder:
        facts = machine(Path(folder))
        print(", ".join(f"{name} {value}" for name, value in facts.items()))
        found = {name: _row(name, Path(folder) / name, asked.quick) for name in _chosen(asked.rows)}
    file = Path(asked.json)
    file.write_text(json.dumps({"machine": facts, "quick": asked.quick, "rows": found}, indent=2) + "\n")
    if any(row.get("error") == FAILED for row in found.values()):
        sys.exit("Some rows failed.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="What this machine reaches.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"one of {', '.join(ROWS)}, or how some of them begin")
    parser.add_argument("--quick", action="store_true", help="a fraction of the work: figures that mean little")
    parser.add_argument("--json", default="bench.json", metavar="FILE", help="where the figures go")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def _chosen(asked: list[str]) -> list[str]:
    for name in asked:
        if not any(row.startswith(name) for row in ROWS):
            sys.exit(f"There is no row {name!r}. There are: {', '.join(ROWS)}.")
    return [row for row in ROWS if row in asked or (not asked) or any(row.startswith(f"{name}-") for name in asked)]


def _row(name: str, folder: Path, quick: bool) -> dict[str, object]:
    """Measured in a process of its own; what it prints last is its figures."""
    row, before, began = ROWS[name], os.getloadavg()[0], time.monotonic()
    folder.mkdir()
    argv = [sys.executable, "-m", "tests.bench", "--one", str(folder), *(["--quick"] if quick else []), name]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    said = done.stdout.strip().splitlines()
    load = [round(before, 2), round(os.getloadavg()[0], 2)]
    if done.returncode:
        reason = said[-1] if done.returncode == UNAVAILABLE else FAILED
        print(f"{name:13} {row.title}\n    not measured: {reason}")
        return {"title": row.title, "error": reason, "load": load}
    figures: Figures = json.loads(said[-1])
    _show(name, row, figures, load, time.monotonic() - began)
    return {"title": row.title, "figures": figures, "aims": row.aims, "load": load}


def _show(name: str, row: Row, figures: Figures, load: list[float], took: float) -> None:
    print(f"{name:13} {row.title}  (load {load[0]} to {load[1]}, {took:.0f} s)")
    for figure, value in figures.items():
        aim = row.aims.get(figure)
        beside = f"   floor {aim[0]:>9,g}   target {aim[1]:>9,g}" if aim else ""
        print(f"    {figure:24} {value:>12,.2f}{beside}", flush=True)


def _measure(row: Row, folder: Path, size: Size) -> None:
    try:
        figures = run_loop(row.measure(folder, size))
    except Unavailable as reason:
        print(reason)
        sys.exit(UNAVAILABLE)
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
