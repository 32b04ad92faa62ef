"""`reactor restored`: a ledger that went back in time, and a person who says that it is meant so."""

import asyncio
from typing import Annotated

import typer
from rich.markup import escape

from reactor.cli import options, out
from reactor.cli.client import actor
from reactor.cli.project import now, settings_of
from reactor.store.base import Audit
from reactor.store.sqlite.restored import accept_restored, went_back


def command(
    reason: Annotated[str, typer.Option("--reason", help="Why it is right to go on with it; kept for ever.")] = "",
    as_json: options.AsJson = False,
    project: options.InProject = None,
) -> None:
    """Says whether the ledger holds less than it once did; with --reason, it is taken as it is. Exit code 1: it does, and was not."""
    path = settings_of(project).settings.database
    if reason.strip():
        audit = Audit(now(), actor(), "accept restored ledger", str(path), reason.strip())
        behind, accepted = asyncio.run(accept_restored(path, audit)), True
    else:
        behind, accepted = asyncio.run(went_back(path)), False

    def show() -> None:
        if not behind:
            out.console.print(f"{escape(str(path))} holds all that it ever did: there is nothing to accept.")
            return
        out.console.print(f"{escape(str(path))} went back in time: {escape(behind)}.")
        out.note(
            "It is taken as it is from now on. Start the service: its sources are read again from where they stood."
            if accepted
            else "Put a newer copy in its place; or go on with this one: `reactor restored --reason ...`."
        )

    out.emit({"behind": behind, "accepted": bool(behind) and accepted}, as_json, show)
    if behind and not accepted:
        raise typer.Exit(1)
