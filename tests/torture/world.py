"""The world around a service that is killed for real: a client that posts until it is answered, partners that land files, tasks that leave a line
outside the service's database when they begin.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from reactor.service.work import POINTS

SENSORS = """
from reactor import Asset, CloudEvent, Dynamic, File, Files, Http, Ready, sensor

order = Dynamic("order")
paid, packed = Asset("paid", order), Asset("packed", order)

@sensor(Http("paid"))
def on_paid(event: CloudEvent) -> Ready:
    return paid.ready(event.data["order"])

@sensor(Files("landing/{order}.txt", ready="named"))
def on_packed(file: File) -> Ready:
    return packed.ready(file.fields["order"], size=file.size)
"""
WORKFLOWS = """
import json, os
from pathlib import Path
from reactor import Asset, Limit, Retry, Run, Workflow
from sensors.shop import order, packed, paid

HISTORY = Path(__file__).parents[1] / "history.jsonl"
shipped = Asset("shipped", order)
shop = Workflow("shop", owner="shop@example.com", retry=Retry(attempts=20, first="5ms", most="20ms"))

def begin(task: str, run: Run) -> None:
    line = {"task": task, "run": run.id, "token": run.token, "key": run.key, "inputs": {n: v.version for n, v in run.inputs.items()}}
    handle = os.open(HISTORY, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, (json.dumps(line) + "\\n").encode())
    os.fsync(handle)
    os.close(handle)

@shop.task(inputs=paid & packed, outputs=shipped)
async def ship(run: Run) -> None:
    begin("ship", run)
    if run.attempt == 1 and hash(run.id) % 3 == 0:
        raise OSError("bad luck")

@shop.task(inputs=shipped, limit=Limit(2))
def tell(run: Run) -> None:
    begin("tell", run)
"""
NAMES = tuple(POINTS)


@dataclass
class World:
    """One project, killed again and again."""

    root: Path
    seed: int
    rng: random.Random = field(init=False)
    pending: dict[str, str] = field(default_factory=dict)
    posted: Counter[str] = field(default_factory=Counter)
    landed: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    number: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        for name, text in (
            ("sensors/shop.py", SENSORS),
            ("workflows/shop.py", WORKFLOWS),
            ("landing/.keep", ""),
            ("reactor.toml", ""),
        ):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)
        self.zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def close(self) -> None:
        assert self.zygote.stdin is not None
        self.zygote.stdin.close()
        self.zygote.kill()
        self.zygote.wait()
        if self.zygote.stdout is not None:
            self.zygote.stdout.close()

    def begin(self, point: str = "", nth: int = 0) -> dict[str, Any] | None:
        """A life. None: it was over before it could say where it is (a labelled point may lie in the start)."""
        assert self.zygote.stdin is not None
        assert self.zygote.stdout is not None
        self.zygote.stdin.write(json.dumps({"root": str(self.root), "point": point, "nth": nth}) + "\n")
        self.zygote.stdin.flush()
        line = self.zygote.stdout.readline()
        return json.loads(line) if line.strip() else None

    def produce(self, life: dict[str, Any], seconds: float) -> bool:
        """Posts and lands for a while. False: the service died meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            order = f"o{self.rng.randint(1, 30)}"
            self.number += 1
            if self.rng.random() < 0.5:
                self.pending[f"e{self.number}"] = order
                self.posted[order] += 1
            else:
                part = self.root / f".part{self.number}"
                part.write_text("x" * self.number)
                part.replace(self.root / "landing" / f"{order}.txt")
                self.landed[order] += 1
            if not self.post_all(life):
                return False
        return True

    def post_all(self, life: dict[str, Any]) -> bool:
        for id, order in list(self.pending.items()):
            if not _post(life, id, order):
                return False
            del self.pending[id]
        return True

    def kill_once(self) -> None:
        """One life: killed at a random instant, or by itself at a labelled point."""
        at_point = self.rng.random() < 0.5
        point = self.rng.choice(NAMES) if at_point else ""
        life = self.begin(point, self.rng.randint(1, 40))
        if life is None:
            assert point, (self.root / "lives.log").read_text()
            self.kills[f"{point} (in the start)"] += 1
            return
        alive = self.produce(life, self.rng.random() * 0.15)
        if alive:
            os.kill(life["pid"], signal.SIGKILL)
        _gone(life["pid"])
        self.kills["at random" if alive else point] += 1

    def finish(self, seconds: float = 60.0) -> str:
        """A last life until all is quiet. Returns what is stuck, or nothing."""
        life = self.begin()
        assert life is not None
        for n in range(1, 31):  # at the end every order has both
            self.number += 1
            self.pending[f"e{self.number}"] = f"o{n}"
            self.posted[f"o{n}"] += 1
            part = self.root / f".part{self.number}"
            part.write_text("x" * self.number)
            part.replace(self.root / "landing" / f"o{n}.txt")
            self.landed[f"o{n}"] += 1
        assert self.post_all(life)
        end = time.monotonic() + seconds
        quiet = 0
        while quiet < 10:
            if time.monotonic() > end:
                return f"after {seconds:g} s {_ask(life, '/api/about')['open_runs']} runs are open"
            quiet = quiet + 1 if _ask(life, "/api/about")["open_runs"] == 0 else 0
            time.sleep(0.1)
        os.kill(life["pid"], signal.SIGTERM)
        _gone(life["pid"])
        return ""


def _request(
    life: dict[str, Any], method: str, path: str, body: str | None, headers: dict[str, str]
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(life["url"]).netloc, timeout=20)
    try:
        connection.request(method, path, body, {"authorization": f"Bearer {life['token']}", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _post(life: dict[str, Any], id: str, order: str) -> bool:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": id,
        "ce-source": "/shop",
        "ce-type": "paid",
        "content-type": "application/json",
    }
    try:
        status, body = _request(life, "POST", "/events", json.dumps({"order": order}), headers)
    except (OSError, http.client.HTTPException):
        return False
    assert status == 202, body
    return True


def _ask(life: dict[str, Any], path: str) -> Any:
    return json.loads(_request(life, "GET", path, None, {})[1])


def _gone(pid: int) -> None:
    end = time.monotonic() + 45
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.002)
    raise AssertionError(f"process {pid} does not end")
