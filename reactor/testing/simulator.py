"""The users' simulator: a project on virtual time. It drives the same `step` as production, so what it
starts, production starts.

sim = Simulator(daily, start="2026-11-20T00:00")
sim.ready(orders.ready("2026-11-19", rows=5))
sim.at("08:10").land("landing/refunds-2026-11-19.csv")
assert sim.started("build_revenue") == ["2026-11-19"]
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

from reactor.core.graph import Graph, build
from reactor.core.why import Part, explain
from reactor.model.asset import Asset
from reactor.model.commands import Alert
from reactor.model.duration import Duration, micros
from reactor.model.errors import DefinitionError, nearest
from reactor.model.events import (
    CloudEvent,
    DeadLetter,
    Disposition,
    File,
    Json,
    Payload,
    RawEvent,
    Ready,
    Record,
    Row,
)
from reactor.model.ids import Instant, PartitionKey, RunId, SourceName, TaskName, WaitKey
from reactor.model.outcome import CancelRun, RunAgain
from reactor.model.partitions import instant, local, moment
from reactor.model.run import OPEN, Run
from reactor.model.sensor import AnySensor
from reactor.model.slot import Slot, Wait
from reactor.model.source import Http, Kafka, SourceSpec, Table
from reactor.model.workflow import Workflow
from reactor.testing.arrivals import Arrival
from reactor.testing.bodies import Bodies, Line
from reactor.testing.faults import Dice, Faults
from reactor.testing.ids import CountedIds
from reactor.testing.invariants import broken
from reactor.testing.landings import landed, patterns
from reactor.testing.machine import Machine, Point

TEST = SourceName("test")
S = TypeVar("S", bound=SourceSpec)


class Start(msgspec.Struct, frozen=True):
    """One attempt that was handed out."""

    at: Instant
    time: datetime
    """The same, in the simulator's time zone."""
    task: str
    key: str
    """The partition, or the value of the field that the rule is keyed by."""
    attempt: int
    reason: str
    inputs: Mapping[str, tuple[str, ...]]
    """The ids of the events that it was handed, by the asset's name."""
    run: Run


class Simulator:
    """See the file's head. Times without a zone are of `timezone`. With `execute`, tasks are really called;
    else they succeed at once.
    """

    def __init__(
        self,
        definitions: Graph | Workflow | Iterable[Workflow],
        *,
        sensors: Iterable[AnySensor] = (),
        assets: Iterable[Asset] = (),
        start: str = "2026-11-20T00:00",
        timezone: str = "UTC",
        seed: int | None = None,
        faults: Faults | None = None,
        execute: bool = False,
        folder: Path | None = None,
        keep: "list[Simulator] | None" = None,
    ) -> None:
        if keep is not None:
            keep.append(self)  # for the fixture, which looks at it again when the test is over
        self.zone = ZoneInfo(timezone)
        began = datetime.fromisoformat(start)
        at = instant(began) if began.tzinfo is not None else local(began, self.zone)
        self.graph = _graph(definitions, sensors, assets)
        self.seed = seed or 0
        self._folder = folder
        self._bodies = Bodies(self.graph, execute)
        self._dice = Dice(faults or Faults(), self.seed)
        self._machine = Machine(self.graph, CountedIds(seed), self._bodies, self._dice, at)
        self._positions: dict[SourceName, int] = {}
        self._files: dict[str, int] = {}
        self._together: list[Arrival] | None = None

    # --- time

    @property
    def now(self) -> datetime:
        return moment(self._machine.now, self.zone)

    @property
    def instant(self) -> Instant:
        """The same in microseconds since 1970."""
        return self._machine.now

    def at(self, when: str | datetime) -> "Simulator":
        """Time passes until then: `"08:10"` is the next such time of day, `"2026-11-20T08:10"` a moment.
        Everything due until then happens.
        """
        until = self._instant(when)
        if until < self._machine.now:
            raise ValueError(f"{when} is in the past: it is {self.now.isoformat()} already. Time only goes on.")
        self._machine.play(until)
        return self

    def advance(self, length: Duration) -> "Simulator":
        """Time passes, and everything that is due in it happens."""
        self._machine.play(Instant(self._machine.now + micros(length)))
        return self

    def drain(self, at_most: Duration = "30d") -> "Simulator":
        """Time passes until no run is open and no event is on its way, but not longer than that."""
        last = self._machine.now + micros(at_most)
        while self._busy() and (due := self._machine.next_due()) is not None and due <= last:
            self._machine.play(due)
        return self

    def _busy(self) -> bool:
        return bool(self._machine.ledger.open_runs()) or not self._machine.up or self._machine.on_the_way > 0

    def _instant(self, when: str | datetime) -> Instant:
        if isinstance(when, datetime):
            return instant(when) if when.tzinfo is not None else local(when, self.zone)
        if "-" not in when:
            clock = time.fromisoformat(when)
            day = datetime.combine(self.now.date(), clock)
            today = local(day, self.zone)
            return today if today >= self._machine.now else local(day + timedelta(days=1), self.zone)
        return self._instant(datetime.fromisoformat(when))

    # --- events

    def ready(self, *ready: Ready, id: str = "") -> "Simulator":
        """One event that announces these, as a sensor would have said. An `id` that was seen before is a
        duplicate.
        """
        for one in ready:
            if one.asset not in self.graph.assets:
                raise DefinitionError(f"No asset is called {one.asset!r}.{nearest(one.asset, self.graph.assets)}")
        known = {(r.asset, r.partition): r for r in ready}
        self._send(TEST, Row({}, None), id, tuple(known.values()))
        return self

    def publish(
        self, topic: str, value: Json, *, key: str | None = None, headers: Mapping[str, str] | None = None
    ) -> "Simulator":
        """A record of a topic, read by the sensors of `Kafka(topic)`. `value` is sent as JSON; bytes as they
        are; None is a tombstone.
        """
        spec = self._spec(Kafka, topic, lambda s: s.topic)
        body = value if isinstance(value, bytes) or value is None else msgspec.json.encode(value)
        position = self._next_position(spec.name)
        wire = tuple((k, v.encode()) for k, v in (headers or {}).items())
        record = Record(topic, 0, position, self._machine.now, None if key is None else key.encode(), body, wire)
        self._send(spec.name, record, "", position=position)
        return self

    def land(self, name: str, text: str = "") -> "Simulator":
        """A file, complete, under a name relative to the project; read by every `Files` pattern that matches it.
        With a `folder`, it is really written there. An object is landed by its URL, and read by every `Bucket`.
        """
        base = self._folder or Path("/simulated")
        if self._folder is not None and "://" not in name:
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            (base / name).write_text(text, "utf-8")
        version = self._files[name] = self._files.get(name, 0) + 1
        specs = self._machine.senses.specs()
        readers = {spec.name: found for spec in specs if (found := landed(spec, name, base)) is not None}
        if not readers:
            raise DefinitionError(f"No sensor reads a file called {name!r}. Patterns: {patterns(specs)}.")
        etag = f"simulated-{version}" if "://" in name else ""
        for source, found in readers.items():
            file = File(*found, len(text.encode()), self._machine.now, version, etag)
            self._send(source, file, f"{found.name}#{version}")
        return self

    def row(self, table: str, **values: Json) -> "Simulator":
        """A new row of the polled table of this label (or path), read by the sensors of `Table`."""
        spec = self._spec(Table, table, lambda s: s.name.removeprefix("table:"))
        self._send(spec.name, Row(values, values[spec.cursor]), "")
        return self

    def post(self, type: str, data: Json = None, *, id: str = "", subject: str | None = None) -> "Simulator":
        """A CloudEvent, read by the sensors of every `Http` whose type it is."""
        number = id or f"event-{self._next_position(SourceName('http'))}"
        event = CloudEvent(number, "/simulated", type, subject, self._machine.now, "application/json", None, data)
        specs = [s for s in self._machine.senses.specs() if isinstance(s, Http) and _covers(s.type, type)]
        if not specs:
            raise DefinitionError(f"No sensor reads events of type {type!r}.")
        for spec in specs:
            self._send(spec.name, event, f"/simulated {number}")
        return self

    @contextmanager
    def together(self) -> Iterator[None]:
        """What arrives inside is one transaction, as events that come at the same instant can be."""
        self._together = []
        try:
            yield
            self._machine.arrive(*self._together)
        finally:
            self._together = None
        self._machine.play(self._machine.now)

    def _spec(self, kind: type[S], name: str, of: Callable[[S], str]) -> S:
        known = {of(s): s for s in self._machine.senses.specs() if isinstance(s, kind)}
        if name not in known:
            raise DefinitionError(f"No sensor reads the {kind.__name__.lower()} {name!r}.{nearest(name, known)}")
        return known[name]

    def _next_position(self, source: SourceName) -> int:
        self._positions[source] = self._positions.get(source, -1) + 1
        return self._positions[source]

    def _send(
        self,
        source: SourceName,
        payload: Payload,
        id: str,
        ready: Sequence[Ready] | None = None,
        position: int | None = None,
    ) -> None:
        place = self._next_position(source) if position is None else position
        arrival = Arrival(source, RawEvent(payload, place, id), ready)
        if self._together is not None:
            self._together.append(arrival)
            return
        for delay in self._dice.delays():
            self._machine.deliver(arrival, delay)
        self._machine.play(self._machine.now)

    # --- what tasks do

    def outcome(
        self,
        task: str,
        *,
        attempt: int | None = None,
        start: int | None = None,
        key: str | None = None,
        fails: str | None = None,
        permanent: bool = False,
        takes: Duration | None = None,
        returns: object = None,
    ) -> "Simulator":
        """Scripts attempts of a task: the n-th `attempt`, of its n-th `start`, for this `key`; what is left
        out fits any. Later lines win.

        It fails with this text, or succeeds with the evidence that it `returns` (`NOTHING`: it made nothing;
        its checks judge evidence).
        """
        self._bodies.add(
            Line(task, attempt, start, key, fails, permanent, None if takes is None else micros(takes), returns)
        )
        return self

    def takes(self, task: str, length: Duration) -> "Simulator":
        """How long attempts of this task last, where nothing else is scripted."""
        self._bodies.takes(task, length)
        return self

    # --- people and accidents

    def cancel(self, run: str, by: str = "test") -> str | None:
        """A person cancels a run. Returns why it cannot be, where it cannot."""
        why = self._machine.ask(CancelRun(RunId(run), by))
        self._machine.play(self._machine.now)
        return why

    def again(self, run: str, by: str = "test") -> str | None:
        """A person asks for a run that is over to be tried again. Returns why it cannot be, where it cannot."""
        why = self._machine.ask(RunAgain(RunId(run), by))
        self._machine.play(self._machine.now)
        return why

    def crash(self, at: Point | None = None) -> "Simulator":
        """The engine dies: now, or around the commit of the next transaction. Events that come then wait in
        their sources.
        """
        if at is None:
            self._machine.crash()
        else:
            self._machine.arm_crash(at, None)
        return self

    def restart(self) -> "Simulator":
        """The engine comes back, and goes on from what was committed."""
        self._machine.restart()
        self._machine.play(self._machine.now)
        return self

    # --- what came of it

    @property
    def starts(self) -> list[Start]:
        """Every attempt that was handed out, in order."""
        return [self._start(at, run) for at, run in self._machine.starts]

    def _start(self, at: Instant, run: Run) -> Start:
        inputs: dict[str, tuple[str, ...]] = {}
        for item in run.inputs:
            ids = inputs.get(item.asset, ())
            inputs[item.asset] = ids if item.event in ids else (*ids, item.event)
        return Start(at, moment(at, self.zone), run.task, run.key, run.attempt, run.reason.value, inputs, run)

    def started(self, task: str) -> list[str]:
        """The keys that this task was started for, in order; each run once, whatever its attempts."""
        return [s.key for s in self.starts if s.task == task and s.attempt == 1]

    @property
    def runs(self) -> list[Run]:
        """Every run, oldest first."""
        return list(self._machine.ledger.runs.values())

    @property
    def open_runs(self) -> list[Run]:
        return [r for r in self.runs if r.state in OPEN]

    @property
    def alerts(self) -> list[Alert]:
        return list(self._machine.ledger.alerts.values())

    @property
    def slots(self) -> Mapping[tuple[str, str], Slot]:
        """What is known of each partition of each asset."""
        return {(str(a), str(p)): slot for (a, p), slot in self._machine.ledger.slots.items()}

    def slot(self, asset: str, partition: str = "") -> Slot | None:
        return self.slots.get((asset, PartitionKey(partition)))

    @property
    def dispositions(self) -> list[Disposition]:
        """The lines of the ledger: events that did not go on, by rule, with the reason."""
        return self._machine.ledger.dispositions

    @property
    def dead(self) -> list[DeadLetter]:
        """Events that a sensor could not make anything of."""
        return self._machine.ledger.dead

    @property
    def events(self) -> int:
        """How many readiness events the ledger holds, the outputs of tasks included."""
        return len(self._machine.ledger.readiness)

    @property
    def crashes(self) -> int:
        return self._machine.crashes

    def why(self, task: str, key: str = "") -> Part:
        """What the rule of a task waits for, for this key: each part, and whether it holds."""
        node = self.graph.nodes.get(TaskName(task))
        if node is None:
            raise DefinitionError(f"No task is called {task!r}.{nearest(task, self.graph.nodes)}")
        wait = self._machine.ledger.waits.get((node.name, WaitKey(key)), Wait(node.name, WaitKey(key)))
        return explain(node, wait)

    def broken(self) -> list[str]:
        """Every broken promise, in words: started twice, started early, lost, or stuck. Ask once nothing is
        under way (`drain`).
        """
        return broken(self.graph, self._machine)

    def check(self) -> None:
        """Raises AssertionError where a promise was broken."""
        wrong = self.broken()
        assert not wrong, f"seed {self.seed}: " + "\n".join(wrong)


def _graph(
    definitions: Graph | Workflow | Iterable[Workflow], sensors: Iterable[AnySensor], assets: Iterable[Asset]
) -> Graph:
    if isinstance(definitions, Graph):
        return definitions
    flows = [definitions] if isinstance(definitions, Workflow) else list(definitions)
    return build(assets, sensors, flows)


def _covers(pattern: str, type: str) -> bool:
    return type.startswith(pattern[:-1]) if pattern.endswith("*") else type == pattern
