"""`reactor reject`: a person's decision about what a gate holds."""

from typing import Annotated

import typer

from reactor.cli import options, out
from reactor.cli.client import connect
from reactor.cli.project import settings_of


def command(
    asset: Annotated[str, typer.Argument()],
    partition: Annotated[str, typer.Argument(help="Left out where the asset is not partitioned.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who come after.")] = "",
    as_json: options.AsJson = False,
    project: options.InProject = None,
) -> None:
    """Close a partition to what a gate holds, until something newer of it comes. Who did it and why is kept for ever."""
    body = {"asset": asset, "partition": partition, "reason": reason}
    answer = connect(settings_of(project).settings).post("/api/held/reject", body)
    out.emit(
        answer,
        as_json,
        lambda: out.console.print(f"{asset} {partition}".rstrip() + " is closed to it, until something newer comes."),
    )
