"""The ledger in memory, for tests and simulation: `reactor.store.base.Writer` and `Reader` over one `Ledger`.

An engine that crashes is one whose `MemoryStore` is simply dropped: the next one is made over the same ledger, and the dropped one, should it
wake up, is refused by its epoch. There is nothing to close, and no lock: so `restore` never raises StoreBusy.
"""

from collections.abc import Iterable, Mapping

from reactor.model.events import DeadLetter, Json, Readiness
from reactor.model.ids import AssetName, Instant, PartitionKey, RunId, SensorName, SourceName, TaskName, WaitKey
from reactor.model.run import OPEN, Attempt, Run, RunState
from reactor.model.seen import FileSeen
from reactor.model.slot import Slot, Wait
from reactor.store.base import (
    AlertRow,
    Audit,
    Found,
    LaneAt,
    Restored,
    RunFilter,
    Span,
    Stored,
    TopicRecord,
    Transaction,
    Undelivered,
    Wanted,
)
from reactor.store.memory import audit
from reactor.store.memory.forget import forget
from reactor.store.memory.ledger import Ledger, apply


class MemoryStore:
    """One engine's hold of a ledger."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self.ledger = ledger if ledger is not None else Ledger()

    async def restore(self, holder: str) -> Restored:  # noqa: ARG002 - the contract's; nobody asks a ledger in memory who holds it
        """See `Writer.restore`."""
        held = self.ledger
        held.epoch += 1
        runs = sorted((r for r in held.runs.values() if r.state in OPEN), key=lambda r: r.order)
        lanes = [r.at for r in held.lanes.values()]
        numbers = held.epoch, held.next_seq, held.next_order
        return Restored(*numbers, runs, lanes, dict(held.meta), list(held.shapes.values()))

    async def load(self, wanted: Wanted) -> Found:
        """See `Writer.load`."""
        held = self.ledger
        return Found(
            {pair for pair in wanted.seen if pair in held.seen},
            [held.slots[k] for k in wanted.slots if k in held.slots],
            [held.waits[k] for k in wanted.waits if k in held.waits],
            [held.runs[i] for i in wanted.runs if i in held.runs],
        )

    async def load_files(self, source: SourceName) -> list[FileSeen]:
        """See `Writer.load_files`."""
        return [f for f in self.ledger.files.values() if f.source == source]

    async def load_states(self) -> dict[SensorName, bytes]:
        """See `Writer.load_states`."""
        return dict(self.ledger.states)

    async def waits_of(self, task: TaskName, after: WaitKey | None, limit: int) -> list[Wait]:
        """See `Writer.waits_of`."""
        return [w for w in _held(self.ledger, task) if after is None or w.key > after][:limit]

    async def commit(self, transaction: Transaction) -> Mapping[str, int]:
        """See `Writer.commit`."""
        return apply(self.ledger, transaction)

    async def forget(self, before: Instant, seen_before: Instant, most: int) -> int:
        """See `Writer.forget`."""
        return forget(self.ledger, before, seen_before, most)

    async def checkpoint(self) -> None:
        """See `Writer.checkpoint`."""

    async def close(self) -> None:
        """The ledger stays."""


def _held(ledger: Ledger, task: TaskName) -> list[Wait]:
    return sorted((w for w in ledger.waits.values() if w.task == task and w.items), key=lambda w: w.key)


class MemoryReader:
    """Looks at a ledger in memory."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    async def runs(self, which: RunFilter) -> list[Run]:
        """See `Reader.runs`."""
        found = [
            r
            for r in self.ledger.runs.values()
            if (which.state is None or r.state is which.state)
            and (which.task is None or r.task == which.task)
            and (which.key is None or r.key == which.key)
            and (which.before is None or r.order < which.before)
        ]
        return sorted(found, key=lambda r: -r.order)[: which.limit]

    async def run(self, id: str) -> Run | None:
        """See `Reader.run`."""
        exact = self.ledger.runs.get(RunId(id))
        found = [r for name, r in self.ledger.runs.items() if id and name.startswith(id)]
        return exact if exact is not None else found[0] if len(found) == 1 else None

    async def attempts(self, run: RunId) -> list[Attempt]:
        """Oldest first."""
        return sorted((a for a in self.ledger.attempts.values() if a.run == run), key=lambda a: a.number)

    async def run_counts(self) -> dict[tuple[TaskName, RunState], int]:
        """How many runs each task has in each state."""
        found: dict[tuple[TaskName, RunState], int] = {}
        for run in self.ledger.runs.values():
            found[run.task, run.state] = found.get((run.task, run.state), 0) + 1
        return found

    async def slot(self, asset: AssetName, partition: PartitionKey) -> Slot | None:
        """One slot, where it exists."""
        return self.ledger.slots.get((asset, partition))

    async def held(self, limit: int) -> list[Slot]:
        """See `Reader.held`."""
        waiting = [(s.held.seq, s) for s in self.ledger.slots.values() if s.held is not None and not s.held.rejected]
        return [s for _, s in sorted(waiting, key=lambda w: w[0])][:limit]

    async def slots(self, asset: AssetName, limit: int) -> list[Slot]:
        """See `Reader.slots`."""
        found = [s for s in self.ledger.slots.values() if s.asset == asset]
        return sorted(found, key=lambda s: s.partition, reverse=True)[:limit]

    async def wait(self, task: TaskName, key: WaitKey) -> Wait | None:
        """One wait, where it exists."""
        return self.ledger.waits.get((task, key))

    async def waits(self, task: TaskName, limit: int) -> list[Wait]:
        """See `Reader.waits`."""
        return _held(self.ledger, task)[::-1][:limit]

    async def events(self, after: int | None, limit: int, asset: AssetName | None = None) -> list[Stored]:
        """See `Reader.events`."""
        found = sorted(s for s, e in self.ledger.readiness.items() if asset is None or e.asset == asset)
        wanted = found[-limit:] if after is None else [s for s in found if s > after][:limit]
        return [self._stored(seq) for seq in wanted]

    def _stored(self, seq: int) -> Stored:
        held = self.ledger
        runs = sorted(r.id for r in held.runs.values() if any(i.seq == seq for i in r.inputs))
        ended = tuple(held.dispositions.get(seq, ()))
        return Stored(held.readiness[seq], held.versions.get(seq, 0), held.offered.get(seq, 0), ended, tuple(runs))

    async def last_arrival(self, asset: AssetName) -> Readiness | None:
        """The newest event of an asset that is still kept."""
        last = max((s for s, e in self.ledger.readiness.items() if e.asset == asset), default=None)
        return None if last is None else self.ledger.readiness[last]

    async def lanes(self) -> list[LaneAt]:
        """Where every lane stands."""
        return [self.ledger.lanes[place].at for place in sorted(self.ledger.lanes)]

    async def spans(self, source: SourceName | None, limit: int) -> list[Span]:
        """See `Reader.spans`."""
        found = [s for some in self.ledger.spans.values() for s in some if source is None or s.source == source]
        return sorted(found, key=lambda s: (-s.at, s.source, s.lane, -s.first))[:limit]

    async def dead(self, state: str | None, limit: int) -> list[DeadLetter]:
        """See `Reader.dead`."""
        return [d for _, d in sorted(self.ledger.dead.items(), reverse=True) if state is None or d.state == state][
            :limit
        ]

    async def dead_letter(self, id: int) -> DeadLetter | None:
        """One dead letter, where it exists."""
        return self.ledger.dead.get(id)

    async def alerts(self, after: int, limit: int) -> list[AlertRow]:
        """See `Reader.alerts`."""
        found = [AlertRow(self.ledger.alert_ids[key], a) for key, a in self.ledger.alerts.items()]
        return [row for row in found if row.id > after][:limit]

    async def undelivered(self, limit: int) -> list[Undelivered]:
        """See `Reader.undelivered`."""
        return sorted(self.ledger.undelivered.values(), key=lambda u: -u.alert)[:limit]

    async def audits(self, limit: int) -> list[Audit]:
        """See `Reader.audits`."""
        return self.ledger.audits[::-1][:limit]

    async def topic(self, topic: str, offset: int, limit: int) -> list[TopicRecord]:
        """See `Reader.topic`."""
        return [r for r in self.ledger.topics.get(topic, ()) if r.offset >= offset][:limit]

    async def topic_ends(self) -> dict[str, tuple[int, int]]:
        """See `Reader.topic_ends`."""
        return {name: (end - len(self.ledger.topics[name]), end) for name, end in self.ledger.topic_ends.items()}

    async def balance(self) -> Iterable[str]:
        """See `Reader.balance`."""
        return audit.balance(self.ledger)

    async def totals(self) -> Mapping[str, Json]:
        """See `Reader.totals`."""
        return audit.totals(self.ledger)

    async def close(self) -> None:
        """The ledger stays."""
