"""`reactor why`: the answer to the question that starts every such morning."""

from typing import Annotated

import typer
from rich.markup import escape

from reactor.cli import options, out
from reactor.cli.client import connect
from reactor.cli.project import ask, definitions_of, now, settings_of
from reactor.model.errors import ReactorError
from reactor.model.ids import Instant
from reactor.project.config import Settings
from reactor.service.views.answer import Needed, Why
from reactor.service.views.why import why
from reactor.service.views.words import called

NOT_READY = 3


def command(
    what: Annotated[str, typer.Argument(metavar="ASSET_OR_TASK")],
    partition: Annotated[str | None, typer.Argument(help="Without it: the newest that is asked for.")] = None,
    as_json: options.AsJson = False,
    project: options.InProject = None,
) -> None:
    """What it waits for, what came and does not count, what happens next and whose turn it is. Exit code 3: not ready."""
    settings = settings_of(project).settings
    graph = definitions_of(settings).graph
    at = now()
    troubles = _troubles(settings)
    found = ask(settings, lambda reader: why(reader, graph, what, partition, at, troubles))
    out.emit(found, as_json, lambda: show(found, at))
    if not found.ready:
        raise typer.Exit(NOT_READY)


def _troubles(settings: Settings) -> dict[str, str]:
    """Sources that are not well; nothing where the service cannot be asked."""
    try:
        sources = connect(settings).get("/api/sources")
    except ReactorError:
        return {}
    return {name: s["error"] for name, s in sources.items() if s.get("error")}


def show(found: Why, at: Instant) -> None:
    head = called(found.asset or found.task, found.partition)
    late = "  [red]LATE[/]" if found.late else ""
    since = f"  since {out.when(found.since, at)} ({out.ago(found.since, at)})" if found.since else ""
    out.console.print(
        f"[bold]{escape(head)}[/]  {out.glyph(found.state)} {out.coloured(found.state)}{late}{since}  owner {found.owner}"
    )
    if found.reason:
        out.console.print(f"  {escape(found.reason)}")
    if found.tree is not None:
        _tree(found.tree, at, "  ")
    for run in found.runs:
        error = f": {escape(run.error)}" if run.error else ""
        out.console.print(
            f"  run {run.id}  {out.coloured(run.state)}, attempt {run.attempt}, {run.reason}, {out.ago(run.created, at)}{error}"
        )
    for letter in found.letters:
        out.console.print(
            f"  [red]✕[/] dead letter {letter.id} of {letter.sensor} ({letter.source}): {escape(letter.reason)}"
        )
    for sentence in found.next:
        out.console.print(f"  → {escape(sentence)}")
    for turn in found.turn:
        out.console.print(f"  whose turn: {escape(turn)}")


def _tree(part: Needed, at: Instant, indent: str) -> None:
    sign = "[green]✓[/]" if part.holds else "[red]✗[/]"
    if part.parts:
        out.console.print(f"{indent}{sign} {part.kind} of, {part.have} of {part.needed}:")
        for inner in part.parts:
            _tree(inner, at, indent + "  ")
        return
    out.console.print(f"{indent}{sign} {escape(part.text)}  {_came(part, at)}")
    if part.missing:
        shown = ", ".join(part.missing[:6])
        more = f" and {len(part.missing) - 6} more" if len(part.missing) > 6 else ""
        out.console.print(f"{indent}    missing: {shown}{more}")
    for rejected in part.rejected:
        detail = f": {escape(rejected.detail)}" if rejected.detail else ""
        out.console.print(
            f"{indent}    {rejected.outcome}: event {rejected.event} ({out.when(rejected.at, at)}){detail}"
        )


def _came(part: Needed, at: Instant) -> str:
    many = f"{part.have} of {part.needed}  " if part.needed > 1 else ""
    version = f"version {part.version}, " if part.version and part.needed == 1 else ""
    came = f"{version}arrived {out.when(part.arrived, at)}" if part.arrived else _last(part, at)
    late = (
        f"  [red]LATE, due {out.when(part.due, at)}[/]"
        if part.late
        else f"  due {out.when(part.due, at)}"
        if part.due and not part.holds
        else ""
    )
    return f"{many}{came}{late}  {part.owner}"


def _last(part: Needed, at: Instant) -> str:
    return (
        f"nothing yet; {part.asset} last came {out.ago(part.last, at)}"
        if part.last
        else "nothing yet, and never before"
    )
