"""`reactor schema`: what the schema of a file is, what changed between two, and what has to be set up so that changes are heard of."""

import asyncio
from typing import Annotated

import typer
from rich.markup import escape

from reactor.cli import options, out
from reactor.cli.project import settings_of
from reactor.model.schema import Compatibility, Diff, Schema, diff, narrow, refuse_unknown
from reactor.model.schema.changes import place
from reactor.schemas.files import Format, schema_of_file
from reactor.sources.postgres.catalog import install_sql
from reactor.sources.postgres.install import install as put_in

app = options.command_app("Schemas of files: Parquet, Avro, CSV, JSON lines; .avsc, .proto, and JSON Schema as .json.")
HARMFUL = 1
_STYLE = {"identical": "green", "additive": "green", "widening": "yellow", "breaking": "red"}
_As = Annotated[
    Format | None,
    typer.Option("--format", help="What the files are, where their names do not say it.", show_default=False),
]


@app.command("diff")
def differ(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A file, or the schema that is expected.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="A file of any of these kinds.")],
    columns: Annotated[
        str,
        typer.Option(
            "--columns", help="What a consumer uses, such as id,amount: the class for it.", show_default=False
        ),
    ] = "",
    format: _As = None,
    as_json: options.AsJson = False,
) -> None:
    """What changed, and its class. Exit code 0: identical or additive. 1: widening or breaking. 65: a schema cannot be read."""
    before, after = schema_of_file(old, format), schema_of_file(new, format)
    found = diff(before, after)
    if columns:
        used = [name.strip() for name in columns.split(",")]
        refuse_unknown(before, used)
        found = narrow(found, used)
    out.emit(_data(found), as_json, lambda: _show(found))
    if found.compatibility > Compatibility.ADDITIVE:
        raise typer.Exit(HARMFUL)


@app.command("show")
def show(
    file: Annotated[str, typer.Argument(metavar="FILE")], format: _As = None, as_json: options.AsJson = False
) -> None:
    """The columns of a file, with their types, and the digest of them all."""
    schema = schema_of_file(file, format)
    out.emit(
        {"digest": schema.digest, "basis": schema.basis, "columns": {f.name: f.content for f in schema.fields}},
        as_json,
        lambda: _columns(schema),
    )


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
    asyncio.run(put_in(settings_of(project).settings.postgres_dsn("reactor schema install")))
    out.emit({"installed": True}, as_json, lambda: out.console.print("Changes of tables are told from now on."))


def _columns(schema: Schema) -> None:
    out.table(
        ("column", "type"),
        ((escape(f.name), "-" if schema.names_only else escape(f.content)) for f in schema.fields),
        "It has no columns.",
    )
    out.note(f"digest {schema.digest}")


def _data(found: Diff) -> dict[str, object]:
    return {
        "class": found.compatibility,
        "names_only": found.names_only,
        "changes": [
            {
                "column": place(c.path),
                "what": c.what,
                "class": c.compatibility,
                "before": c.before,
                "after": c.after,
                "text": str(c),
            }
            for c in found.changes
        ],
    }


def _show(found: Diff) -> None:
    for change in found.changes:
        out.console.print(f"[{_STYLE[change.compatibility]}]{escape(str(change))}[/]")
    if found.names_only:
        out.note("The types of one of them are not known, so only names were compared.")
    out.console.print(f"[bold {_STYLE[found.compatibility]}]{found.compatibility}[/]")
