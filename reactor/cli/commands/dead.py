"""`reactor dead`: events that no sensor could use, kept whole."""

from typing import Annotated

import typer
from rich.markup import escape

from reactor.cli import options, out
from reactor.cli.client import connect
from reactor.cli.project import ask, now, settings_of
from reactor.model.errors import NotFound
from reactor.model.events import DeadLetter, Json
from reactor.service.views.words import iso
from reactor.store.base import Reader

app = options.command_app()
Id = Annotated[int, typer.Argument(metavar="ID", min=0)]


@app.command("list")
def list_letters(
    everything: Annotated[bool, typer.Option("--all", help="Those that were retried or dropped too.")] = False,
    limit: options.Most = 50,
    as_json: options.AsJson = False,
    project: options.InProject = None,
) -> None:
    """Dead letters that wait for somebody."""

    async def question(reader: Reader) -> list[DeadLetter]:
        return await reader.dead(None if everything else "open", limit)

    found = [_line(d) for d in ask(settings_of(project).settings, question)]
    rows = [
        [d["id"], out.when(d["at"], now()), d["sensor"], escape(d["source"]), d["state"], escape(d["reason"])]
        for d in found
    ]
    out.emit(
        found,
        as_json,
        lambda: out.table(["id", "when", "sensor", "source", "state", "reason"], rows, "There are none."),
    )


def _line(letter: DeadLetter) -> dict[str, Json]:
    return {
        "id": letter.id,
        "at": iso(letter.at),
        "sensor": letter.sensor,
        "source": letter.source,
        "lane": letter.lane,
        "position": letter.position,
        "state": letter.state,
        "reason": letter.reason,
    }


@app.command()
def show(id: Id, as_json: options.AsJson = False, project: options.InProject = None) -> None:
    """One dead letter, with its body and the traceback."""

    async def question(reader: Reader) -> DeadLetter | None:
        return await reader.dead_letter(id)

    letter = ask(settings_of(project).settings, question)
    if letter is None:
        raise NotFound(f"There is no dead letter {id}. `reactor dead list` lists them.")
    body = letter.body.decode("utf-8", "replace")
    found = {**_line(letter), "detail": letter.detail, "body": body, "digest": letter.digest}

    def people() -> None:
        out.console.print(
            f"[bold]{letter.sensor}[/] could not use {escape(letter.lane)}@{letter.position} of {escape(letter.source)}"
        )
        out.console.print(
            f"  {iso(letter.at)}  {letter.state}  code {letter.digest or '-'}\n  [red]{escape(letter.reason)}[/]"
        )
        out.console.print(f"{escape(letter.detail)}\n{escape(body)}")

    out.emit(found, as_json, people)


@app.command()
def retry(id: Id, as_json: options.AsJson = False, project: options.InProject = None) -> None:
    """Put the event before its sensor once more, for example after you have mended it."""
    answer = connect(settings_of(project).settings).post(f"/api/dead/{id}/retry")
    out.emit(answer, as_json, lambda: print(f"Dead letter {id} made {answer['ready']} partitions ready."))


@app.command()
def drop(
    id: Id,
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who come after.")] = "",
    as_json: options.AsJson = False,
    project: options.InProject = None,
) -> None:
    """Give the event up. It stays in the ledger as dropped."""
    answer = connect(settings_of(project).settings).post(f"/api/dead/{id}/drop", {"reason": reason})
    out.emit(answer, as_json, lambda: print(f"Dead letter {id} was dropped."))
