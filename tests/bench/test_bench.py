"""The bench works: it is run, at its smallest, and what it writes is what it promises. Its figures mean nothing here."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from reactor.model.ids import TaskName
from reactor.store.sqlite import SqliteReader
from tests.bench import ledger
from tests.bench.definitions import SLOTS, project
from tests.bench.measure import spread
from tests.bench.rows import ROWS


async def bench(*words: str) -> tuple[int, str]:
    """How it ends, and what it says."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await child.communicate()
    return child.returncode or 0, said.decode()


async def test_a_row_gives_its_figures_beside_the_machine_it_was_measured_on(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    code, said = await bench("--quick", "--json", str(file), "help", "rules-10")
    assert code == 0, said
    found = json.loads(file.read_text())
    assert {"cores", "python", "fdatasync_ms", "load"} <= set(found["machine"])
    assert found["quick"] is True
    assert set(found["rows"]) == {"help", "rules-10"}
    assert found["rows"]["help"]["aims"] == {"ms": [500, 300]}
    assert found["rows"]["help"]["figures"]["ms"] > 0
    assert found["rows"]["rules-10"]["figures"]["us, each event"] > 0
    assert "target" in said


async def test_a_row_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    code, said = await bench("evnets")
    assert code != 0
    assert "There is no row 'evnets'" in said and "events" in said


def test_every_aim_is_ordered_from_floor_to_target() -> None:
    """More is better for what is counted in a second, less for all else."""
    for name, row in ROWS.items():
        for figure, (floor, target) in row.aims.items():
            assert (target >= floor) if figure.endswith("/s") else (target <= floor), (name, figure)


def test_the_spread_of_a_hundred() -> None:
    assert spread([float(n) for n in range(100)]) == {"p50": 50, "p95": 95, "p99": 99, "max": 99}


@pytest.mark.parametrize(
    ("kind", "runs", "waits"), [("waiting", 0, 30), ("done", 30, 0)], ids=["orders that wait", "orders that are done"]
)
async def test_a_printed_ledger_is_one_that_an_engine_could_have_written(
    tmp_path: Path, kind: str, runs: int, waits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "AT_ONCE", 7)
    project(tmp_path, SLOTS)
    await (await ledger.write(tmp_path, kind, 30)).close()
    reader = await SqliteReader.open(tmp_path / ".reactor" / "reactor.db")
    try:
        assert list(await reader.balance()) == []
        assert sum((await reader.run_counts()).values()) == runs
        assert len(await reader.waits(TaskName("joined"), 100)) == waits
    finally:
        await reader.close()
