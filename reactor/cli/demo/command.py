"""`reactor demo`, from its options to its exit code."""

import asyncio
import logging
import sys
import tempfile
from pathlib import Path

import msgspec
from rich.console import Console

from reactor.cli.demo.play import Play, Screen
from reactor.cli.demo.screen import Board, Lines, Quiet
from reactor.cli.demo.verdict import Verdict
from reactor.cli.demo.watch import Stuck
from reactor.model.errors import ConfigError
from reactor.project.example import copy_example

SPEED = 1_800.0
"""Seconds of the story in a second: its day and a half take a minute."""


def demo(headless: bool, as_json: bool, keep: Path | None, speed: float) -> int:
    """Plays the day. Returns the exit code: 0 where nothing was lost, doubled or early."""
    logging.getLogger("reactor").setLevel(logging.CRITICAL)
    logging.getLogger("reactor.alert").setLevel(logging.WARNING)
    logging.getLogger("reactor.alert").propagate = False
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise ConfigError(
                f"{keep} is not empty. Name a folder that is not there yet; the demo's project is kept in it."
            )
        keep.mkdir(parents=True, exist_ok=True)
        return _play(keep, headless, as_json, speed)
    with tempfile.TemporaryDirectory(prefix="reactor-demo-") as folder:
        return _play(Path(folder).resolve(), headless, as_json, speed)


def _play(root: Path, headless: bool, as_json: bool, speed: float) -> int:
    copy_example(root)
    (root / "reactor.toml").write_text(
        "# The demo's project. `reactor status`, `reactor why revenue 2026-11-20` and `reactor dev` work here.\n"
    )
    console = Console(stderr=as_json)
    live = not headless and not as_json and console.is_terminal
    try:
        if live:
            with Board(console) as board:
                verdict = _run(root, board, speed)
        else:
            screen: Screen = Quiet() if as_json else Lines(console)
            verdict = _run(root, screen, None if headless or as_json else speed)
    except Stuck as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Nothing was left behind.", file=sys.stderr)
        return 130
    _tell(verdict, as_json, console)
    return 0 if verdict.good else 1


def _run(root: Path, screen: Screen, speed: float | None) -> Verdict:
    return asyncio.run(Play(root, screen, speed).run())


def _tell(verdict: Verdict, as_json: bool, console: Console) -> None:
    if as_json:
        print(msgspec.json.encode({"good": verdict.good, **msgspec.to_builtins(verdict)}).decode())
        return
    totals = verdict.totals
    events, ready = totals["events"], totals["readiness"]
    console.print()
    console.print(
        f"[bold]The day is done.[/] {verdict.runs} runs, {verdict.retries} retry, {verdict.reruns} re-runs, {verdict.alerts} alerts."
    )
    console.print(
        f"{sum(events.values())} positions = {events['ready']} made ready + {events['ignored']} ignored + {events['duplicate']} duplicates "
        f"+ {events['dead']} dead letters + {events['gap']} gaps."
    )
    told = ", ".join(f"{count} {name}" for name, count in ready.items() if name not in ("events", "offered"))
    console.print(
        f"{ready['events']} readiness events were offered to rules {ready['offered']} times: {told}. The ledger balances."
    )
    for line in verdict.wrong:
        console.print(f"[red]✕ {line}[/]")
    if verdict.good:
        console.print("[green]Nothing was lost, nothing started twice, nothing started early.[/]")
        console.print(
            "Next: [bold]reactor demo --keep DIR[/] keeps the project; [bold]reactor init DIR[/] begins your own."
        )
