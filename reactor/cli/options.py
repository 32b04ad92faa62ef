"""The options that commands share, spelled once."""

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Write the data as JSON.")]
InProject = Annotated[
    Path | None,
    typer.Option(
        "--project",
        "-C",
        help="The project's folder; without it, the nearest one above with a reactor.toml.",
        show_default=False,
    ),
]
Most = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="At most this many.")]


def command_app(help: str = "") -> typer.Typer:
    """A typer application for one command, or for a group of them."""
    return typer.Typer(help=help, rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
