"""`reactor simulate`: the definitions on virtual time, with faults, and the promises checked."""

from typing import Annotated

import typer

from reactor.cli import options, out
from reactor.cli.project import definitions_of, settings_of
from reactor.testing import simulate


def command(
    seed: Annotated[int, typer.Option("--seed", help="The same seed plays the same.")] = 0,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Play so many, from --seed on.")] = 1,
    days: Annotated[int, typer.Option("--days", min=1, max=3660)] = 30,
    as_json: options.AsJson = False,
    project: options.InProject = None,
) -> None:
    """Plays your sensors' schedules and rules with random arrivals and faults. Exit code 1: a promise was broken."""
    graph = definitions_of(settings_of(project).settings).graph
    reports = [simulate(graph, seed + n, days=days) for n in range(seeds)]

    def show() -> None:
        for report in reports:
            print(f"seed {report.seed}: " + "\n  ".join(report.lines()))

    out.emit(reports, as_json, show)
    if not all(report.ok for report in reports):
        raise typer.Exit(1)
