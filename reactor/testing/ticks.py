"""The schedules of a project on virtual time: those that sensors read, and those that stand inside conditions."""

from reactor.core.graph import Graph
from reactor.model.ids import Instant
from reactor.model.source import Schedule, schedule_of
from reactor.sources.slots import newest_slot, slots_between

MOST = 100_000
"""Missed slots that are fired at most, with `missed="all"`."""


def schedules(graph: Graph) -> dict[str, Schedule]:
    """Every schedule of a project, by its source's name or by the name of its hidden asset."""
    found = {str(s.source.name): s.source for s in graph.sensors if isinstance(s.source, Schedule)}
    return {**found, **{str(name): schedule_of(name) for name in graph.schedules}}


def missed(spec: Schedule, after: Instant, until: Instant) -> list[Instant]:
    """The slots in (after, until] that are still fired after a time in which nobody looked."""
    if spec.missed == "all":
        return slots_between(spec, after, until, MOST)
    newest = newest_slot(spec, after, until) if spec.missed == "last" else None
    return [] if newest is None else [newest]
