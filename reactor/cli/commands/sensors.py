"""`reactor sensors`: how far each source has been read, and whether it is well."""

from rich.markup import escape

from reactor.cli import options, out
from reactor.cli.client import connect
from reactor.cli.project import ask, definitions_of, settings_of
from reactor.core.announcers import announcers
from reactor.model.errors import NotFound, ReactorError
from reactor.model.events import Json
from reactor.project.config import Settings
from reactor.store.base import LaneAt, Reader


def command(as_json: options.AsJson = False, project: options.InProject = None) -> None:
    """Each source with its sensors, its lanes and their positions; its health where the service runs."""
    settings = settings_of(project).settings
    graph = definitions_of(settings).graph
    health = _health(settings)
    lanes = _lanes(settings)
    told = announcers(graph)
    found: list[dict[str, Json]] = [
        {
            "sensor": sensor.name,
            "source": sensor.source.name,
            "announces": sorted(name for name, by in told.items() if sensor in by),
            "health": health.get(sensor.source.name),
            "lanes": {lane.lane: lane.position for lane in lanes if lane.source == sensor.source.name},
        }
        for sensor in graph.sensors
    ]
    out.emit(found, as_json, lambda: _show(found))


def _health(settings: Settings) -> dict[str, Json]:
    try:
        answer = connect(settings).get("/api/sources")
    except ReactorError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _lanes(settings: Settings) -> list[LaneAt]:
    async def question(reader: Reader) -> list[LaneAt]:
        return await reader.lanes()

    try:
        return ask(settings, question)
    except NotFound:
        return []


def _show(found: list[dict[str, Json]]) -> None:
    rows = [
        [s["sensor"], escape(s["source"]), ", ".join(s["announces"]), _well(s["health"]), _at(s["lanes"])]
        for s in found
    ]
    out.table(["sensor", "source", "announces", "health", "read up to"], rows, "There are no sensors.")
    if found and all(s["health"] is None for s in found):
        out.note("The service does not run, so nothing is read, and nobody can say how its sources are.")


def _well(health: Json) -> str:
    if health is None:
        return "-"
    trouble = f": {health['error']}" if health.get("error") else ""
    return escape(f"{health.get('condition')}{trouble}")


def _at(lanes: dict[str, int]) -> str:
    shown = [f"{lane}@{position}" for lane, position in sorted(lanes.items())[:4]]
    return escape(" ".join(shown) + (f" and {len(lanes) - 4} more" if len(lanes) > 4 else "")) or "-"
