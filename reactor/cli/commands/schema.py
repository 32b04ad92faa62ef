"""`reactor schema`: what has to be set up so that changes of schemas are heard of."""

import asyncio
from typing import Annotated

import typer

from reactor.cli import options, out
from reactor.cli.project import settings_of
from reactor.sources.postgres.catalog import install_sql
from reactor.sources.postgres.install import install as put_in

app = options.command_app()


@app.callback()
def group() -> None:
    """Changes of schemas."""


@app.command()
def install(
    only_print: Annotated[bool, typer.Option("--print", help="Print the SQL, for somebody else to run.")] = False,
    as_json: options.AsJson = False,
    project: options.InProject = None,
) -> None:
    """Put the triggers that tell of changed tables into the database of the setting postgres.dsn. Needs a superuser there; once is enough, again
    does no harm."""
    if only_print:
        print(install_sql())
        return
    dsn = settings_of(project).settings.postgres_dsn("reactor schema install")
    asyncio.run(put_in(dsn))
    out.emit({"installed": True}, as_json, lambda: out.console.print("Changes of tables are told from now on."))
