"""`reactor approve`: a person's decision about what a gate holds."""

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
    """Let through what a gate holds. What waits for it starts at once; who did it and why is kept for ever."""
    body = {"asset": asset, "partition": partition, "reason": reason}
    answer = connect(settings_of(project).settings).post("/api/held/approve", body)
    out.emit(
        answer,
        as_json,
        lambda: out.console.print(f"Let through: {', '.join(answer['approved'])}. What waits for it starts."),
    )
