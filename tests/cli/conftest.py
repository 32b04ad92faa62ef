"""A small project, its service as a process of its own, and the command line called in this one."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reactor.cli.main import run

INPUTS = """
from pydantic import BaseModel
from reactor import Asset, Daily, Kafka, Ready, sensor

days = Daily(start="2026-01-01")
orders = Asset("orders", days, owner="shop@example.com")
refunds = Asset("refunds", days, owner="payments@example.com", due="2h")

class Closed(BaseModel):
    day: str
    rows: int

@sensor(Kafka("orders"))
def orders_closed(closed: Closed) -> Ready:
    return orders.ready(closed.day, rows=closed.rows)

@sensor(Kafka("refunds"))
def refunds_closed(closed: Closed) -> Ready:
    return refunds.ready(closed.day, rows=closed.rows)
"""
DAILY = """
from reactor import Asset, Permanent, Run, Workflow
from sensors.inputs import days, orders, refunds

revenue = Asset("revenue", days)
report = Asset("report", days)
daily = Workflow("daily", owner="finance@example.com")

@daily.task(inputs=orders.where("rows > 0") & refunds, outputs=revenue)
def build(run: Run):
    run.log.info("building %s", run.partition)
    if run.inputs["orders"].evidence["rows"] == 13:
        raise Permanent("thirteen is unlucky")
    return {"rows": 1}

@daily.task(inputs=revenue, outputs=report)
def tell(run: Run) -> None:
    return None
"""


@dataclass
class Said:
    """What one command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Say = Callable[..., Said]


def until(what: Callable[[], object], seconds: float = 15.0) -> None:
    """Asks again until it is true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.03)


def write_project(root: Path) -> Path:
    for name, text in (("sensors/inputs.py", INPUTS), ("workflows/daily.py", DAILY), ("reactor.toml", "port = 0\n")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


class Served:
    """A project whose service runs as a process."""

    def __init__(self, root: Path, *words: str) -> None:
        self.root = root
        self._log = (root / "service.log").open("w")
        command = [sys.executable, "-m", "reactor.cli.main", *(words or ("dev",)), "--project", str(root)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("REACTOR_", "OTEL_"))}
        self.process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT, env=environment)
        until(lambda: (root / ".reactor" / "service.json").exists() or self.process.poll() is not None)

    @property
    def log(self) -> str:
        return (self.root / "service.log").read_text()

    def stop(self, how: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(20)
        self._log.close()
        return code


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service for the tests of a module: each uses days of its own."""
    service = Served(write_project(tmp_path_factory.mktemp("project")))
    yield service
    service.stop()


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Say]:
    """`say("why", "revenue", "2026-11-20", root=...)` is `reactor why revenue 2026-11-20 --project ...`."""
    for name in [n for n in os.environ if n.startswith("REACTOR_")]:
        monkeypatch.delenv(name)
    modules = {n: m for n, m in sys.modules.items() if n.partition(".")[0] in ("sensors", "workflows")}
    path = list(sys.path)

    def call(*words: str, root: Path | None = None) -> Said:
        capsys.readouterr()
        code = run([*words, *(["--project", str(root)] if root is not None else [])])
        told = capsys.readouterr()
        return Said(code, told.out, told.err)

    yield call
    for name in [n for n in sys.modules if n.partition(".")[0] in ("sensors", "workflows")]:
        del sys.modules[name]
    sys.modules.update(modules)
    sys.path[:] = path


def closed(day: str, rows: int = 1) -> str:
    return json.dumps({"day": day, "rows": rows})


def states(say: Say, words: Sequence[str], root: Path) -> list[str]:
    return [r["state"] for r in say("runs", *words, "--json", root=root).json]
