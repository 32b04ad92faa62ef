"""What the demo prints: a line for everything that happens, and under them the board of the day."""

import asyncio
from contextlib import AbstractContextManager, nullcontext

from rich.live import Live
from rich.markup import escape
from rich.table import Table

from reactor.cli import out
from reactor.cli.demo.stage import Stage
from reactor.cli.demo.story import ZONE
from reactor.cli.demo.verdict import Verdict
from reactor.core.graph import Graph
from reactor.model.commands import Alert, Announced, Noted
from reactor.model.partitions import moment
from reactor.model.run import RunState
from reactor.service.views.board import Row, board
from reactor.service.views.words import called

REFRESH = 0.25


class Show:
    """Prints to stdout while the day is played."""

    def __init__(self, stage: Stage, graph: Graph) -> None:
        self._stage, self._graph = stage, graph
        self._live = Live(console=out.console, auto_refresh=False, transient=True) if out.console.is_terminal else None
        stage.on_announced.append(self._announced)
        stage.on_noted.append(self._noted)
        stage.on_alert.append(self._alert)

    def screen(self) -> AbstractContextManager[object]:
        return self._live if self._live is not None else nullcontext()

    async def refresh(self) -> None:
        """Draws the board again and again."""
        while True:
            rows = await board(self._stage.reader, self._graph, self._stage.clock.now(), partitions=3)
            if self._live is not None:
                self._live.update(_drawn(rows), refresh=True)
            await asyncio.sleep(REFRESH)

    def line(self, text: str) -> None:
        time = moment(self._stage.clock.now(), ZONE).strftime("%H:%M")
        out.console.print(f"[bright_black]{time}[/]  {text}")

    def said(self, text: str) -> None:
        if text:
            self.line(f"[bold]{escape(text)}[/]")

    def _announced(self, told: Announced) -> None:
        event = told.readiness
        if event.asset == "orders" and not event.partition.endswith(("T00", "T08", "T16", "T23")):
            return  # an hour is a small thing; the board counts them
        new = f" again, version {told.version}" if told.version > 1 else ""
        self.line(
            f"[green]✓[/] {escape(called(event.asset, event.partition))}{new}  [bright_black]{escape(event.by)}[/]"
        )

    def _noted(self, told: Noted) -> None:
        run, attempt = told.run, told.attempt
        if attempt is None:
            self.line(f"[red]✕[/] {run.task} {run.key} {run.state}: {escape(run.error or '')}")
        elif attempt.error:
            self.line(f"[red]✕[/] {run.task} {run.key} attempt {attempt.number}: {escape(attempt.error)}{_next(told)}")
        else:
            checks = ", ".join(f"{c.check} {'ok' if c.passed else 'failed'}" for c in attempt.checks)
            self.line(f"[blue]▶[/] {run.task} {run.key} attempt {attempt.number} succeeded  {checks}")

    def _alert(self, alert: Alert) -> None:
        self.line(f"[red]![/] {escape(alert.text)}  [bright_black]→ {escape(alert.owner)}[/]")


def _next(told: Noted) -> str:
    return "; it is tried again" if told.run.state is RunState.RETRYING else ""


def _drawn(rows: list[Row]) -> Table:
    shown = Table("", "owner", "", box=None, padding=(0, 2, 0, 0))
    for row in rows:
        cells = [c for c in row.cells if row.asset != "orders"][:3]
        signs = "   ".join(f"{c.partition} {out.glyph(c.state)}{' [red]late[/]' if c.late else ''}" for c in cells)
        hours = "".join(out.glyph(c.state) for c in row.cells[:24]) if row.asset == "orders" else ""
        shown.add_row(row.asset, escape(row.owner), signs or hours)
    return shown


def summary(verdict: Verdict) -> None:
    """The day in a few lines, and whether it balances."""
    out.console.print()
    out.console.print(
        f"[bold]The day is done:[/] {verdict.runs} runs, {verdict.attempts} attempts, {len(verdict.alerts)} alert"
        f"{'s' * (len(verdict.alerts) != 1)}; {len(verdict.lost)} lost, {len(verdict.doubled)} doubled, {len(verdict.early)} early."
    )
    for name, value in verdict.totals.items():
        out.console.print(f"  {name}: {escape(out.spelled(value))}")
    for sentence in (*verdict.lost, *verdict.doubled, *verdict.early, *verdict.wrong, *verdict.unbalanced):
        out.console.print(f"[red]✕[/] {escape(sentence)}")
    if verdict.ok:
        out.console.print("[green]✓[/] The ledger balances: every event that was accepted is accounted for.")
