"""What was delivered with QoS 1 and is not acknowledged, and what was acknowledged last. Law: bookkeeping without a
client, a clock or an await.

A broker delivers again, marked DUP and under the same packet identifier, what it has no acknowledgement for. Two
questions follow, and a wrong answer to the first would lose a publication:

- *Was it acknowledged, so that this is another publication under a reused identifier?* Not where it still waits here
  (`_open`): what was never acknowledged is never reused. Where it was acknowledged, the acknowledgement may have been lost on
  its way (`_settled`): identifier and content must both be the same, and the broker must not be one that reuses
  identifiers soon. Most count them up, and use one again after 65,535 others. One that hands out the lowest that is free
  would use it for the next equal reading; it gives itself away by the first identifier that goes back, and is not
  believed from then on: what it repeats is read again.
- *May it be acknowledged already?* Only where its effects are durable, and only on the connection that delivered it
  last.

An acknowledgement is known to have arrived when the broker answered something that was asked behind it (`confirmed`), or
when it goes on to new publications: those that it repeats at the beginning of a connection come before them.

`cursor` goes into the ledger with every batch, so a process that was killed knows what its predecessor did.
"""

from collections import OrderedDict
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import msgspec

WINDOW = 200
"""Publications that the broker may have under way to us without an acknowledgement (MQTT 5: receive maximum)."""
ROOM = 4 * WINDOW
"""Of them that are taken at once. Mosquitto 2.0 allows itself a new window at each connection, beside what it repeats."""
TOPICS = 200
"""Topics of which the last publication is remembered."""
SETTLED = 25 * WINDOW
"""Acknowledgements that may be unconfirmed; of older ones it is forgotten that there were any."""


class Delivery(Enum):
    NEW = "new"
    WAITING = "waiting"
    """It is here already, and will be acknowledged once it is durable."""
    NO_ROOM = "no room"
    """Neither this nor what comes behind it is taken: the next connection brings them again."""
    DURABLE = "durable"
    """Its effects are durable: acknowledge it, and do nothing else."""


class Held:
    """One publication that the broker waits to hear of."""

    __slots__ = ("anonymous", "connection", "durable", "handed_out", "mark", "packet")

    def __init__(self, packet: int, mark: str, *, anonymous: bool, connection: int) -> None:
        self.packet, self.mark, self.anonymous = packet, mark, anonymous
        self.connection = connection
        """On which it was delivered last."""
        self.handed_out = self.durable = False


class Settled(NamedTuple):
    """An acknowledgement that was sent, and perhaps did not arrive."""

    mark: str
    connection: int = 0
    number: int = 0
    """Of all that were sent."""


class Cursor(msgspec.Struct, array_like=True):
    """What a later process needs to know, as it stands in the ledger."""

    newest: int = 0
    reuses: bool = False
    settled: list[tuple[int, str]] = []
    last: list[str] = []


class Window:
    """Of one session at the broker."""

    def __init__(self, text: str = "") -> None:
        known = msgspec.json.decode(text, type=Cursor) if text else Cursor()
        self._newest = known.newest
        """The packet identifier that was given last."""
        self.reuses = known.reuses
        """The broker was seen to use packet identifiers again soon."""
        self._settled = OrderedDict((packet, Settled(mark)) for packet, mark in known.settled)
        self._last: OrderedDict[str, str] = OrderedDict((f"\0{n}", mark) for n, mark in enumerate(known.last))
        self._open: dict[int, Held] = {}
        self._connection = 0
        self._repeating, self._overflowed = True, False
        self.sent = 0
        """Acknowledgements, so far."""
        self.repeated = 0
        """Deliveries that were recognised as no publication of their own."""

    def connected(self, *, session: bool) -> None:
        """A new connection; `session`: the broker went on with the one that we had. If not, its identifiers mean nothing
        any more."""
        self._connection += 1
        self._repeating, self._overflowed = True, False
        if not session:
            self._open.clear()
            self._settled.clear()
            self._newest, self.reuses = 0, False

    def receive(self, packet: int, mark: str, *, again: bool, anonymous: bool) -> tuple[Delivery, Held]:
        """A delivery with QoS 1; `again`: it is marked DUP."""
        if not again:
            self.reuses = self.reuses or not _ahead(packet, self._newest)
            self._newest = packet
            self._end_of_repetitions()
        held = self._open.get(packet)
        if again and held is not None and held.mark == mark:
            held.connection = self._connection
            self.repeated += 1
            return (Delivery.DURABLE if held.durable else Delivery.WAITING), held
        held = Held(packet, mark, anonymous=anonymous, connection=self._connection)
        if again and not self.reuses and packet in self._settled and self._settled[packet].mark == mark:
            held.durable = True
            self.repeated += 1
            return Delivery.DURABLE, held
        if self._overflowed or len(self._open) >= ROOM:
            self._overflowed = True
            return Delivery.NO_ROOM, held
        self._settled.pop(packet, None)
        self._open[packet] = held
        return Delivery.NEW, held

    def durable(self, held: Held) -> bool:
        """Its effects are durable now. Returns whether it is to be acknowledged at once."""
        held.durable = True
        return self._open.get(held.packet) is held and held.connection == self._connection

    def acknowledged(self, held: Held) -> None:
        """The acknowledgement was sent. Whether it arrived, nobody says."""
        if self._open.get(held.packet) is held:
            del self._open[held.packet]
        self.sent += 1
        if held.anonymous:
            self._settled[held.packet] = Settled(held.mark, self._connection, self.sent)
            self._settled.move_to_end(held.packet)
            if len(self._settled) > SETTLED:
                self._settled.popitem(last=False)

    def confirmed(self, sent: int) -> None:
        """The broker has the acknowledgements up to that one, of those that were sent on this connection."""
        self._forget([p for p, s in self._settled.items() if s.connection == self._connection and s.number <= sent])

    def _end_of_repetitions(self) -> None:
        """What the broker has not repeated by now, it will not: it had heard of it."""
        if self._repeating:
            self._repeating = False
            self._forget([p for p, s in self._settled.items() if s.connection != self._connection])

    def _forget(self, packets: Sequence[int]) -> None:
        for packet in packets:
            del self._settled[packet]

    def stale(self, mark: str) -> bool:
        """Whether what the broker retained is what was read of its topic last."""
        return mark in self._last.values()

    def remember(self, topic: str, mark: str) -> None:
        """This is what was read of the topic last."""
        self._last[topic] = mark
        self._last.move_to_end(topic)
        if len(self._last) > TOPICS:
            self._last.popitem(last=False)

    def cursor(self, batch: Sequence[Held]) -> str:
        """What stands in the ledger once this batch does."""
        for held in batch:
            held.handed_out = True
        under_way = [(h.packet, h.mark) for h in self._open.values() if h.handed_out and h.anonymous]
        known = Cursor(
            self._newest,
            self.reuses,
            [*((p, s.mark) for p, s in self._settled.items()), *under_way],
            list(self._last.values()),
        )
        return msgspec.json.encode(known).decode()


def _ahead(packet: int, newest: int) -> bool:
    """Whether counting up, and beginning anew after 65,535, leads from one to the other before it leads back."""
    return newest == 0 or 0 < (packet - newest) % 65_535 < 32_768
