"""The demo, as CI plays it: the real service, a day in seconds, nothing left behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Say, until

DEMO = [sys.executable, "-m", "reactor.cli.main", "demo"]


def test_the_day_is_played_and_nothing_is_lost_doubled_or_early(tmp_path: Path, say: Say) -> None:
    kept = tmp_path / "kept"
    done = subprocess.run(
        [*DEMO, "--headless", "--json", "--keep", str(kept)], capture_output=True, text=True, timeout=60, check=False
    )
    verdict = json.loads(done.stdout)
    assert (done.returncode, verdict["ok"]) == (0, True), verdict
    assert (verdict["runs"], verdict["attempts"], len(verdict["alerts"])) == (8, 9, 1)
    assert say("audit", root=kept).code == 0
    assert say("why", "revenue", "2026-11-20", root=kept).code == 0


def test_an_end_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 130)):
        demo = subprocess.Popen(
            DEMO, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        until(lambda: list(tmp_path.glob("reactor-demo-*/*/warehouse/revenue-*")))
        demo.send_signal(number)
        _, said = demo.communicate(timeout=20)
        assert demo.returncode == code, said.decode()
        assert list(tmp_path.iterdir()) == []
