"""A ledger with a million of something, in seconds: one order is played through the core, and its transaction is written a million times over,
each time with numbers and names of its own. What stands there then is what an engine would have written, and the ledger's sums come out.

python -m tests.bench.ledger ROOT waiting|done NUMBER: ends without closing anything, as an engine that was killed.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import msgspec

from reactor.core.graph import Graph
from reactor.core.state import State
from reactor.core.step import Needs, fill, needs, step
from reactor.model.commands import StartAttempt
from reactor.model.events import Readiness, Status
from reactor.model.ids import NO_PARTITION, AssetName, EventId, Instant, Lane, RunId, SensorName, SourceName
from reactor.model.outcome import Ending, Outcome, StepEvent
from reactor.project.load import load
from reactor.service.clock import SystemIds
from reactor.service.work import put_changes
from reactor.store.base import Move, Span, Transaction
from reactor.store.sqlite import SqliteStore

ORDER = "order0000000"
LANE = (SourceName("bench"), Lane("past"))
SEQ, PLACE, RANK = 1 << 40, 1 << 41, 1 << 42
"""What the played order is numbered with: numbers that are found again in its encoded transaction."""
AT_ONCE = 4_000


class _Ids(SystemIds):
    """Gives a name that is found again."""

    def run(self, now: Instant) -> RunId:
        return RunId("r" * 26)


def played(graph: Graph, assets: list[str], now: Instant) -> Transaction:
    """What the core decides when these assets become ready for one order, and the run that they start succeeds."""
    state, ids = State(SEQ, RANK), _Ids()
    for n, asset in enumerate(assets):
        _step(graph, state, _readiness(asset, n, now), now, ids)
    for command in list(state.changes.commands):
        if isinstance(command, StartAttempt):
            run = command.run
            _step(graph, state, Outcome(run.id, run.token, Ending.SUCCEEDED, now, "inline"), now, ids)
    tx = Transaction()
    put_changes(state.take_changes(), tx)
    return tx


def _step(graph: Graph, state: State, event: StepEvent, now: Instant, ids: SystemIds) -> None:
    wanted = Needs()
    needs(graph, state, event, wanted)
    fill(state, wanted, [], [])
    if isinstance(event, Readiness):
        state.take_seq()
    step(graph, state, event, now, ids)


def _readiness(asset: str, number: int, now: Instant) -> Readiness:
    return Readiness(
        SEQ + number, EventId(ORDER), AssetName(asset), NO_PARTITION, Status.OK, b'{"order":"%s"}' % ORDER.encode(), now, now,
        *LANE, PLACE + number, SensorName("bench"), traceparent=f"00-{'a' * 32}-{'b' * 16}-01",
    )  # fmt: skip


class Press:
    """Prints the played transaction with other numbers: names keep their length, and numbers this large have eight bytes each."""

    def __init__(self, tx: Transaction, events: int) -> None:
        self._plate, self._events, self._ids = msgspec.msgpack.encode(tx), events, SystemIds()
        self._decode = msgspec.msgpack.Decoder(Transaction).decode

    def print(self, number: int, now: Instant) -> Transaction:
        text = self._plate.replace(ORDER.encode(), b"order%07d" % number).replace(
            b"r" * 26, self._ids.run(now).encode()
        )
        for n in range(self._events):
            own = number * self._events + n
            text = text.replace(_eight(SEQ + n), _eight(own + 1)).replace(_eight(PLACE + n), _eight(own))
        return self._decode(text.replace(_eight(RANK), _eight(number + 1)))


def _eight(number: int) -> bytes:
    return number.to_bytes(8, "big")


async def write(root: Path, kind: str, number: int) -> SqliteStore:
    """`waiting`: orders that were paid, and wait to be packed. `done`: orders with both, whose run has succeeded. The
    store is still open: the caller closes it, or does not."""
    graph = load(root, ("sensors",)).graph
    now = Instant(time.time_ns() // 1000)
    assets = ["paid"] if kind == "waiting" else ["paid", "packed"]
    press = Press(played(graph, assets, now), len(assets))
    (root / ".reactor").mkdir(mode=0o700, exist_ok=True)
    store = SqliteStore(root / ".reactor" / "reactor.db")
    epoch = (await store.restore("bench")).epoch
    for first in range(0, number, AT_ONCE):
        until = min(first + AT_ONCE, number)
        tx = Transaction(epoch=epoch)
        for n in range(first, until):
            _add(press.print(n, now), tx)
        events = (first * len(assets), until * len(assets))
        tx.moves.append(Move(Span(*LANE, *events, ready=events[1] - events[0], at=now), first_time=first == 0))
        await store.commit(tx)
    return store


def _add(one: Transaction, all_: Transaction) -> None:
    for name in ("readiness", "versions", "offered", "dispositions", "slots", "waits", "runs", "attempts"):
        getattr(all_, name).extend(getattr(one, name))


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
    os._exit(0)
