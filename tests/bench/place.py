"""A project under `reactor run`, as a process of its own: spoken to from outside, watched from outside."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path

from tests.bench.definitions import project
from tests.bench.measure import cpu_seconds, rss_mib

Mark = tuple[str, int]


class Place:
    """A running service. Its tasks write a line for each first line they reach: what they were asked to note, and nanoseconds."""

    def __init__(self, root: Path, pid: int, url: str, ready: float) -> None:
        self.root, self.pid, self.url = root, pid, url
        self.ready = ready
        """Seconds from the start of the process to the line that says where it serves."""
        self.token: str = json.loads((root / ".reactor" / "service.json").read_text())["token"]

    def headers(self, number: int | str, kind: str) -> dict[str, str]:
        """Of one CloudEvent in the binary form."""
        return {
            "authorization": f"Bearer {self.token}", "ce-specversion": "1.0", "ce-id": str(number), "ce-source": "/bench",
            "ce-type": kind,
        }  # fmt: skip

    def marks(self) -> list[Mark]:
        file = self.root / "marks"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(what, int(at)) for what, at in (line.split() for line in lines)]

    async def marked(self, count: int, seconds: float = 60.0) -> list[Mark]:
        """Waits until `count` first lines were reached; after `seconds` gives those that were."""
        deadline = time.monotonic() + seconds
        while len(found := self.marks()) < count and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        return found

    def ask(self, sql: str) -> tuple[int, ...]:
        """One row of numbers out of the ledger."""
        with closing(sqlite3.connect(f"file:{self.root}/.reactor/reactor.db?mode=ro", uri=True)) as db:
            return tuple(value or 0 for value in db.execute(sql).fetchone())

    def rows(self, sql: str) -> list[tuple[str, int]]:
        with closing(sqlite3.connect(f"file:{self.root}/.reactor/reactor.db?mode=ro", uri=True)) as db:
            return db.execute(sql).fetchall()

    async def succeeded(self, runs: int, seconds: float = 120.0) -> int:
        """Waits until so many runs have succeeded durably; gives how many have."""
        deadline = time.monotonic() + seconds
        while (found := self.ask("SELECT count(*) FROM run WHERE state = 'succeeded'")[0]) < runs:
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.1)
        return found

    @property
    def cpu(self) -> float:
        return cpu_seconds(self.pid)

    @property
    def rss(self) -> float:
        return rss_mib(self.pid)


@asynccontextmanager
async def running(
    root: Path, definitions: str, *, kafka: str = "embedded", environ: Mapping[str, str] | None = None
) -> AsyncIterator[Place]:
    """Starts `reactor run` over a project of these definitions, and drains it in the end."""
    project(root, definitions, kafka)
    leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    env = {**os.environ, "BENCH_MARKS": str(root / "marks"), **(environ or {})}
    with (root / "log").open("ab") as log:
        began = time.perf_counter()
        child = await asyncio.create_subprocess_exec(
            *leash, str(Path(sys.executable).with_name("reactor")), "run", "--port", "0", "--json",
            cwd=root, env=env, stdout=asyncio.subprocess.PIPE, stderr=log,
        )  # fmt: skip
    try:
        yield await _ready(root, child, began)
    finally:
        await _end(child)


async def _ready(root: Path, child: asyncio.subprocess.Process, began: float) -> Place:
    assert child.stdout is not None
    line = await asyncio.wait_for(child.stdout.readline(), 120)
    if not line:
        raise RuntimeError("the service ended at its start:\n" + (root / "log").read_text()[-2000:])
    return Place(root, child.pid, json.loads(line)["url"], time.perf_counter() - began)


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None:
        return
    child.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(child.wait(), 40)
    except TimeoutError:
        child.kill()
        await child.wait()
