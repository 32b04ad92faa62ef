"""`reactor held`: what a gate does not let through, and waits for a decision."""

from rich.markup import escape

from reactor.cli import options, out
from reactor.cli.project import ask, now, settings_of
from reactor.model.events import Json
from reactor.model.slot import Slot
from reactor.service.views.words import iso
from reactor.store.base import Reader


def command(limit: options.Most = 50, as_json: options.AsJson = False, project: options.InProject = None) -> None:
    """What a gate holds, and waits for somebody's decision; what has waited longest first."""

    async def question(reader: Reader) -> list[Slot]:
        return await reader.held(limit)

    found = [_line(s) for s in ask(settings_of(project).settings, question)]
    rows = [[out.when(h["since"], now()), h["asset"], h["partition"], h["by"], escape(h["reason"])] for h in found]
    out.emit(
        found,
        as_json,
        lambda: out.table(["since", "asset", "partition", "by", "why"], rows, "Nothing is held."),
    )


def _line(slot: Slot) -> dict[str, Json]:
    waiting = slot.held
    assert waiting is not None
    return {
        "asset": slot.asset,
        "partition": slot.partition,
        "since": iso(waiting.at),
        "reason": waiting.reason,
        "by": waiting.by,
        "event": waiting.event,
        "version": slot.version,
    }
