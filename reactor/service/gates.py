"""Gatekeeping: the user's gates are asked about what would become ready, and what they say rides along to the core.

Law: fail closed. Whatever a gate does but answer True in its time, the partition is held, with the reason. Nothing that a gate raises
reaches the service.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from msgspec.structs import replace

from reactor.core.admit import Judged
from reactor.core.graph import Graph
from reactor.core.readiness import output_partition
from reactor.core.shapes import subject
from reactor.executors.pool import DaemonPool
from reactor.model.events import Payload, Ready, Status
from reactor.model.gate import Arrived, Gate, Version
from reactor.model.ids import AssetName, PartitionKey
from reactor.model.outcome import Ending, Outcome
from reactor.model.ports import Redact
from reactor.model.run import Run
from reactor.model.slot import Slot
from reactor.service.shapes import with_schema
from reactor.store.base import Reader

BEFORE = 10
"""Accepted partitions that a gate is shown."""
HUNG_AT_MOST = 4
"""Calls of one plain gate that may hang, each in a thread that nothing can stop, before it is not called any more."""


class _Plain:
    """A call of a plain gate, in a thread of its own. One that comes back after all does not count as hung any more."""

    def __init__(self, gate: Gate, arrived: Arrived) -> None:
        self._gate, self._arrived = gate, arrived
        self.over = False

    def __call__(self) -> object:
        try:
            return self._gate.judge(self._arrived)
        finally:
            self.over = True


class Gatekeeper:
    """Asks the gates of a graph."""

    def __init__(self, graph: Callable[[], Graph], reader: Callable[[], Awaitable[Reader]], redact: Redact) -> None:
        self._graph, self._reader, self._redact = graph, reader, redact
        self._calls: dict[str, list[_Plain]] = {}

    async def stand(self, judged: list[Judged]) -> list[Judged]:
        """The same, with what a gate does not let through marked as held."""
        graph = self._graph()
        if not graph.gates and not graph.schemas:
            return judged
        return [await self._one(j) if any(_watched(graph, r.asset) for _, r, _ in j.ready) else j for j in judged]

    async def _one(self, judged: Judged) -> Judged:
        ready = [(by, await self._ready(r, by, judged.event.payload), trace) for by, r, trace in judged.ready]
        return replace(judged, ready=ready)

    async def _ready(self, ready: Ready, by: str, payload: Payload | None) -> Ready:
        found = await self._looked_at(ready, by, payload)
        return replace(found, held=self._redact(found.held)) if found.held else found

    async def _looked_at(self, ready: Ready, by: str, payload: Payload | None) -> Ready:
        if ready.status is not Status.OK:
            return ready
        ready = await with_schema(self._graph(), ready, payload)
        if ready.asset not in self._graph().gates:
            return ready
        evidence = msgspec.json.decode(ready.body) if ready.body else ready.evidence
        why = await self._ask_all(ready.asset, ready.partition, evidence, by)
        return replace(ready, held="; ".join(w for w in (ready.held, why) if w))

    def concerns(self, outcome: Outcome) -> bool:
        """Whether a gate stands before what this attempt made."""
        graph = self._graph()
        return outcome.ending is Ending.SUCCEEDED and any(_watched(graph, a) for a in outcome.outputs)

    async def outcome(self, outcome: Outcome, run: Run) -> Outcome:
        """The same, with the outputs that a gate does not let through."""
        graph = self._graph()
        made = [
            await self._ready(
                Ready(asset, output_partition(graph, run, asset), msgspec.json.decode(body), body=body),
                f"task {run.task}",
                None,
            )
            for asset, body in outcome.outputs.items()
        ]
        return replace(
            outcome,
            held={r.asset: r.held for r in made if r.held},
            schemas={r.asset: r.schema for r in made if r.schema},
        )

    async def _ask_all(self, asset: AssetName, partition: PartitionKey, evidence: Mapping[str, object], by: str) -> str:
        """Why it is held, by every gate that holds it; empty where all let it through."""
        gates = self._graph().gates.get(asset, ())
        if not gates:
            return ""
        slots = await (await self._reader()).slots(asset, BEFORE)
        before = tuple(version_of(s) for s in slots if s.version)
        arrived = Arrived(asset, partition, evidence, by, before)
        return "; ".join([why for gate in gates if (why := await self._ask(gate, arrived))])

    async def _ask(self, gate: Gate, arrived: Arrived) -> str:
        limit = gate.timeout / 1e6
        if len([c for c in self._calls.get(gate.name, ()) if not c.over]) >= HUNG_AT_MOST:
            return f"gate {gate.name} was not asked: {HUNG_AT_MOST} calls of it hang. Mend it, then restart the service"
        time = asyncio.timeout(limit)
        try:
            async with time:
                return verdict(gate, await self._call(gate, arrived))
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            current = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and current is not None and current.cancelling():
                raise
            if time.expired():
                return f"gate {gate.name} did not answer within {limit:g} s"
            return raised(gate, error)

    async def _call(self, gate: Gate, arrived: Arrived) -> object:
        if inspect.iscoroutinefunction(gate.judge):
            return await gate.judge(arrived)
        pool = DaemonPool(1, f"gate {gate.name}")
        call = _Plain(gate, arrived)
        self._calls[gate.name] = [c for c in self._calls.get(gate.name, ()) if not c.over] + [call]
        try:
            found = await asyncio.get_running_loop().run_in_executor(pool, call)
        finally:
            pool.shutdown(wait=False)
        return await found if inspect.isawaitable(found) else found


def _watched(graph: Graph, asset: AssetName) -> bool:
    return asset in graph.gates or subject(asset) in graph.schemas


def verdict(gate: Gate, answer: object) -> str:
    """What a gate's answer comes to: empty where it opens, else why it does not."""
    if answer is True:
        return ""
    if isinstance(answer, str):
        return f"gate {gate.name}: {answer}"
    if answer is False:
        return f"gate {gate.name} said no"
    return f"gate {gate.name} answered {answer!r:.80}, and only True opens a gate"


def raised(gate: Gate, error: BaseException) -> str:
    """A gate that raised did not open."""
    return f"gate {gate.name} raised {type(error).__name__}: {error}".rstrip(": ")


def version_of(slot: Slot) -> Version:
    """A slot as a gate is shown it."""
    return Version(slot.partition, slot.version, slot.at, msgspec.json.decode(slot.evidence))
