"""One pattern of files as a source: hints, scans and the inventory, joined to the contract of
`reactor.sources.base`.

What was announced travels in `Batch.files`, in the same transaction as the position and the effects. So after a
crash the next full scan finds exactly what was not announced yet, whatever happened in between.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from reactor.model.duration import SECOND, micros, spell
from reactor.model.events import File, RawEvent
from reactor.model.ids import Instant, Lane, SourceName
from reactor.model.ports import Clock
from reactor.model.seen import FileSeen
from reactor.model.source import Files
from reactor.sources.base import ONLY_LANE, Batch, Condition, Health, LaneStart, SeenFiles
from reactor.sources.files.inventory import ROUNDS, Announcement, Inventory
from reactor.sources.files.names import key_of, name_of, shown, valid
from reactor.sources.files.pattern import compile_pattern
from reactor.sources.files.scan import Look, Scanner, Signature
from reactor.sources.files.watch import Watch

BATCH = 1_000
YOUNG = (SECOND // 5, SECOND)
"""A folder that has just appeared is looked at again after these: its files may have come before its watch stood."""
FIRST_PAUSE, LONGEST_PAUSE = SECOND // 10, 10 * SECOND
"""Between two attempts to watch a folder. Each of them is a full scan too, so without notices this is the polling
interval.
"""


class FileSource:
    """Files by a pattern, relative to `base`."""

    def __init__(self, spec: Files, base: Path, seen: SeenFiles, clock: Clock) -> None:
        self._spec = spec
        self._pattern = compile_pattern(spec.pattern, base.absolute())
        self._scanner = Scanner(self._pattern, spec.marker if spec.ready == "marker" else "")
        self._seen = seen
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._last_event: Instant | None = None
        self._was_there = False
        self._notices = ""
        self._reset(LaneStart(0), first_time=True)
        self._tell(Condition.STOPPED)

    @property
    def name(self) -> SourceName:
        return self._spec.name

    async def start(self, lanes: Mapping[Lane, LaneStart]) -> None:
        await self.stop()
        self._reset(lanes.get(ONLY_LANE, LaneStart(0)), first_time=ONLY_LANE not in lanes)
        self._tell(Condition.CONNECTING, detail="reading what was seen before")
        self._task = asyncio.create_task(self._run(), name=f"source {self.name}")
        self._task.add_done_callback(lambda _: self._more.set())

    async def stop(self) -> None:
        task, self._task = self._task, None
        self._more.set()
        if task is not None:
            task.cancel()
            with suppress(
                asyncio.CancelledError, Exception
            ):  # what ended it was shown where it was awaited: in `batches`
                await task
        self._tell(Condition.STOPPED)

    async def done(self, batch: Batch) -> None:
        """Nobody waits for an answer: what was seen is already durable, in the batch's own transaction."""

    def health(self) -> Health:
        waiting, ready = self._inventory.waiting, self._inventory.ready
        parts = [self._detail, self._notices if self._condition is Condition.CONNECTED else ""]
        if waiting:
            why = "their marker" if self._spec.ready == "marker" else "their content to settle"
            parts.append(f"{waiting} files wait for {why}")
        detail = "; ".join(p for p in parts if p)
        return Health(self._condition, self._since, ready + waiting, self._last_event, self._error, detail)

    async def batches(self) -> AsyncIterator[Batch]:
        while (task := self._task) is not None:
            await self._more.wait()
            if task.done() and task is self._task:
                task.result()  # raises what ended it
                return
            batch = await self._next()
            if batch is not None and task is self._task:
                yield batch

    def _reset(self, at: LaneStart, *, first_time: bool) -> None:
        self._position = at.position
        self._first_time = first_time
        self._inventory = Inventory(self._spec.ready, {})
        self._names: set[str] = set()
        self._everything = False
        self._wake = asyncio.Event()
        self._settling = asyncio.Event()
        self._more = asyncio.Event()

    # What goes on in the background -----------------------------------------------------------------------------

    async def _run(self) -> None:
        rows = await self._seen.load_files(self.name)
        seen = {name_of(r.name): (Signature(r.inode, r.size, r.mtime_ns), r.version) for r in rows}
        self._inventory = Inventory(self._spec.ready, seen)
        self._scanner.known = self._inventory.seen
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watching(group))
            group.create_task(self._rescans())
            if self._spec.ready == "settled":
                group.create_task(self._rounds())
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._look()

    async def _watching(self, group: asyncio.TaskGroup) -> None:
        pause = FIRST_PAUSE

        def hinted(names: Iterable[str] | None) -> None:
            nonlocal pause
            pause = FIRST_PAUSE
            self._notices = ""
            fresh = self._hint(names)
            if fresh:
                group.create_task(self._again(fresh))

        while True:
            try:
                await Watch(self._pattern.root, len(self._pattern.levels) > 1, self._clock, hinted).run()
            except Exception as error:  # noqa: BLE001 - a limit of the kernel, an odd name: scans go on without it
                pause = min(pause * 2, LONGEST_PAUSE)
                self._notices = f"without notices, scanned every {spell(pause)} at least ({error})"
            self._hint(None)
            await self._clock.sleep(pause)

    async def _rescans(self) -> None:
        while True:
            await self._clock.sleep(max(micros(self._spec.rescan), SECOND // 10))
            self._hint(None)

    async def _rounds(self) -> None:
        length = max(micros(self._spec.settle) // ROUNDS, 1_000)
        while True:
            await self._settling.wait()
            await self._clock.sleep(length)
            self._hint(self._inventory.round())
            if not self._inventory.waiting:
                self._settling.clear()

    async def _again(self, folders: list[str]) -> None:
        for pause in YOUNG:
            await self._clock.sleep(pause)
            self._hint(folders)

    def _hint(self, names: Iterable[str] | None) -> list[str]:
        """Asks for a look at these names, or at everything. Returns those among them that may be folders with files
        below.
        """
        if names is None:
            self._everything = True
            self._wake.set()
            return []
        marker = self._scanner.marker
        asked = [n.removesuffix(marker) if marker else n for n in names]
        if asked:
            self._names.update(asked)
            self._wake.set()
        return [n for n in asked if n.count("/") + 1 < self._pattern.depth]

    async def _look(self) -> None:
        """One look at the disk, at what was asked for since the last one."""
        everything, names = self._everything, self._names
        self._everything, self._names = False, set()
        try:
            look, gone = await asyncio.to_thread(self._everywhere if everything else self._named, names)
        except OSError as error:
            self._unreadable(error)
            return
        self._readable(look, everything)
        if look.trouble and not everything:
            self._hint(None)  # whether it is one file or the whole folder that cannot be read, only a scan can tell
        for number, sighting in enumerate(look.found, start=1):
            self._inventory.observe(sighting)
            if number % BATCH == 0:
                await asyncio.sleep(0)  # the loop is not ours alone
        for name in gone:
            self._inventory.gone(name)
        if everything:
            self._inventory.only(s.name for s in look.found)
        if self._inventory.waiting:
            self._settling.set()
        if self._inventory.ready:
            self._more.set()

    def _everywhere(self, names: Iterable[str]) -> tuple[Look, list[str]]:
        """Everything; and of the names that notices gave, those that are gone."""
        look = self._scanner.everything()
        return look, self._scanner.named(names)[1]

    def _named(self, names: Iterable[str]) -> tuple[Look, list[str]]:
        """Between two proofs that the folder is there: with it gone, nothing can be said about its files."""
        self._scanner.identity()
        found = self._scanner.named(names)
        self._scanner.identity()
        return found

    # What the engine is handed ----------------------------------------------------------------------------------

    async def _next(self) -> Batch | None:
        names = self._inventory.take(BATCH)
        if not names:
            self._more.clear()
            return None
        try:
            look, gone = await asyncio.to_thread(self._named, names)
        except OSError as error:
            self._inventory.put_back()
            self._more.clear()
            self._unreadable(error)
            return None
        made = self._inventory.confirm(look, gone)
        return self._batch(made) if made else None

    def _batch(self, made: list[Announcement]) -> Batch:
        first = self._position
        self._position += len(made)
        self._last_event = self._clock.now()
        batch = Batch(
            self.name, ONLY_LANE, first, self._position,
            [self._event(a, first + i) for i, a in enumerate(made)],
            keep=True, first_time=self._first_time,
            files=[FileSeen(self.name, key_of(a.name), *a.signature, a.version) for a in made if a.signature.inode],
        )  # fmt: skip
        self._first_time = False
        return batch

    def _event(self, made: Announcement, position: int) -> RawEvent:
        fields = self._pattern.match(made.name) or {}
        name = shown(made.name)
        payload = File(
            path=f"{shown(str(self._pattern.root))}/{name}",
            name=name,
            fields={key: shown(value) for key, value in fields.items()},
            size=made.signature.size,
            mtime=Instant(made.signature.mtime_ns // 1_000),
            version=made.version,
        )
        # A missing file leaves no trace in what was seen: its position tells it from the next content of its name.
        identity = f"{key_of(made.name)}#{made.version}" + ("" if made.signature.inode else f"@{position}")
        return RawEvent(payload, position, identity, error=_refusal(made, name))

    # How it goes ------------------------------------------------------------------------------------------------

    def _readable(self, look: Look, everything: bool) -> None:
        self._was_there = True
        if everything or self._condition is not Condition.CONNECTED:
            more = f" (and {len(look.trouble) - 1} more)" if len(look.trouble) > 1 else ""
            self._tell(Condition.CONNECTED, error=look.trouble[0] + more if look.trouble else None)

    def _unreadable(self, error: OSError) -> None:
        root = shown(str(self._pattern.root))
        if not isinstance(error, FileNotFoundError):
            self._tell(
                Condition.BROKEN,
                error=f"The folder {root} cannot be read: {error.strerror}. "
                "The service's user needs to list and to enter it.",
            )
        elif self._was_there:
            self._tell(Condition.BROKEN, error=f"The folder {root} is gone. Once it is back, its files are read again.")
        else:
            why = f"There is no folder {root} yet. It is read as soon as it appears."
            self._tell(Condition.CONNECTING, error=why)

    def _tell(self, condition: Condition, *, error: str | None = None, detail: str = "") -> None:
        if condition is not getattr(self, "_condition", None):
            self._since = self._clock.now()
        self._condition, self._error, self._detail = condition, error, detail


def _refusal(made: Announcement, name: str) -> str | None:
    if made.error:
        kind = "missing" if not made.signature.inode else "refused"
        return f"{kind}: {name} was not read: {made.error}. If it matters, put the file itself there again."
    if not valid(made.name):
        why = f"the file's name is not UTF-8 ({name}), so no text can stand for it"
        return f"refused: {why}. Rename the file; it is then read as a new one."
    return None
