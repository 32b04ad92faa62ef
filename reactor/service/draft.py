"""The transaction in the making: who waits for it, and the clerk who puts events through the step and their account into it."""

from collections.abc import Iterable

from reactor.core.admit import Admitted, Judged, admit
from reactor.core.graph import Graph
from reactor.core.state import Changes, State
from reactor.core.step import Needs, fill, needs, needs_of_ready, step
from reactor.model.events import Readiness, encode_payload, evidence_json
from reactor.model.ids import EventId, Instant, Lane, SensorName, SourceName
from reactor.model.ports import Ids
from reactor.service.letters import LetterAlerts
from reactor.service.work import Arrival, Ask, let_go, put_also, put_changes
from reactor.store.base import Found, Kept, LaneAt, Move, Restored, Span, Transaction, Wanted
from reactor.telemetry.base import Counted

OURSELVES = SourceName("reactor")
DEAD_LETTERS = Lane("dead letters")
"""Readiness out of a retried dead letter stands in this lane: its first arrival was accounted for where it came from."""
HOUR = 3_600_000_000


class Draft:
    """See the file's head. It grows while the transaction before it is written; then it is sealed and goes the same way."""

    def __init__(self, epoch: int) -> None:
        self.tx = Transaction(epoch=epoch)
        self.size = 0
        """Events in it."""
        self.seen: set[tuple[str, str]] = set()
        """The (source, id) of its events: they count as seen before they are durable."""
        self.changes = Changes()
        """What it changes, once it is sealed."""
        self.counted: list[Counted] = []
        self.arrivals: list[Arrival] = []
        self.asks: list[tuple[Ask, str | None]] = []
        """Each with why it was refused, where it was."""

    def seal(self, changes: Changes) -> None:
        """Everything that was decided is in it."""
        put_changes(changes, self.tx)
        self.changes = changes

    def answer(self) -> None:
        """It is durable: whoever waits for it is told."""
        for ask, refusal in self.asks:
            if ask.answer is not None and not ask.answer.done():
                ask.answer.set_result(refusal)
        for arrival in self.arrivals:
            if not arrival.done.done():
                arrival.done.set_result(None)

    def let_go(self) -> None:
        """It will never be durable."""
        let_go(self.arrivals, [ask for ask, _ in self.asks])


class Clerk:
    """Holds the definitions and the state, puts events through the step, and knows where each lane stands."""

    def __init__(self, graph: Graph, ids: Ids) -> None:
        self.graph, self.state = graph, State()
        self.lanes: dict[tuple[str, str], LaneAt] = {}
        self._ids = ids
        self._letters = LetterAlerts()

    def restore(self, restored: Restored) -> None:
        self.state = State(restored.next_seq, restored.next_order)
        self.state.adopt(self.graph, restored.open_runs)
        self.state.shapes = {s.asset: s for s in restored.shapes}
        self.lanes = {(at.source, at.lane): at for at in restored.lanes}

    def turn_to(self, graph: Graph) -> None:
        """New definitions over the same open runs. Nothing may be on its way to the disk: what is loaded from now on has to be durable."""
        runs, shapes = list(self.state.runs.values()), self.state.shapes
        self.graph, self.state = graph, State(self.state.next_seq, self.state.next_order)
        self.state.adopt(graph, runs)
        self.state.shapes = shapes

    # --- what has to be loaded first

    def wanted(self, arrivals: Iterable[Arrival], asks: Iterable[Ask]) -> tuple[Needs, Wanted]:
        """What these can touch, and what of it is not in memory."""
        touched = Needs()
        seen: list[tuple[str, str]] = []
        for arrival in arrivals:
            source = arrival.batch.source
            for judged in arrival.judged:
                if judged.event.id:
                    seen.append((source, judged.event.id))
                self._needs(judged, touched)
        for ask in asks:
            for event in ask.events:
                needs(self.graph, self.state, event, touched)
            if ask.judged is not None:
                self._needs(ask.judged, touched)
        state = self.state
        slots = [key for key in touched.slots if key not in state.slots]
        waits = [key for key in touched.waits if key not in state.waits]
        return touched, Wanted(seen, slots, waits, list(touched.closed))

    def _needs(self, judged: Judged, touched: Needs) -> None:
        for _, ready, _ in judged.ready:
            needs_of_ready(self.graph, ready, touched)

    def fill(self, touched: Needs, found: Found) -> None:
        """Puts what was found into the state, and what was not found as new."""
        fill(self.state, touched, found.slots, found.waits)
        self.state.closed = {run.id: run for run in found.runs}

    # --- one event after the other

    def ask(self, ask: Ask, draft: Draft, now: Instant) -> None:
        refusal = None
        draft.size += len(ask.events) + 1
        for event in ask.events:
            refusal = step(self.graph, self.state, event, now, self._ids)
        if ask.judged is not None:
            self._step_ready(OURSELVES, DEAD_LETTERS, ask.judged, now)
        if ask.also is not None and refusal is None:  # what was refused was not done, and no log says so
            put_also(ask.also, draft.tx)
        draft.asks.append((ask, refusal))

    def arrival(self, arrival: Arrival, seen: set[tuple[str, str]], draft: Draft, now: Instant) -> None:
        """`seen`: the ids of its events that had their effect before, or will have it in the transaction that is under way."""
        batch = arrival.batch
        found = admit(arrival.judged, self._before(arrival, seen, draft))
        for judged in found.judged:
            self._step_ready(batch.source, batch.lane, judged, now)
            draft.tx.dead.extend(judged.dead)
        self._account(arrival, found, draft, now)
        draft.counted.append(
            Counted(batch.source, batch.lane, found.ready, found.ignored, found.duplicate, found.dead, now)
        )
        draft.arrivals.append(arrival)
        draft.size += len(arrival.judged) + 1

    @staticmethod
    def _before(arrival: Arrival, seen: set[tuple[str, str]], draft: Draft) -> set[str]:
        source, ids = arrival.batch.source, [j.event.id for j in arrival.judged if j.event.id]
        return {i for i in ids if (source, i) in seen or (source, i) in draft.seen}

    def _step_ready(self, source: SourceName, lane: Lane, judged: Judged, now: Instant) -> None:
        for sensor, ready, traceparent in judged.ready:
            raw = judged.event
            event = Readiness(
                self.state.take_seq(),
                EventId(raw.id or f"{lane}@{raw.position}"),
                ready.asset,
                ready.partition,
                ready.status,
                ready.body or evidence_json(ready.evidence),
                now,
                ready.at if ready.at is not None else now,
                source,
                lane,
                raw.position,
                SensorName(sensor),
                traceparent=traceparent,
                held=ready.held,
                schema=ready.schema,
            )
            step(self.graph, self.state, event, now, self._ids)

    def _account(self, arrival: Arrival, found: Admitted, draft: Draft, now: Instant) -> None:
        """The lane moves, and its span of the ledger says what became of every position in it."""
        batch, tx = arrival.batch, draft.tx
        span = Span(
            batch.source,
            batch.lane,
            batch.first,
            batch.until,
            found.ready,
            found.ignored,
            found.duplicate,
            found.dead,
            batch.until - batch.first - len(arrival.judged),
            now,
        )
        known = (batch.source, batch.lane) in self.lanes
        tx.moves.append(Move(span, batch.cursor, first_time=not known))
        self.lanes[batch.source, batch.lane] = LaneAt(batch.source, batch.lane, batch.until, batch.cursor)
        new = [(batch.source, j.event.id) for j in found.judged if j.event.id]
        draft.seen.update(new)
        tx.seen.extend((source, id, now) for source, id in new)
        tx.states.extend(arrival.states)
        tx.files_gone.extend((batch.source, name) for name in batch.gone)
        tx.files.extend(batch.files)
        if batch.keep:
            tx.kept.extend(
                Kept(batch.source, batch.lane, j.event.position, j.event.id, now, encode_payload(j.event.payload))
                for j in found.judged
            )
        dead = [letter for judged in arrival.judged for letter in judged.dead]
        if dead:
            self.state.tell(self._letters.of(self.graph, dead, now))
