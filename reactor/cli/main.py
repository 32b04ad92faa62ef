"""`reactor`: finds the command, loads it, and turns our own errors into sentences and exit codes.

Law: nothing heavy is imported here. The table below is all that `reactor --help` needs.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

import typer

from reactor.model.errors import ReactorError

COMMANDS: dict[str, str] = {
    "demo": "A simulated day of daily revenue, in this terminal: nothing to install, nothing left behind.",
    "init": "Begin a project of your own in a new folder.",
    "check": "Load the definitions, refuse what cannot be right, and say what looks like a slip.",
    "dev": "Run the service here; definitions are loaded again when a file is saved.",
    "run": "Run the service: production.",
    "status": "How complete each data product is, partition by partition.",
    "why": "Why something has not started: what it waits for, what came, what happens next, whose turn it is.",
    "runs": "List runs, show one, read its logs, cancel it, run it again.",
    "events": "What arrived, and what became of it. -f follows.",
    "graph": "Assets, tasks and sensors, and how they hang together.",
    "sensors": "Sources and sensors: how far each has read, and whether it is well.",
    "held": "What a gate holds, and waits for somebody's decision.",
    "approve": "Let through what a gate holds; the reason is kept.",
    "reject": "Close a partition to what a gate holds; the reason is kept.",
    "dead": "Dead letters: events that no sensor could use. List, show, retry, drop.",
    "alerts": "What was told to whom.",
    "audit": "Prove that the ledger balances: every event that was accepted ended in one place.",
    "restored": "Go on with a ledger that went back in time, because a backup was put back; the reason is kept.",
    "publish": "Publish records to a topic.",
    "simulate": "A month of your definitions on virtual time, with faults, in seconds.",
    "schema": "The schema of a file, what changed between two; set up what tells of changes.",
    "config": "The settings, and where each of them comes from.",
    "doctor": "Look for what is wrong with the project and its surroundings.",
}


def main() -> None:
    """The entry point."""
    sys.exit(run(sys.argv[1:]))


def run(args: Sequence[str]) -> int:
    """Runs one command line and returns its exit code."""
    try:
        _app(args)(args=list(args), prog_name="reactor")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except ReactorError as error:
        print(f"reactor: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the interpreter's last flush is quiet
        return 0
    return 0


def _app(args: Sequence[str]) -> typer.Typer:
    app = typer.Typer(
        name="reactor",
        help="A task starts the moment its declared inputs are ready.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_top)
    asked = next((a for a in args if not a.startswith("-")), "")
    everything = "_REACTOR_COMPLETE" in os.environ
    for name, text in COMMANDS.items():
        if name == asked or everything:
            _add(app, name, importlib.import_module(f"reactor.cli.commands.{name}"))
        else:
            app.command(name, help=text)(_elsewhere)
    return app


def _add(app: typer.Typer, name: str, module: ModuleType) -> None:
    """A module holds a `command`, or a group of them as `app`."""
    if hasattr(module, "command"):
        app.command(name)(module.command)
    else:
        app.add_typer(module.app, name=name, help=COMMANDS[name])


def _top(version: bool = typer.Option(False, "--version", help="Say which version this is.")) -> None:
    if version:
        from importlib.metadata import version as installed  # noqa: PLC0415 - slow, and asked for seldom

        print(installed("reactor-orchestrator"))
        raise typer.Exit


def _elsewhere() -> None:
    raise AssertionError("a command is loaded before it is called")


if __name__ == "__main__":
    main()
