"""`reactor dev`: the service on this machine, with its definitions loaded again when a file is saved."""

from rich.markup import escape

from reactor.cli import options, out
from reactor.cli.commands.run import Host, Port
from reactor.cli.project import definitions_of, settings_of
from reactor.cli.saves import Saves
from reactor.cli.serve import run_loop, serve
from reactor.model.errors import DefinitionError
from reactor.project.changes import changes
from reactor.project.config import Settings
from reactor.project.load import Definitions
from reactor.service.clock import SystemClock
from reactor.web.runner import Runner


def command(
    host: Host = None, port: Port = None, as_json: options.AsJson = False, project: options.InProject = None
) -> None:
    """Runs the service and loads the definitions again on each save. Topics are embedded unless `kafka.servers` says otherwise."""
    settings = settings_of(project, "dev", {"host": host, "port": port}).settings
    definitions = definitions_of(settings)
    for warning in definitions.warnings:
        out.note(f"warning: {warning}")

    def started(runner: Runner) -> None:
        if as_json:
            out.line({"url": runner.url, "project": str(settings.root)})
        out.note(f"reactor dev: {settings.root} on {runner.url}; save a file and it is loaded again, Ctrl-C stops")

    async def watch(runner: Runner) -> None:
        await reload_on_save(settings, definitions, runner, as_json)

    run_loop(serve(settings, definitions, started, watch))


async def reload_on_save(settings: Settings, definitions: Definitions, runner: Runner, as_json: bool) -> None:
    """A file that cannot be loaded leaves the last good definitions at work, and is told."""
    saves = Saves(settings.root, settings.definitions, definitions.digests, SystemClock())

    async def saved() -> None:
        nonlocal definitions
        try:
            fresh = definitions_of(settings)
        except DefinitionError as error:
            text = f"[red]✕[/] {escape(str(error))}\n  The last good definitions go on."
            _tell({"reloaded": False, "error": str(error)}, as_json, text)
            return
        if fresh.digests == definitions.digests:  # a mistake was taken back: the sources need not stop for it
            _tell({"reloaded": False, "changes": []}, as_json, "[green]✓[/] the files are again those that are at work")
            return
        said = changes(definitions.graph, fresh.graph)
        await runner.reload(fresh)
        definitions, saves.known = fresh, fresh.digests
        shown = "\n".join(f"  {escape(s)}" for s in (*said, *(f"warning: {w}" for w in fresh.warnings)))
        _tell({"reloaded": True, "changes": said}, as_json, f"[green]↻[/] loaded again\n{shown}".rstrip())

    await saves.run(saved)


def _tell(data: dict[str, object], as_json: bool, markup: str) -> None:
    if as_json:
        out.line(data)
    out.errors.print(markup)
