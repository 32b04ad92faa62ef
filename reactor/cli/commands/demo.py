"""`reactor demo`: a simulated day of daily revenue against the real service."""

import asyncio
import logging
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from reactor.cli import options, out
from reactor.cli.demo.clock import FastClock
from reactor.cli.demo.show import Show, summary
from reactor.cli.demo.stage import Stage, staged
from reactor.cli.demo.story import END, STORY, clock_at, seed
from reactor.cli.demo.verdict import Verdict, judge
from reactor.cli.serve import run_loop
from reactor.project.scaffold import scaffold

PACE = 600
"""Seconds of the day in one of ours."""


def command(
    headless: Annotated[bool, typer.Option("--headless", help="At full speed, without the show; for tests.")] = False,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Play in DIR and leave it there to look at.")
    ] = None,
    speed: Annotated[float, typer.Option("--speed", min=0.1, max=20, help="So many times as fast.")] = 1.0,
    as_json: options.AsJson = False,
) -> None:
    """A day of daily revenue in a minute. Exit code 1: something was lost, doubled or early."""
    logging.getLogger().addHandler(logging.NullHandler())  # the show tells what the log would
    with _project(keep) as root:
        try:
            verdict = run_loop(_play(root, speed, headless=headless or as_json))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None  # SIGTERM, which ends it as Ctrl-C does
    out.emit(
        {"ok": verdict.ok, **{f: getattr(verdict, f) for f in verdict.__struct_fields__}},
        as_json,
        lambda: summary(verdict),
    )
    if keep is not None:
        out.note(
            f"It stays in {keep}. Look at it: cd {keep}; reactor runs; reactor why revenue 2026-11-20; reactor audit"
        )
    if not verdict.ok:
        raise typer.Exit(1)


@contextmanager
def _project(keep: Path | None) -> Iterator[Path]:
    """Gone afterwards, unless it was asked to stay."""
    if keep is not None:
        scaffold(keep)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="reactor-demo-") as folder:
        root = Path(folder).resolve() / "daily-revenue"
        scaffold(root)
        yield root


async def _play(root: Path, speed: float, headless: bool) -> Verdict:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # as Ctrl-C: what was made is removed
    clock = FastClock(clock_at("00:00"))
    async with staged(root, clock) as stage:
        await seed(stage)
        clock.pace(PACE * speed)
        if headless:
            await _hurry(stage)
        else:
            await _perform(stage, clock, root)
        return await judge(stage, root)


async def _hurry(stage: Stage) -> None:
    for step in STORY:
        stage.clock.put_forward(clock_at(step.at))
        await step.act(stage)
        await stage.until(step.expect, partial(step.holds, stage))


async def _perform(stage: Stage, clock: FastClock, root: Path) -> None:
    show = Show(stage, stage.runner.service.graph)
    out.console.print(
        f"[bold]reactor demo[/]  a day of daily revenue, {clock.rate / 60:.0f} minutes a second  {stage.runner.url}"
    )
    out.console.print(f"[bright_black]look around from another terminal: reactor status -C {root}    Ctrl-C stops[/]")
    with show.screen():
        drawing = asyncio.create_task(show.refresh())
        try:
            for step in STORY:
                await clock.sleep_until(clock_at(step.at))
                show.said(step.say)
                await step.act(stage)
                await stage.until(step.expect, partial(step.holds, stage))
            await clock.sleep_until(clock_at(END))
        finally:
            drawing.cancel()
            await asyncio.gather(drawing, return_exceptions=True)
