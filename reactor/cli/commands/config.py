"""`reactor config show`: the settings, each with its origin."""

from typing import Annotated

import typer
from pydantic import BaseModel, SecretStr
from rich.markup import escape

from reactor.cli import options, out
from reactor.cli.project import settings_of
from reactor.model.events import Json
from reactor.project.config import Loaded, Mode, env_name

app = options.command_app()


@app.callback()
def group() -> None:
    """The settings."""


@app.command()
def show(
    origin: Annotated[
        bool, typer.Option("--origin", help="Say where each value comes from, and how to set it.")
    ] = False,
    run: Annotated[bool, typer.Option("--run", help="As `reactor run` sees them, not `reactor dev`.")] = False,
    as_json: options.AsJson = False,
    project: options.InProject = None,
) -> None:
    """Every setting with its value. Secrets are never shown."""
    mode: Mode = "run" if run else "dev"
    loaded = settings_of(project, mode)
    found = {
        key: {"value": _value(loaded, key), "origin": where, "env": env_name(key)}
        for key, where in loaded.origins.items()
    }
    data = found if origin else {key: said["value"] for key, said in found.items()}

    def people() -> None:
        heads = ["setting", "value", *(["from", "environment"] if origin else [])]
        more = [[said["origin"], said["env"]] if origin else [] for said in found.values()]
        values = [[key, escape(str(said["value"]))] for key, said in found.items()]
        out.table(heads, [[*v, *m] for v, m in zip(values, more, strict=True)])
        out.note(f"The project is {loaded.settings.root}.")

    out.emit(data, as_json, people)


def _value(loaded: Loaded, key: str) -> Json:
    value: object = loaded.settings
    for name in key.split("."):
        assert isinstance(value, BaseModel)
        value = getattr(value, name)
    if isinstance(value, SecretStr):
        return "(secret)"
    return (
        list(value)
        if isinstance(value, tuple)
        else value
        if value is None or isinstance(value, (int, float))
        else str(value)
    )
