"""`reactor status`: the board in the terminal."""

from typing import Annotated

import typer
from rich.markup import escape

from reactor.cli import options, out
from reactor.cli.project import ask_with_graph, now
from reactor.model.ids import Instant
from reactor.service.views.board import Cell, Row, board, totals
from reactor.service.views.words import GLYPH, WORST_FIRST, SlotState, called


def command(
    asset: Annotated[str | None, typer.Argument(help="Only this asset.")] = None,
    partitions: Annotated[int, typer.Option("--partitions", "-p", min=1, max=400, help="The newest so many.")] = 7,
    as_json: options.AsJson = False,
    project: options.InProject = None,
) -> None:
    """How complete each data product is: one state for each partition, the newest first."""
    at = now()
    rows = ask_with_graph(project, lambda reader, graph: board(reader, graph, at, partitions=partitions, only=asset))
    out.emit({"assets": rows, "totals": totals(rows)}, as_json, lambda: show(rows, at))


def show(rows: list[Row], at: Instant) -> None:
    out.table(["asset", "owner", "newest first", ""], [_row(row) for row in rows])
    wanting = sorted((c for r in rows for c in r.cells if c.reason or c.late), key=lambda c: WORST_FIRST.index(c.state))
    for cell in wanting[:10]:
        late = f" LATE, due {out.when(cell.due, at)}" if cell.late else ""
        out.console.print(f"{out.glyph(cell.state)} {called(cell.asset, cell.partition)}{late} {escape(cell.reason)}")
    out.note("  ".join(f"{GLYPH[s]} {s}" for s in SlotState))


def _row(row: Row) -> list[str]:
    newest = row.cells[0] if row.cells else None
    return [row.asset, escape(row.owner), "".join(_sign(c) for c in row.cells), _newest(newest)]


def _sign(cell: Cell) -> str:
    return out.glyph(cell.state) + ("[red]![/]" if cell.late else "")


def _newest(cell: Cell | None) -> str:
    if cell is None:
        return ""
    part = f" {cell.have} of {cell.needed}" if cell.state is SlotState.PARTIAL else ""
    return f"{cell.partition} {out.coloured(cell.state)}{part}".strip()
