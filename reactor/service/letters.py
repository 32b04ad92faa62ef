"""Alerts about dead letters: one an hour for each sensor, however many of its events die, to whoever owns what it announces."""

from collections.abc import Sequence

from reactor.core.announcers import responsible
from reactor.core.graph import Graph
from reactor.model.commands import Alert, AlertKind
from reactor.model.events import DeadLetter
from reactor.model.ids import Instant, Owner

HOUR = 3_600_000_000


class LetterAlerts:
    """Remembers what was told; the ledger refuses a second alert of one key besides, so that a restart tells nothing twice."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def of(self, graph: Graph, letters: Sequence[DeadLetter], now: Instant) -> list[Alert]:
        """What is to be told of these letters, of one transaction."""
        hour = now // HOUR
        first: dict[str, DeadLetter] = {}
        for letter in letters:
            first.setdefault(letter.sensor or letter.source, letter)
        fresh = {who: letter for who, letter in first.items() if self._told.get(who) != hour}
        self._told |= dict.fromkeys(fresh, hour)
        return [_alert(graph, who, letter, now) for who, letter in sorted(fresh.items())]


def _alert(graph: Graph, who: str, letter: DeadLetter, now: Instant) -> Alert:
    text = f"events of {letter.source} went to the dead letters: {letter.reason.rstrip('.')}. See `reactor dead list`."
    owner = Owner(responsible(graph, letter.source, letter.sensor))
    return Alert(f"dead/{who}/{now // HOUR}", AlertKind.DEAD_LETTER, owner, who, text, now)
