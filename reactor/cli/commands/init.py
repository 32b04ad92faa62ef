"""`reactor init`: a project of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from reactor.cli import options, out
from reactor.project.scaffold import scaffold


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is new, or empty.")],
    as_json: options.AsJson = False,
) -> None:
    """Makes a project: the daily-revenue example to change, with a test, settings, and a compose file for Kafka and Jaeger."""
    made = [str(p.relative_to(folder.absolute())) for p in scaffold(folder)]

    def show() -> None:
        print(*(f"  {name}" for name in made), sep="\n")
        out.note(f"{folder} is ready. Next: cd {folder}; reactor check; reactor dev")

    out.emit({"project": str(folder.absolute()), "files": made}, as_json, show)
