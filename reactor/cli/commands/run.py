"""`reactor run`: production."""

from typing import Annotated

import typer

from reactor.cli import options, out
from reactor.cli.project import definitions_of, settings_of
from reactor.cli.serve import run_loop, serve
from reactor.web.runner import Runner

Host = Annotated[str | None, typer.Option("--host", help="The address to listen on.", show_default=False)]
Port = Annotated[int | None, typer.Option("--port", help="The port; 0: any free one.", show_default=False)]


def command(
    host: Host = None, port: Port = None, as_json: options.AsJson = False, project: options.InProject = None
) -> None:
    """Runs the service until SIGTERM, which drains it. Topics are read from `kafka.servers`."""
    settings = settings_of(project, "run", {"host": host, "port": port}).settings
    definitions = definitions_of(settings)
    for warning in definitions.warnings:
        out.note(f"warning: {warning}")

    def started(runner: Runner) -> None:
        if as_json:
            out.line({"url": runner.url, "project": str(settings.root)})
        out.note(f"reactor runs {settings.root} on {runner.url}")

    run_loop(serve(settings, definitions, started))
