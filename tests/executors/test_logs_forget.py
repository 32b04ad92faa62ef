"""Logs go when their run is older than the history that is kept."""

from __future__ import annotations

import os
from pathlib import Path

from reactor.executors.logs import FileLogs
from reactor.model.ids import Instant, RunId
from tests.clock import MachineClock


def test_old_runs_go_and_new_ones_stay(tmp_path: Path) -> None:
    logs = FileLogs(tmp_path, MachineClock())
    for run in ("old", "new"):
        sink = logs.open(RunId(run), 1)
        sink.line("hello")
        sink.close()
    os.utime(tmp_path / "old" / "1.log", (1_000, 1_000))
    assert logs.forget(Instant(2_000 * 1_000_000)) == 1
    assert list(logs.read(RunId("old"), 1)) == []
    assert len(list(logs.read(RunId("new"), 1))) == 1
    assert logs.forget(Instant(2_000 * 1_000_000)) == 0
