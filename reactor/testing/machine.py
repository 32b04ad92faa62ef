"""The machine of a simulation: virtual time, one transaction at a time, and a crash wherever the seed wants one.

It does what `reactor.service.engine` does around `core.step` (admit, load, step, commit, act; restore, lost attempts,
backlog, overdue timers) without a loop, a thread or a database. It decides nothing that the core decides.
"""

import heapq
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import msgspec

from reactor.core.admit import admit
from reactor.core.deadlines import between, next_after
from reactor.core.graph import Graph
from reactor.core.state import Changes
from reactor.core.step import Needs, needs, needs_of_ready, step
from reactor.model.commands import CancelAttempt, Command, SetTimer, StartAttempt
from reactor.model.events import DeadLetter, RawEvent, Readiness, Ready, Tick
from reactor.model.ids import AssetName, EventId, Instant, PartitionKey, SensorName, SourceName
from reactor.model.outcome import Ending, Lost, Outcome, Resumed, RetryDue, StepEvent
from reactor.model.run import Run, RunState
from reactor.sources.slots import next_slot
from reactor.testing.arrivals import LANE, Arrival, Senses
from reactor.testing.bodies import EXECUTOR, Bodies
from reactor.testing.faults import Dice
from reactor.testing.gates import Gates
from reactor.testing.ids import CountedIds
from reactor.testing.ledger import Ledger
from reactor.testing.ticks import missed, schedules

Point = Literal["before-commit", "after-commit"]
Act = Callable[[], object]


class Machine:
    def __init__(self, graph: Graph, ids: CountedIds, bodies: Bodies, dice: Dice, now: Instant) -> None:
        self.graph, self.ids, self.bodies, self.dice, self.now = graph, ids, bodies, dice, now
        self.ledger = Ledger()
        self.state = self.ledger.restore(graph)
        self.senses = Senses(graph, {})
        self.gates = Gates(graph, self.ledger.slots)
        self.up = True
        self.crashes = self.on_the_way = 0
        self.starts: list[tuple[Instant, Run]] = []
        self.came: set[tuple[SourceName, int]] = set()
        """The position of every event that came from outside."""
        self._armed: tuple[Point, int | None] | None = None
        self._backlog: list[Arrival] = []
        self._dead: list[DeadLetter] = []
        self._life = 0
        self._queue: list[tuple[int, int, int, int | None, Act]] = []
        self._pushed = 0
        self._schedules = schedules(graph)
        self.ledger.deadlines_judged = now
        for name in self._schedules:
            self.ledger.slots_of[SourceName(name)] = now
        self._arm_clocks()

    # --- time

    def play(self, until: Instant) -> None:
        """Everything that is due until then, in order."""
        while self._queue and self._queue[0][0] <= until:
            due, _, _, life, act = heapq.heappop(self._queue)
            if life is None or life == self._life:
                self.now = Instant(max(self.now, due))
                act()
        self.now = Instant(max(self.now, until))

    def next_due(self) -> Instant | None:
        """When anything is due next."""
        live = [due for due, _, _, life, _ in self._queue if life is None or life == self._life]
        return Instant(min(live)) if live else None

    def later(self, due: int, act: Act, *, outside: bool = False, outlives: bool = False) -> None:
        """`outside`: it comes from outside, after what the engine does at that instant. That and what
        `outlives` a crash comes in any case.
        """
        self._pushed += 1
        life = None if outside or outlives else self._life
        heapq.heappush(self._queue, (due, int(outside), self._pushed, life, act))

    # --- what comes in

    def arrive(self, *arrivals: Arrival) -> None:
        """Events from outside, as one transaction. While the engine is down they wait in their sources."""
        self.came.update((a.source, a.event.position) for a in arrivals if not isinstance(a.event.payload, Tick))
        if not self.up:
            self._backlog.extend(arrivals)
            return
        self._transact((), arrivals)

    def deliver(self, arrival: Arrival, delay: int) -> None:
        """It arrives after so many microseconds."""
        self.on_the_way += 1

        def now() -> None:
            self.on_the_way -= 1
            self.arrive(arrival)

        if delay:
            self.later(self.now + delay, now, outside=True)
        else:
            now()

    def ask(self, *events: StepEvent) -> str | None:
        return self._transact(events, ())

    def _transact(self, events: Sequence[StepEvent], arrivals: Sequence[Arrival]) -> str | None:
        crash = self._take_crash()
        fresh = [a for a in arrivals if (a.source, a.event.position) not in self.ledger.done]
        admitted = self._admit(events, fresh)
        refusal = None
        for event in events:
            refusal = step(self.graph, self.state, event, self.now, self.ids)
        for arrival, ready in admitted:
            self._step_ready(arrival, ready)
        changes = self.state.take_changes()
        if crash is not None and crash[0] == "before-commit":
            self._die([a for a in arrivals if not isinstance(a.event.payload, Tick)], crash[1])
            return refusal
        self._commit(changes, fresh)
        if crash is not None:
            self._die(list(arrivals), crash[1])
            return refusal
        self._act(changes.commands)
        return refusal

    def _admit(
        self, events: Sequence[StepEvent], fresh: Sequence[Arrival]
    ) -> list[tuple[Arrival, list[tuple[str, Ready, str | None]]]]:
        """Judges and admits what arrived, and loads all that these events can touch."""
        wanted = Needs()
        found: list[tuple[Arrival, list[tuple[str, Ready, str | None]]]] = []
        self._dead = []
        here: dict[SourceName, set[str]] = {}
        for arrival in fresh:
            seen = self.ledger.seen.get(arrival.source, set()) | here.get(arrival.source, set())
            if arrival.event.id and arrival.event.id in seen:
                continue
            judged = self.senses.judge(arrival, self.now)
            here.setdefault(arrival.source, set()).add(arrival.event.id)
            for one in admit([judged], seen).judged:
                self._dead.extend(one.dead)
                gated = [
                    (by, self.gates.ready(ready, by, arrival.event.payload), trace) for by, ready, trace in one.ready
                ]
                found.append((arrival, gated))
                for _, ready, _ in gated:
                    needs_of_ready(self.graph, ready, wanted)
        for event in events:
            needs(self.graph, self.state, event, wanted)
        self.ledger.load(self.state, wanted)
        return found

    def _step_ready(self, arrival: Arrival, answers: list[tuple[str, Ready, str | None]]) -> None:
        for sensor, ready, traceparent in answers:
            event = Readiness(
                seq=self.state.take_seq(),
                id=EventId(arrival.event.id or f"{arrival.source}@{arrival.event.position}"),
                asset=ready.asset,
                partition=ready.partition,
                status=ready.status,
                evidence=ready.body or msgspec.json.encode(ready.evidence),
                arrived=self.now,
                at=ready.at if ready.at is not None else self.now,
                source=arrival.source,
                lane=LANE,
                position=arrival.event.position,
                by=SensorName(sensor),
                traceparent=traceparent,
                held=ready.held,
                schema=ready.schema,
            )
            step(self.graph, self.state, event, self.now, self.ids)

    def _commit(self, changes: Changes, arrivals: Sequence[Arrival]) -> None:
        self.ledger.commit(changes, self.state)
        self.ledger.dead.extend(self._dead)
        for arrival in arrivals:
            self.ledger.done.add((arrival.source, arrival.event.position))
            if arrival.event.id:
                self.ledger.seen.setdefault(arrival.source, set()).add(arrival.event.id)
            self.ledger.states.update(self.senses.memories(arrival.source))
            if isinstance(arrival.event.payload, Tick):
                self.ledger.slots_of[arrival.source] = arrival.event.payload.at

    # --- what the core wants done

    def _act(self, commands: Sequence[Command]) -> None:
        for command in commands:
            match command:
                case StartAttempt(run=run):
                    self._start(run)
                case SetTimer(run=id, token=token, due=due):
                    self.later(due, partial(self.ask, RetryDue(id, token)))
                case CancelAttempt(run=id, token=token, reason=reason):
                    self._tell_end(Outcome(id, token, Ending.CANCELLED, self.now, EXECUTOR, error=reason))
                case _:
                    pass  # alerts are in the ledger; the others are for live views

    def _start(self, run: Run) -> None:
        self.starts.append((self.now, run))
        if run.task not in self.graph.nodes:
            self._tell_end(
                Outcome(
                    run.id, run.token, Ending.FAILED, self.now, EXECUTOR, error="not defined any more", permanent=True
                )
            )
            return
        self._tell_end(self.gates.outcome(self.bodies.play(run, self.now, self.dice.fails()), run))

    def _tell_end(self, outcome: Outcome) -> None:
        """An attempt of an engine that died may still answer, to the next one: that is what fencing tokens
        are for.
        """

        def tell() -> None:
            if self.up:
                self.ask(outcome)

        self.later(outcome.ended, tell, outlives=True)

    # --- clocks

    def _arm_clocks(self) -> None:
        for name in self._schedules:
            self._arm_schedule(name)
        self._arm_deadlines()

    def _arm_schedule(self, name: str) -> None:
        slot = next_slot(self._schedules[name], self.ledger.slots_of[SourceName(name)])
        if slot is not None:
            self.later(slot, lambda: self._tick(name, slot))

    def _tick(self, name: str, slot: Instant) -> None:
        life = self._life
        self.arrive(tick(self.graph, name, slot))
        if life == self._life:
            self._arm_schedule(name)

    def _arm_deadlines(self) -> None:
        due = next_after(self.graph, self.now)
        if due is not None:
            self.later(due, self._judge_deadlines)

    def _judge_deadlines(self) -> None:
        last, life = self.ledger.deadlines_judged, self._life
        assert last is not None
        due = [d for name, a in self.graph.assets.items() if a.due for d in between(self.graph, name, last, self.now)]
        self.ask(*due)
        if life == self._life:
            self.ledger.deadlines_judged = self.now
            self._arm_deadlines()

    # --- crashes

    def arm_crash(self, at: Point, down: int | None) -> None:
        """The next transaction dies there. `down`: microseconds until it comes back by itself; None: when it
        is told to.
        """
        self._armed = (at, down)

    def _take_crash(self) -> tuple[str, int | None] | None:
        armed, self._armed = self._armed, None
        return armed if armed is not None else self.dice.crashes()

    def crash(self) -> None:
        """Memory is gone: what was under way, what was not committed, what was about to be started."""
        self._die([], None)

    def _die(self, unacknowledged: list[Arrival], down: int | None) -> None:
        self.up = False
        self.crashes += 1
        self._life += 1
        self._backlog.extend(unacknowledged)
        if down is not None:
            self.later(self.now + down, self.restart, outside=True)

    def restart(self) -> None:
        """Goes on from what was committed: lost attempts first, then the backlog of the sources, then what
        fell due meanwhile.
        """
        if self.up:
            return
        self.up = True
        self._life += 1
        life = self._life
        self.state = self.ledger.restore(self.graph)
        self.senses = Senses(self.graph, dict(self.ledger.states))
        runs = sorted(self.ledger.open_runs(), key=lambda r: r.order)
        for run in runs:
            if run.state is RunState.RETRYING and run.next_at is not None:
                self.later(max(run.next_at, self.now), partial(self.ask, RetryDue(run.id, run.token)))
        self.ask(*(Lost(r.id, r.token) for r in runs if r.state is RunState.RUNNING), Resumed())
        self._catch_up(life)

    def _catch_up(self, life: int) -> None:
        waiting, self._backlog = self._backlog, []
        for n, arrival in enumerate(waiting):
            if life != self._life:
                self._backlog = waiting[n:] + self._backlog
                return
            self.arrive(arrival)
        for name, spec in self._schedules.items():
            for slot in missed(spec, self.ledger.slots_of[SourceName(name)], self.now):
                if life == self._life:
                    self.arrive(tick(self.graph, name, slot))
            if life == self._life and spec.missed == "none":
                self.ledger.slots_of[SourceName(name)] = self.now
        if life == self._life:
            for name in self._schedules:
                self._arm_schedule(name)
            self._judge_deadlines()


def tick(graph: Graph, name: str, slot: Instant) -> Arrival:
    """A slot of a schedule, as its source would hand it over."""
    event = RawEvent(Tick(name, slot), slot, str(slot))
    if name in graph.schedules:
        return Arrival(SourceName(name), event, (Ready(AssetName(name), PartitionKey(str(slot))),), "schedule")
    return Arrival(SourceName(name), event)
