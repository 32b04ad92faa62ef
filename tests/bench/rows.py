"""The rows of the bench: each gives figures by name. Wall-clock, on the real service, SQLite at FULL."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from reactor.model.commands import Announced, Noted
from reactor.model.events import RawEvent, Record
from reactor.model.ids import Instant, Lane, SourceName
from reactor.model.source import SourceSpec
from reactor.project.config import load_settings
from reactor.project.load import load
from reactor.service.service import MakeSources
from reactor.sources.base import Batch, Condition, Health, LaneStart, Source
from reactor.web.runner import Runner, make_service

JOIN = """
from reactor import Asset, CloudEvent, File, Files, Http, Kafka, Ready, Record, Run, Workflow, sensor, Dynamic

order = Dynamic("order")
paid, packed, quiet = Asset("paid"), Asset("packed"), Asset("quiet")
landed, alone = Asset("landed", order), Asset("alone", order)

@sensor(Kafka("join"))
def seen(record: Record) -> Ready | None:
    value = record.value
    if value["kind"] == "other":
        return None
    return (paid if value["kind"] == "paid" else packed).ready(order=value["order"])

@sensor(Http("alone"))
def posted(event: CloudEvent) -> Ready:
    return alone.ready(event.data["order"])

@sensor(Http("quiet"))
def nobody_waits(event: CloudEvent) -> Ready:
    return quiet.ready()

@sensor(Files("landing/{order}.txt", ready="named"))
def file_landed(file: File) -> Ready:
    return landed.ready(file.fields["order"])

flow = Workflow("bench", owner="bench@example.com")

@flow.task(inputs=(paid & packed).key("order"))
async def joined(run: Run) -> None: ...

steps = [alone, *(Asset(f"step{n}", order) for n in range(10))]
for before, after in zip(steps, steps[1:]):
    @flow.task(inputs=before, outputs=after, name=f"make_{after.name}")
    async def step(run: Run) -> None: ...
"""


class Topic:
    """A topic that is read from memory: what is measured is the service and not a broker."""

    name = SourceName("kafka:join")

    def __init__(self, bodies: Sequence[bytes]) -> None:
        self._bodies, self._stopped = bodies, asyncio.Event()

    async def start(self, lanes: Mapping[Lane, LaneStart]) -> None: ...

    async def batches(self) -> AsyncIterator[Batch]:
        for first in range(0, len(self._bodies), 1000):
            part = self._bodies[first : first + 1000]
            events = [
                RawEvent(Record("join", 0, first + n, Instant(0), None, b), first + n) for n, b in enumerate(part)
            ]
            yield Batch(self.name, Lane("join/0"), first, first + len(part), events)
        await self._stopped.wait()

    async def done(self, batch: Batch) -> None: ...

    async def stop(self) -> None:
        self._stopped.set()

    def health(self) -> Health:
        return Health(Condition.CONNECTED, Instant(0))


@asynccontextmanager
async def service(root: Path, topic: Sequence[bytes] = ()) -> AsyncIterator[Runner]:
    (root / "sensors").mkdir()
    (root / "landing").mkdir()
    (root / "sensors" / "bench.py").write_text(JOIN)
    (root / "reactor.toml").touch()
    runner = await make_service(load_settings(root, flags={"port": 0}).settings, load(root, ("sensors",)))
    if topic:
        runner.service._parts.make_sources = _instead(runner.service._parts.make_sources, topic)
    await runner.open()
    try:
        yield runner
    finally:
        await runner.close()


def _instead(make: MakeSources, topic: Sequence[bytes]) -> MakeSources:
    def sources(specs: Sequence[SourceSpec]) -> dict[SourceName, Source]:
        return {**make(specs), Topic.name: Topic(topic)}

    return sources


class Ends:
    """Counts what ended, and when."""

    def __init__(self, runner: Runner) -> None:
        self.runs, self.announced = 0, 0
        self._news = asyncio.Event()
        runner.service.listeners.append(self._heard)

    def _heard(self, announced: Sequence[Announced], noted: Sequence[Noted]) -> None:
        self.runs += len(noted)
        self.announced += len(announced)
        self._news.set()

    async def until(self, runs: int = 0, announced: int = 0) -> None:
        async with asyncio.timeout(120):
            while self.runs < runs or self.announced < announced:
                self._news.clear()
                await self._news.wait()


async def events_all(root: Path, count: int = 60_000) -> dict[str, float]:
    bodies = [b'{"kind":"%s","order":"%d"}' % (b"packed" if n % 2 else b"paid", n // 2) for n in range(count)]
    return await _events(root, bodies, count // 2)


async def events_rare(root: Path, count: int = 200_000) -> dict[str, float]:
    bodies = [
        b'{"kind":"%s","order":"%d"}' % ((b"packed" if n % 200 else b"paid") if n % 100 == 0 else b"other", n // 200)
        for n in range(count)
    ]
    return await _events(root, bodies, count // 200)


async def _events(root: Path, bodies: list[bytes], runs: int) -> dict[str, float]:
    began = time.perf_counter()
    async with service(root, bodies) as runner:
        began = time.perf_counter()
        await Ends(runner).until(runs=runs)
        took = time.perf_counter() - began
    return {"events/s": len(bodies) / took, "runs/s": runs / took}


def _headers(runner: Runner, number: int, kind: str = "alone") -> dict[str, str]:
    return {
        "authorization": f"Bearer {runner.token}", "ce-specversion": "1.0", "ce-id": str(number), "ce-source": "/bench", "ce-type": kind,
    }  # fmt: skip


async def latency(root: Path, count: int = 60) -> dict[str, float]:
    took: list[float] = []
    sent: dict[str, float] = {}
    async with service(root) as runner:
        start = runner.service.start

        def first_line(command: object) -> None:
            run = command.run  # type: ignore[attr-defined]
            if run.task == "make_step0":
                took.append((time.perf_counter() - sent[run.key]) * 1000)
            start(command)  # type: ignore[arg-type]

        runner.service.start = first_line  # type: ignore[method-assign]
        async with httpx.AsyncClient(base_url=runner.url) as client:
            await client.get("/livez")  # the client's own first connection is not what is measured
            for n in range(count):
                sent[f"o{n}"] = time.perf_counter()
                await client.post("/events", json={"order": f"o{n}"}, headers=_headers(runner, n))
                await asyncio.sleep(0.2)
    took.sort()
    return {"p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)], "max": took[-1]}


async def posts(root: Path, count: int = 6_000) -> dict[str, float]:
    async with service(root) as runner:
        host, port = urlsplit(runner.url).hostname, urlsplit(runner.url).port
        head = "".join(f"{k}: {v}\r\n" for k, v in _headers(runner, 0, "quiet").items() if k != "ce-id")

        async def caller(first: int) -> None:
            """As little of a client as there can be: it shares the process with what is measured."""
            reader, writer = await asyncio.open_connection(host, port)
            for n in range(first, count, 32):
                writer.write(
                    f"POST /events HTTP/1.1\r\nhost: {host}\r\n{head}ce-id: {n}\r\ncontent-length: 0\r\n\r\n".encode()
                )
                answer = await reader.readuntil(b"\r\n\r\n")
                assert b" 202 " in answer[:20], answer
                length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
            writer.close()

        began = time.perf_counter()
        await asyncio.gather(*(caller(n) for n in range(32)))
        return {"posts/s": count / (time.perf_counter() - began)}


async def chain(root: Path, count: int = 30) -> dict[str, float]:
    took = []
    async with service(root) as runner, httpx.AsyncClient(base_url=runner.url) as client:
        ends = Ends(runner)
        for n in range(count):
            began, wanted = time.perf_counter(), ends.runs + 10
            await client.post("/events", json={"order": f"o{n}"}, headers=_headers(runner, n))
            await ends.until(runs=wanted)
            took.append((time.perf_counter() - began) * 1000)
    took.sort()
    return {"p50": took[len(took) // 2], "max": took[-1]}


async def files(root: Path, count: int = 10_000) -> dict[str, float]:
    async with service(root) as runner:
        ends = Ends(runner)
        for n in range(count):
            (root / f".part{n}").touch()
        began = time.perf_counter()
        for n in range(count):
            (root / f".part{n}").rename(root / "landing" / f"o{n}.txt")
        await ends.until(announced=count)
        took = (time.perf_counter() - began) * 1000
        return {"ms": took, "lost": count - ends.announced}


async def process(root: Path) -> dict[str, float]:
    (root / "sensors").mkdir()
    (root / "sensors" / "bench.py").write_text(JOIN)
    (root / "reactor.toml").write_text('definitions = ["sensors"]\n')
    (root / "landing").mkdir()
    reactor = str(Path(sys.executable).with_name("reactor"))
    began = time.perf_counter()
    child = await asyncio.create_subprocess_exec(
        reactor,
        "dev",
        "--port",
        "0",
        "--json",
        cwd=root,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert child.stdout is not None
    await child.stdout.readline()
    ready = (time.perf_counter() - began) * 1000
    await asyncio.sleep(3)
    before = _cpu(child.pid)
    await asyncio.sleep(5)
    used = (_cpu(child.pid) - before) / 5 * 100
    memory = int(Path(f"/proc/{child.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20
    child.terminate()
    await child.wait()
    return {"ready ms": ready, "MiB": memory, "CPU %": used}


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def help_time(root: Path) -> dict[str, float]:
    reactor = str(Path(sys.executable).with_name("reactor"))
    took = []
    for _ in range(6):
        began = time.perf_counter()
        child = await asyncio.create_subprocess_exec(reactor, "--help", cwd=root, stdout=asyncio.subprocess.DEVNULL)
        await child.wait()
        took.append((time.perf_counter() - began) * 1000)
    return {"ms": sorted(took)[2]}
