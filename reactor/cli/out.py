"""What commands write: data to stdout, messages to stderr."""

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reactor.model.duration import spell
from reactor.model.events import Json
from reactor.model.ids import Instant
from reactor.model.partitions import moment
from reactor.service.views.words import GLYPH, SlotState, instant_of

STYLE: dict[str, str] = {
    "waiting": "bright_black",
    "queued": "bright_black",
    "partial": "yellow",
    "retrying": "yellow",
    "running": "blue",
    "ready": "green",
    "succeeded": "green",
    "stale": "magenta",
    "failed": "red",
    "blocked": "red",
    "cancelled": "bright_black",
    "expired": "red",
}
PIPED = 400
"""Columns where nobody looks: what is piped is not folded."""
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PIPED)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def emit(data: object, as_json: bool, show: Callable[[], None]) -> None:
    """The data, as JSON or as people read it."""
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(data), indent=2).decode())
    else:
        show()


def line(data: object) -> None:
    """One value as one line of JSON, at once: for what is followed."""
    sys.stdout.write(msgspec.json.encode(data).decode() + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """A message to the person, not part of the data."""
    errors.print(escape(text))


def coloured(state: str) -> str:
    return f"[{STYLE.get(state, 'default')}]{state}[/]"


def glyph(state: SlotState) -> str:
    return f"[{STYLE[state]}]{GLYPH[state]}[/]"


def table(heads: Sequence[str], rows: Iterable[Sequence[Json]], nothing: str = "") -> None:
    """Rows under their heads; cells may hold markup. `nothing` is said to stderr where there is no row."""
    shown = Table(*heads, box=None, padding=(0, 2, 0, 0), header_style="bold")
    for row in rows:
        shown.add_row(*(str(cell) if cell is not None else "-" for cell in row))
    if shown.row_count:
        console.print(shown)
    elif nothing:
        note(nothing)


def ago(text: str | None, now: Instant) -> str:
    """`3m 2s ago`; `-` where there is no time."""
    if text is None:
        return "-"
    gone = now - instant_of(text)
    return f"{spell(gone)} ago" if gone >= 0 else f"in {spell(-gone)}"


def when(text: str | None, now: Instant) -> str:
    """A time as people here read it: the clock, and the day where it is another one."""
    if text is None:
        return "-"
    local, today = datetime.fromisoformat(text).astimezone(), moment(now).astimezone()
    return local.strftime("%H:%M:%S" if local.date() == today.date() else "%Y-%m-%d %H:%M")


def length(micros: int | None) -> str:
    return "-" if micros is None else spell(micros)


def spelled(value: Json) -> str:
    """Counts by name as people read them: `82 ready, 1 dead`."""
    return ", ".join(f"{count} {name}" for name, count in value.items()) if isinstance(value, dict) else str(value)
