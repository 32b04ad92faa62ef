"""Files that land in real folders: nothing is lost, nothing comes twice, and nothing that is half there."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from reactor.model.events import File, RawEvent
from reactor.model.ids import SourceName
from reactor.model.seen import FileSeen
from reactor.model.source import Files
from reactor.sources.base import ONLY_LANE, Batch, Condition, LaneStart
from reactor.sources.files import FileSource
from tests.clock import MachineClock
from tests.sources.conformance import ReachConformance

PATIENCE = 20.0


class Seen:
    """What was made durable, as the store's writer hands it back."""

    def __init__(self) -> None:
        self.rows: dict[tuple[SourceName, str], FileSeen] = {}

    async def load_files(self, source: SourceName) -> list[FileSeen]:
        return [row for (name, _), row in self.rows.items() if name == source]


class Recorded(FileSource):
    """With the half of the engine that matters here: a batch that is done has its `files` in the store."""

    def __init__(self, spec: Files, base: Path, seen: Seen) -> None:
        super().__init__(spec, base, seen, MachineClock())
        self.store = seen

    async def done(self, batch: Batch) -> None:
        self.store.rows.update({(row.source, row.name): row for row in batch.files})
        await super().done(batch)


class Reading:
    def __init__(self, source: Recorded) -> None:
        self.source = source
        self.events: list[RawEvent] = []
        self.at: LaneStart | None = None
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> "Reading":
        await self.source.start({} if self.at is None else {ONLY_LANE: self.at})
        self.task = asyncio.create_task(self._read())
        return self

    async def stop(self) -> None:
        await self.source.stop()
        if self.task is not None:
            await self.task

    async def _read(self) -> None:
        async with aclosing(self.source.batches()) as batches:  # type: ignore[type-var]
            async for batch in batches:
                self.events += batch.events
                self.at = LaneStart(batch.until, batch.cursor)
                await self.source.done(batch)

    async def until(self, holds: Callable[[], bool]) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not holds():
            assert asyncio.get_running_loop().time() < deadline, f"{len(self.events)} events; {self.source.health()}"
            await asyncio.sleep(0.005)

    async def named(self, *names: str) -> list[File]:
        """Waits for as many events, which are then these and no others."""
        await self.until(lambda: len(self.events) >= len(names))
        assert sorted(f.name for f in self.files) == sorted(names)
        return self.files

    @property
    def files(self) -> list[File]:
        return [e.payload for e in self.events if isinstance(e.payload, File)]


Open = Callable[[Files], Awaitable[Reading]]


@pytest.fixture
async def read(tmp_path: Path) -> AsyncIterator[Open]:
    """Starts a source whose first scan is over when the test goes on (where its folder is there)."""
    opened: list[Reading] = []
    (tmp_path / "in").mkdir()

    async def start(spec: Files) -> Reading:
        reading = await Reading(Recorded(spec, tmp_path, Seen())).start()
        opened.append(reading)
        await reading.until(lambda: reading.source.health().detail != "reading what was seen before")
        return reading

    yield start
    for reading in opened:
        await reading.stop()


def put(path: Path, text: str = "x") -> None:
    """As a careful producer does: written elsewhere, then renamed into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.parent / f"{path.name}.part"
    hidden.write_text(text)
    hidden.rename(path)


async def test_a_file_is_handed_on_with_what_its_name_says(tmp_path: Path, read: Open) -> None:
    reading = await read(Files("in/refunds-{day}.csv", ready="named"))
    put(tmp_path / "in/refunds-2026-11-20.csv", "abc")
    [file] = await reading.named("refunds-2026-11-20.csv")
    assert file.path == str(tmp_path / "in/refunds-2026-11-20.csv")
    assert (dict(file.fields), file.size, file.version) == ({"day": "2026-11-20"}, 3, 1)
    assert reading.source.health().condition is Condition.CONNECTED


async def test_ten_thousand_at_once(tmp_path: Path, read: Open) -> None:
    reading = await read(Files("in/f-{n}.csv", ready="named"))
    staged = tmp_path / "staged"
    staged.mkdir()
    for n in range(10_000):
        (staged / f"f-{n}.csv").touch()
    for n in range(10_000):
        (staged / f"f-{n}.csv").rename(tmp_path / f"in/f-{n}.csv")
        if n % 100 == 0:
            await asyncio.sleep(0)
    await reading.until(lambda: len(reading.events) == 10_000)
    assert {f.fields["n"] for f in reading.files} == {str(n) for n in range(10_000)}
    assert [e.position for e in reading.events] == list(range(10_000))


async def test_five_hundred_new_folders_each_with_a_file_at_once_inside(tmp_path: Path, read: Open) -> None:
    reading = await read(Files("in/{folder}/x.csv", ready="named", rescan="1h"))
    for n in range(500):
        put(tmp_path / f"in/d{n}/x.csv")
    await reading.named(*(f"d{n}/x.csv" for n in range(500)))


async def test_a_tree_that_is_moved_in(tmp_path: Path, read: Open) -> None:
    reading = await read(Files("in/{a}/{b}/{n}.csv", ready="named", rescan="1h"))
    for n in range(20):
        put(tmp_path / f"away/t/b{n % 4}/{n}.csv")
    (tmp_path / "away/t").rename(tmp_path / "in/t")
    await reading.named(*(f"t/b{n % 4}/{n}.csv" for n in range(20)))


async def test_files_that_came_while_nobody_watched(tmp_path: Path, read: Open) -> None:
    put(tmp_path / "in/before.csv")
    reading = await read(Files("in/*.csv", ready="named"))
    await reading.named("before.csv")
    await reading.stop()
    put(tmp_path / "in/between.csv")
    put(tmp_path / "in/before.csv", "other content")
    await reading.start()
    await reading.until(lambda: len(reading.events) == 3)
    assert sorted((f.name, f.version) for f in reading.files) == [
        ("before.csv", 1),
        ("before.csv", 2),
        ("between.csv", 1),
    ]
    assert len({e.id for e in reading.events}) == 3


async def test_a_process_that_was_stopped_while_thirty_thousand_arrived(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    arguments = [sys.executable, "-m", "tests.sources.files_reader", str(tmp_path), "in/*.csv", "30001"]
    reader = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220 - it is waited for in a thread
    assert reader.stdout is not None
    try:
        put(tmp_path / "in/first.csv")
        assert await asyncio.to_thread(reader.stdout.readline) == "1\n"
        reader.send_signal(signal.SIGSTOP)
        for n in range(30_000):
            os.close(os.open(tmp_path / f"in/{n}.csv", os.O_CREAT | os.O_WRONLY))
        reader.send_signal(signal.SIGCONT)
        counts = (await asyncio.wait_for(asyncio.to_thread(reader.communicate), PATIENCE))[0].split()
    finally:
        reader.kill()
        reader.wait()
    assert counts[-1] == "30001"


async def test_a_slow_writer_is_read_once_and_whole(tmp_path: Path, read: Open) -> None:
    reading = await read(Files("in/*.csv", settle="300ms"))
    with (tmp_path / "in/slow.csv").open("w") as file:
        for _ in range(8):
            file.write("x" * 100)
            file.flush()
            await asyncio.sleep(0.1)  # the writer's pace, well below the settling time
    [slow] = await reading.named("slow.csv")
    assert (slow.size, slow.version) == (800, 1)


async def test_a_marker_makes_it_complete(tmp_path: Path, read: Open) -> None:
    reading = await read(Files("in/*", ready="marker"))
    (tmp_path / "in/a.csv").write_text("half")
    await reading.until(lambda: "1 files wait for their marker" in reading.source.health().detail)
    (tmp_path / "in/a.csv").write_text("whole text")
    (tmp_path / "in/a.csv.done").touch()
    [file] = await reading.named("a.csv")
    assert file.size == 10


async def test_a_rewritten_file_is_the_next_version(tmp_path: Path, read: Open) -> None:
    reading = await read(Files("in/*.csv", ready="named"))
    for version in (1, 2, 3):
        put(tmp_path / "in/a.csv", "x" * version)
        await reading.until(lambda version=version: len(reading.events) == version)  # type: ignore[misc]
    assert [(f.version, f.size) for f in reading.files] == [(1, 1), (2, 2), (3, 3)]


async def test_a_folder_that_does_not_exist_yet(tmp_path: Path, read: Open) -> None:
    reading = await read(Files("later/*.csv", ready="named"))
    await reading.until(lambda: reading.source.health().error is not None)
    health = reading.source.health()
    assert health.condition is Condition.CONNECTING
    assert "no folder" in (health.error or "")
    put(tmp_path / "later/a.csv")
    await reading.named("a.csv")
    assert reading.source.health().condition is Condition.CONNECTED


async def test_a_folder_that_vanishes_and_comes_back(tmp_path: Path, read: Open) -> None:
    reading = await read(Files("in/*.csv", ready="named"))
    put(tmp_path / "in/a.csv")
    await reading.named("a.csv")
    (tmp_path / "in").rename(tmp_path / "away")
    await reading.until(lambda: reading.source.health().condition is Condition.BROKEN)
    assert "is gone" in (reading.source.health().error or "")
    put(tmp_path / "away/b.csv")
    (tmp_path / "away").rename(tmp_path / "in")
    await reading.named("a.csv", "b.csv")
    shutil.rmtree(tmp_path / "in")
    put(tmp_path / "in/c.csv")
    await reading.named("a.csv", "b.csv", "c.csv")
    put(tmp_path / "in/d.csv")
    await reading.named("a.csv", "b.csv", "c.csv", "d.csv")


async def test_names_that_no_text_can_hold_are_refused_once_and_the_rest_goes_on(tmp_path: Path, read: Open) -> None:
    reading = await read(Files("in/{day}.csv", ready="named"))
    folder = os.fsencode(tmp_path / "in")
    for name in (b"caf\xe9.csv", b"<b>&\n\x1b[31m.csv", "ä.csv".encode()):
        os.close(os.open(folder + b"/" + name, os.O_CREAT))
    await reading.until(lambda: len(reading.events) == 3)
    errors = {f.name: e.error for f, e in zip(reading.files, reading.events, strict=True)}
    assert errors.pop("caf\\xe9.csv", "")
    assert errors == {"<b>&\n\x1b[31m.csv": None, "ä.csv": None}
    put(tmp_path / "in/next.csv")
    await reading.until(lambda: len(reading.events) == 4)
    await reading.stop()
    await reading.start()
    put(tmp_path / "in/last.csv")
    await reading.until(lambda: len(reading.events) >= 5)
    assert [f.name for f in reading.files[3:]] == ["next.csv", "last.csv"]


async def test_a_link_that_leads_out_is_refused_and_one_that_stays_is_read(tmp_path: Path, read: Open) -> None:
    (tmp_path / "secret.csv").write_text("secret")
    (tmp_path / "in/real.csv").write_text("real")
    (tmp_path / "in/out.csv").symlink_to(tmp_path / "secret.csv")
    (tmp_path / "in/stays.csv").symlink_to("real.csv")
    reading = await read(Files("in/*.csv", ready="named"))
    await reading.named("real.csv", "out.csv", "stays.csv")
    errors = {f.name: e.error for f, e in zip(reading.files, reading.events, strict=True)}
    assert "leads out" in (errors["out.csv"] or "")
    assert (errors["real.csv"], errors["stays.csv"]) == (None, None)


async def test_linked_folders_that_lead_out_are_not_entered(tmp_path: Path, read: Open) -> None:
    put(tmp_path / "outside/a.csv")
    (tmp_path / "in/d").symlink_to(tmp_path / "outside")
    put(tmp_path / "in/e/b.csv")
    reading = await read(Files("in/{d}/*.csv", ready="named"))
    await reading.named("e/b.csv")
    assert "leads out" in (reading.source.health().error or "")


async def test_a_file_that_is_gone_before_it_is_read_is_told(tmp_path: Path, read: Open) -> None:
    spec = Files("in/*.csv", ready="named")
    source = Recorded(spec, tmp_path, Seen())
    (tmp_path / "in").mkdir(exist_ok=True)
    for name in ("a", "b"):
        put(tmp_path / f"in/{name}.csv")
    reading = Reading(source)
    await source.start({})
    await reading.until(lambda: source.health().lag == 2)
    (tmp_path / "in/a.csv").unlink()
    batch = await anext(source.batches())
    await source.stop()
    told = {e.payload.name: e.error for e in batch.events if isinstance(e.payload, File)}
    assert "missing" in (told["a.csv"] or "")
    assert told["b.csv"] is None
    assert [row.name for row in batch.files] == ["b.csv"]


class FilesHarness:
    ordered = False

    def __init__(self, place: Path) -> None:
        self.place = place
        self.seen = Seen()
        self.made = 0
        (place / "in").mkdir()

    def make(self) -> Recorded:
        return Recorded(Files("in/{n}.csv", ready="named"), self.place, self.seen)

    async def produce(self, count: int) -> list[str]:
        labels = [f"{n:06}" for n in range(self.made, self.made + count)]
        self.made += count
        for label in labels:
            put(self.place / f"in/{label}.csv")
        return labels

    def label(self, event: RawEvent) -> str:
        assert isinstance(event.payload, File)
        return event.payload.fields["n"]

    async def break_it(self) -> None:
        (self.place / "in").rename(self.place / "away")

    async def heal_it(self) -> None:
        (self.place / "away").rename(self.place / "in")


class TestFilesConformance(ReachConformance):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> FilesHarness:
        return FilesHarness(tmp_path)
