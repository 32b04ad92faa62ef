"""`reactor graph`: how assets, tasks and sensors hang together."""

from reactor.cli import options, out
from reactor.cli.project import definitions_of, settings_of
from reactor.service.views.lineage import picture, text


def command(as_json: options.AsJson = False, project: options.InProject = None) -> None:
    """Each task with what it waits for and what it makes; with --json the whole graph."""
    found = picture(definitions_of(settings_of(project).settings).graph)
    out.emit(found, as_json, lambda: print("\n".join(text(found))))
