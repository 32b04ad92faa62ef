"""The shape of the answer to *why*: plain data, for the terminal, for JSON and for the page."""

import msgspec

from reactor.service.views.runs import RunLine
from reactor.service.views.words import SlotState


class Rejected(msgspec.Struct, frozen=True):
    """An event that came and does not count: how it ended, and for which reason."""

    event: str
    partition: str
    at: str | None
    outcome: str
    detail: str


class Needed(msgspec.Struct, frozen=True):
    """One part of the rule. For an asset: what came of it, what was turned away, and whose it is."""

    kind: str
    text: str
    holds: bool
    have: int
    needed: int
    parts: tuple["Needed", ...] = ()
    asset: str = ""
    owner: str = ""
    arrived: str | None = None
    version: int = 0
    missing: tuple[str, ...] = ()
    last: str | None = None
    """When anything of this asset came last, whichever partition it was; None: never."""
    due: str | None = None
    late: bool = False
    rejected: tuple[Rejected, ...] = ()
    sensors: tuple[str, ...] = ()


class Standing(msgspec.Struct, frozen=True):
    """What stands before a closed gate."""

    since: str | None
    reason: str
    by: str
    event: str
    rejected: str = ""
    """Who rejected it and why; empty while a decision is waited for."""


class Letter(msgspec.Struct, frozen=True):
    id: int
    sensor: str
    source: str
    reason: str
    at: str | None


class Why(msgspec.Struct, frozen=True):
    """The whole answer. `next` is said in sentences; `turn` names who is to act, where somebody is."""

    asset: str
    task: str
    partition: str
    state: SlotState
    late: bool
    owner: str
    since: str | None
    reason: str
    tree: Needed | None
    runs: tuple[RunLine, ...]
    letters: tuple[Letter, ...]
    next: tuple[str, ...]
    turn: tuple[str, ...]
    held: Standing | None = None

    @property
    def ready(self) -> bool:
        return self.state is SlotState.READY
