"""`reactor runs`: list, show, logs, cancel, again."""

from typing import Annotated

import typer
from rich.markup import escape

from reactor.cli import options, out
from reactor.cli.client import connect
from reactor.cli.project import ask, now, settings_of
from reactor.executors.logs import FileLogs
from reactor.model.ids import Instant, RunId, TaskName, WaitKey
from reactor.model.run import RunState
from reactor.service.clock import SystemClock
from reactor.service.views.runs import RunLine, RunPage, run_page, runs
from reactor.store.base import RunFilter

app = options.command_app()
RunName = Annotated[str, typer.Argument(metavar="RUN", help="Its id, or the beginning of it.")]
State = Annotated[RunState | None, typer.Option("--state", help="Only runs in this state.")]


@app.callback(invoke_without_command=True)
def latest(
    context: typer.Context,
    task: Annotated[str | None, typer.Option("--task", help="Only runs of this task.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Only runs for this partition.")] = None,
    state: State = None,
    limit: options.Most = 30,
    as_json: options.AsJson = False,
    project: options.InProject = None,
) -> None:
    """Runs, newest first."""
    if context.invoked_subcommand is not None:
        return
    which = RunFilter(state, TaskName(task) if task else None, WaitKey(key) if key is not None else None, None, limit)
    found = ask(settings_of(project).settings, lambda reader: runs(reader, which))
    out.emit(found, as_json, lambda: _list(found, now()))


@app.command("list")
def list_runs(
    context: typer.Context,
    task: Annotated[str | None, typer.Option("--task", help="Only runs of this task.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Only runs for this partition.")] = None,
    state: State = None,
    limit: options.Most = 30,
    as_json: options.AsJson = False,
    project: options.InProject = None,
) -> None:
    """Runs, newest first: the same as `reactor runs`."""
    context.invoked_subcommand = None
    latest(context, task, key, state, limit, as_json, project)


def _list(found: list[RunLine], at: Instant) -> None:
    heads = ["run", "task", "for", "state", "reason", "attempt", "made", "took", ""]
    out.table(
        heads,
        [
            [
                r.id,
                r.task,
                r.key,
                out.coloured(r.state),
                r.reason,
                r.attempt,
                out.ago(r.created, at),
                out.length(r.took),
                escape(r.error or ""),
            ]
            for r in found
        ],
        "There are no such runs.",
    )


@app.command()
def show(run: RunName, as_json: options.AsJson = False, project: options.InProject = None) -> None:
    """One run: its attempts, their checks, and the exact versions of its inputs."""
    page = ask(settings_of(project).settings, lambda reader: run_page(reader, run))
    out.emit(page, as_json, lambda: _page(page, now()))


def _page(page: RunPage, at: Instant) -> None:
    run = page.run
    out.console.print(
        f"[bold]{run.task} {run.key}[/]  {out.coloured(run.state)}  {run.reason}  {out.ago(run.created, at)}  {run.id}"
    )
    out.console.print(
        f"  waited {out.length(run.waited)}, queued {out.length(run.queued)}, took {out.length(run.took)}"
    )
    if run.error:
        out.console.print(f"  [red]{escape(run.error)}[/]")
    for attempt in page.attempts:
        error = f"  {escape(attempt['error'])}" if attempt["error"] else ""
        out.console.print(
            f"  attempt {attempt['number']}  {attempt['result']}  {out.length(attempt['took'])}  {attempt['executor']}{error}"
        )
        for check in attempt["checks"]:
            sign = "[green]✓[/]" if check["passed"] else "[red]✗[/]"
            out.console.print(f"    {sign} {check['check']} {escape(check['detail'])}")
    out.console.print("  inputs:")
    for item in page.inputs:
        out.console.print(
            f"    {item['asset']} {item['partition']} version {item['version']}  {item['at']}  event {item['event']}"
        )
    out.console.print(f"  code {page.digest or '-'}  trace {page.trace or '-'}")


@app.command()
def logs(
    run: RunName,
    attempt: Annotated[int | None, typer.Option("--attempt", min=1, help="Without it: the last one.")] = None,
    as_json: options.AsJson = False,
    project: options.InProject = None,
) -> None:
    """What an attempt printed and logged."""
    settings = settings_of(project).settings
    page = ask(settings, lambda reader: run_page(reader, run))
    number = attempt or page.run.attempt
    lines = list(FileLogs(settings.log_dir, SystemClock()).read(RunId(page.run.id), number))
    found = {"run": page.run.id, "attempt": number, "lines": lines}
    out.emit(found, as_json, lambda: print(*lines, sep="\n") if lines else out.note("It wrote nothing."))


@app.command()
def cancel(
    run: RunName,
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who come after.")] = "",
    as_json: options.AsJson = False,
    project: options.InProject = None,
) -> None:
    """Stop a run."""
    _change(f"/api/runs/{run}/cancel", {"reason": reason}, "is being cancelled", as_json, project)


@app.command()
def again(run: RunName, as_json: options.AsJson = False, project: options.InProject = None) -> None:
    """Start a run that ended without success again, with the same inputs."""
    _change(f"/api/runs/{run}/again", {}, "starts again", as_json, project)


def _change(path: str, body: dict[str, str], said: str, as_json: bool, project: options.InProject) -> None:
    answer = connect(settings_of(project).settings).post(path, body)
    out.emit(answer, as_json, lambda: out.console.print(f"{answer['run']} {said}."))
