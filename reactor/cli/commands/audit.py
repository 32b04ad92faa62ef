"""`reactor audit`: the ledger, added up."""

import typer
from rich.markup import escape

from reactor.cli import options, out
from reactor.cli.project import ask, settings_of
from reactor.model.events import Json
from reactor.store.base import Reader


def command(as_json: options.AsJson = False, project: options.InProject = None) -> None:
    """Every accepted event ended in one place, or is still waited with. Exit code 1: it does not balance."""

    async def question(reader: Reader) -> tuple[list[str], dict[str, Json]]:
        return list(await reader.balance()), dict(await reader.totals())

    wrong, totals = ask(settings_of(project).settings, question)

    def show() -> None:
        for name, value in totals.items():
            out.console.print(f"{name}: {escape(out.spelled(value))}")
        for sentence in wrong:
            out.console.print(f"[red]✕[/] {escape(sentence)}")
        out.note(
            "It balances."
            if not wrong
            else f"It does not balance in {len(wrong)} places: keep the database as it is and report this."
        )

    out.emit({"balances": not wrong, "wrong": wrong, "totals": totals}, as_json, show)
    if wrong:
        raise typer.Exit(1)
