"""`reactor check`: what loading says, without running anything."""

from rich.markup import escape

from reactor.cli import options, out
from reactor.cli.project import definitions_of, settings_of
from reactor.service.views.lineage import picture, text


def command(as_json: options.AsJson = False, project: options.InProject = None) -> None:
    """Loads the definitions and checks them. Exit code 2: they cannot be right. Warnings do not fail it."""
    settings = settings_of(project).settings
    loaded = definitions_of(settings)
    graph = loaded.graph
    counted = {"assets": len(graph.assets), "tasks": len(graph.nodes), "sensors": len(graph.sensors)}

    def show() -> None:
        print("\n".join(text(picture(graph))))
        for warning in loaded.warnings:
            out.errors.print(f"[yellow]warning:[/] {escape(warning)}")
        out.note(f"{settings.root}: " + ", ".join(f"{n} {what}" for what, n in counted.items()) + ". It can run.")

    out.emit({"project": str(settings.root), **counted, "warnings": loaded.warnings}, as_json, show)
