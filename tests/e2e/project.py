"""A project in a folder, and Reactor beside it as its users have it: processes, a port, the command line, the log on standard error."""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from reactor.cli.main import run

REACTOR = (sys.executable, "-m", "reactor")
LEDGER_ONLY = {"audit", "dead", "events", "runs"}
"""Commands that load no definitions. They are asked so often that each is spared a process."""
HERE = str(Path(__file__).parents[2])
SHOP = """
from reactor import Asset, Dynamic, File, Files, Kafka, Ready, Record, sensor

order = Dynamic("order")
paid = Asset("paid", order, owner="shop@example.com")
packed = Asset("packed", order, owner="stock@example.com")

@sensor(Kafka("TOPIC"))
def on_paid(record: Record) -> Ready:
    return paid.ready(record.value["order"], amount=record.value.get("amount", 1))

@sensor(Files("landing/{order}.csv", ready="named"))
def on_packed(file: File) -> Ready:
    return packed.ready(file.fields["order"], size=file.size)
"""
SHIP = """
import json, os
from pathlib import Path
from reactor import Asset, Run, Workflow
from sensors.shop import order, packed, paid

EFFECTS = Path(__file__).parents[1] / "effects.jsonl"
shipped = Asset("shipped", order)
shop = Workflow("shop", owner="shop@example.com")

@shop.task(inputs=paid & packed, outputs=shipped)
async def ship(run: Run) -> None:
    line = {"order": run.partition, "run": run.id, "token": run.token, "amount": run.inputs["paid"].evidence["amount"]}
    handle = os.open(EFFECTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(handle, (json.dumps(line) + "\\n").encode())
    os.close(handle)
"""


def until(what: Callable[[], object], seconds: float = 15.0) -> None:
    """Asks again until it is true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"it did not come about within {seconds:g} s"
        time.sleep(0.05)


@dataclass
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Answer:
    """What the service answered over HTTP."""

    status: int
    body: Any

    @property
    def error(self) -> str:
        return str(self.body["error"])


class Service:
    """`reactor run` or `reactor dev`, as a process."""

    def __init__(self, root: Path, command: Sequence[str], log: Path) -> None:
        self._root, self._log = root, log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command, cwd=root, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=_environment()
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def logged(self, text: str, times: int = 1) -> bool:
        """To be waited for with `until`; a service that ended will not say it any more."""
        found = self.log.count(text) >= times
        if not found and self.process.poll() is not None:
            raise RuntimeError(f"the service ended with {self.process.returncode}; its log:\n{self.log[-4000:]}")
        return found

    def up(self) -> Service:
        """Waits until it answers."""
        until(self._is_open, 30)
        return self

    def ended(self, seconds: float = 30) -> int:
        """Waits for its end, and gives its exit code."""
        return self.process.wait(seconds)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def ask(self, path: str) -> Answer:
        return self.send("GET", path, None)

    def post(self, path: str, body: bytes | str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.send("POST", path, body, headers)

    def send(
        self, method: str, path: str, body: bytes | str | None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        door = self._door()
        connection = http.client.HTTPConnection(urlsplit(door["url"]).netloc, timeout=30)
        try:
            connection.request(method, path, body, {"authorization": f"Bearer {door['token']}", **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, json.loads(answer.read() or b"null"))
        finally:
            connection.close()

    def health(self, source: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("/api/sources").body[source]
        return found

    @property
    def port(self) -> int:
        return urlsplit(self._door()["url"]).port or 0

    def _door(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self._root / ".reactor" / "service.json").read_text())
        return found

    def _is_open(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"the service ended with {self.process.returncode}; its log:\n{self.log[-4000:]}")
        try:
            return bool(self._door()["pid"] == self.process.pid)
        except (FileNotFoundError, ValueError):
            return False

    def _end(self, how: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(30)


class Project:
    """One folder. Nothing of it is known to Reactor but what stands in it."""

    def __init__(self, root: Path, settings: str = "") -> None:
        self.root = root
        self.write("reactor.toml", "port = 0\n" + settings)
        self._services: list[Service] = []

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def shop(self, topic: str = "paid") -> Project:
        """Payments on a topic, parcels in a folder, and a task that takes both."""
        self.write("sensors/shop.py", SHOP.replace("TOPIC", topic))
        self.write("workflows/ship.py", SHIP)
        (self.root / "landing").mkdir(exist_ok=True)
        return self

    def land(self, name: str | bytes, text: str = "x") -> Path:
        """Written beside the landing folder, then moved into it: whole from its first moment."""
        part = self.root / ".part"
        part.write_text(text)
        place = self.root / "landing" / os.fsdecode(name)
        part.replace(place)
        return place

    def say(self, *words: str, stdin: str | None = None) -> Said:
        """One command of the command line, as a process in the project's folder."""
        done = subprocess.run(
            [*REACTOR, *words], cwd=self.root, input=stdin, capture_output=True, text=True, env=_environment(), timeout=60,
            check=False,
        )  # fmt: skip
        return Said(done.returncode, done.stdout, done.stderr)

    def read(self, *words: str) -> Any:
        """What a reading command says with --json."""
        said = self._here(*words, "--json") if words[0] in LEDGER_ONLY else self.say(*words, "--json")
        assert said.err == "", said
        return said.json

    def _here(self, *words: str) -> Said:
        """The command line without a process of its own, in a thread because the test may have a loop."""
        before, heard, complained = dict(os.environ), io.StringIO(), io.StringIO()
        os.environ.clear()
        os.environ.update(_environment())
        try:
            with redirect_stdout(heard), redirect_stderr(complained), ThreadPoolExecutor(1) as beside:
                code = beside.submit(run, [*words, "--project", str(self.root)]).result(60)
        finally:
            os.environ.clear()
            os.environ.update(before)
        return Said(code, heard.getvalue(), complained.getvalue())

    def start(self, *words: str, weak: bool = False) -> Service:
        """A service that begins. `weak`: without root's right to pass by the permissions of files."""
        log = self.root / f"service-{len(self._services) + 1}.log"
        log.unlink(missing_ok=True)
        service = Service(self.root, [*(_weak() if weak else ()), *REACTOR, *words], log)
        self._services.append(service)
        return service

    @contextmanager
    def serving(self, *words: str, weak: bool = False) -> Iterator[Service]:
        """A service that is up; stopped in peace at the end."""
        service = self.start(*words, weak=weak).up()
        yield service
        assert service.stop() == 0, service.log

    def end(self) -> None:
        for service in self._services:
            service.kill()

    @property
    def effects(self) -> list[dict[str, Any]]:
        """What the tasks did in the world, in the order in which they did it."""
        file = self.root / "effects.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def shipped(self) -> set[str]:
        return {effect["order"] for effect in self.effects}

    def balances(self) -> bool:
        audit = self.read("audit")
        assert audit["wrong"] == []
        return bool(audit["balances"])


def _environment() -> dict[str, str]:
    """The user's, with the code of this checkout, and nothing that would change a setting or a terminal's width."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("REACTOR_", "OTEL_", "PYTEST_"))}
    return kept | {"PYTHONPATH": HERE, "COLUMNS": "500", "NO_COLOR": "1"}


def _weak() -> Sequence[str]:
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root passes by permissions, and there is no setpriv (util-linux) to take that right away")
    rights = "-dac_override,-dac_read_search"
    return ("setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}")
