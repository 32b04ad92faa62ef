"""Showing the story: as lines, or as a live board over the newest of them."""

from collections import deque
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from reactor.model.ids import Instant
from reactor.model.partitions import moment
from reactor.service.views.board import Cell, board
from reactor.web.runner import Runner

ZONE = ZoneInfo("Europe/Berlin")
COLOURS = {"ready": "green", "run": "cyan", "failed": "red", "alert": "yellow", "scene": "dim"}
SIGNS = {"waiting": "○", "partial": "◐", "running": "▶", "ready": "✓", "stale": "↻", "failed": "✕", "blocked": "⊘"}
STATES = {
    "waiting": "dim", "partial": "yellow", "running": "blue", "ready": "green", "stale": "magenta", "failed": "red", "blocked": "red",
}  # fmt: skip
ASSETS = ("orders", "refunds", "payments", "subscriptions", "revenue", "dashboard")
LINES = 14


def stamp(at: Instant) -> str:
    """The story's local time."""
    return moment(at, ZONE).strftime("%d %b %H:%M")


class Quiet:
    """For `--json`: nobody looks."""

    def line(self, kind: str, text: str, at: Instant) -> None: ...
    async def frame(self, runner: Runner, at: Instant) -> None: ...


class Lines:
    """Plain lines, for a log or a terminal that cannot do more."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def line(self, kind: str, text: str, at: Instant) -> None:
        self._console.print(Text(f"{stamp(at)}  "), Text(text, COLOURS.get(kind, "")), sep="", soft_wrap=True)

    async def frame(self, runner: Runner, at: Instant) -> None: ...


class Board:
    """The live board, with the newest lines under it."""

    def __init__(self, console: Console) -> None:
        self._lines: deque[Text] = deque(maxlen=LINES)
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._changed = True

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def line(self, kind: str, text: str, at: Instant) -> None:
        self._lines.append(Text.assemble((f"{stamp(at)}  ", "dim"), (text.splitlines()[0], COLOURS.get(kind, ""))))
        self._changed = True

    async def frame(self, runner: Runner, at: Instant) -> None:
        rows = await board(await runner.assembly.reader(), runner.service.graph, at, partitions=3)
        table = Table(box=None, padding=(0, 2, 0, 0))
        days = sorted(
            {c.partition for r in rows if r.asset == "refunds" for c in r.cells} | {"2026-11-19", "2026-11-20"}
        )
        for title in ("data product", "owner", *days):
            table.add_column(title)
        for row in sorted((r for r in rows if r.asset in ASSETS), key=lambda r: ASSETS.index(r.asset)):
            table.add_row(row.asset, Text(row.owner, "dim"), *(_day(row.asset, row.cells, day) for day in days))
        title = f"daily revenue · {stamp(at)} · {runner.url}"
        self._live.update(Panel(Group(table, Text(), *self._lines), title=title, title_align="left"), refresh=True)


def _day(asset: str, cells: tuple[Cell, ...], day: str) -> Text:
    mine = [c for c in cells if c.partition.startswith(day)]
    if asset == "orders":
        there = sum(c.state == "ready" for c in mine)
        state = "ready" if there >= 24 else "partial" if there else "waiting"
        return Text(f"{SIGNS[state]} {there}/24", STATES[state])
    if not mine:
        return Text(SIGNS["waiting"], STATES["waiting"])
    cell = mine[0]
    more = f" v{cell.version}" if cell.version > 1 else ""
    more += f" {cell.have}/{cell.needed}" if cell.state == "partial" else ""
    return Text(
        SIGNS[cell.state] + more + (" LATE" if cell.late else ""), "yellow" if cell.late else STATES[cell.state]
    )
