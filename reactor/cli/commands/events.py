"""`reactor events`: what arrived, with its disposition and what it caused."""

import asyncio
from typing import Annotated

import typer
from rich.markup import escape

from reactor.cli import options, out
from reactor.cli.project import ask, now, settings_of
from reactor.model.ids import AssetName
from reactor.service.views.events import EventLine, caused, line_of
from reactor.service.views.words import called
from reactor.store.base import Reader

POLL = 0.3
"""Seconds between two looks at the ledger while it is followed."""
PAGE = 500


def command(
    asset: Annotated[str | None, typer.Argument(help="Only events of this asset.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with those that come.")] = False,
    limit: options.Most = 20,
    as_json: options.AsJson = False,
    project: options.InProject = None,
) -> None:
    """Readiness events, oldest first: each with what became of it and the runs it led to. With -f --json: one line each."""
    only = AssetName(asset) if asset is not None else None
    settings = settings_of(project).settings

    async def question(reader: Reader) -> None:
        found = [line_of(e) for e in await reader.events(None, limit, only)]
        if not follow:
            out.emit(found, as_json, lambda: _show_all(found))
            return
        last = 0
        while True:
            for event in found:
                out.line(event) if as_json else _show(event)
                last = event.seq
            if not found:
                await asyncio.sleep(POLL)
            found = [line_of(e) for e in await reader.events(last, PAGE, only)]

    ask(settings, question)


def _show_all(found: list[EventLine]) -> None:
    for event in found:
        _show(event)
    if not found:
        out.note("Nothing has come yet.")


def _show(event: EventLine) -> None:
    what = (
        f"{called(event.asset, event.partition)} v{event.version}"
        if event.version
        else called(event.asset, event.partition)
    )
    out.console.print(
        f"{out.when(event.at, now())}  [bold]{escape(what)}[/]  {escape(event.by)}  {escape(event.lane)}@{event.position}  → {escape(caused(event))}"
    )
