"""Gatekeeping: the user's gates are asked about what would become ready, and what they say rides along to the core.

Law: fail closed. Whatever a gate does but answer True in its time, the partition is held, with the reason. Nothing that a gate raises
reaches the service.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from reactor.core.admit import Judged
from reactor.core.graph import Graph
from reactor.core.readiness import output_partition
from reactor.executors.pool import DaemonPool
from reactor.model.events import Ready, Status
from reactor.model.gate import Arrived, Gate, Version
from reactor.model.ids import AssetName, PartitionKey
from reactor.model.outcome import Ending, Outcome
from reactor.model.run import Run
from reactor.model.slot import Slot
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

    def __init__(self, graph: Callable[[], Graph], reader: Callable[[], Awaitable[Reader]]) -> None:
        self._graph, self._reader = graph, reader
        self._calls: dict[str, list[_Plain]] = {}

    async def stand(self, judged: list[Judged]) -> list[Judged]:
        """The same, with what a gate does not let through marked as held."""
        gates = self._graph().gates
        if not gates:
            return judged
        return [await self._one(j) if any(r.asset in gates for _, r, _ in j.ready) else j for j in judged]

    async def _one(self, judged: Judged) -> Judged:
        ready = [(by, await self._ready(r, by), trace) for by, r, trace in judged.ready]
        return msgspec.structs.replace(judged, ready=ready)

    async def _ready(self, ready: Ready, by: str) -> Ready:
        if ready.status is not Status.OK or ready.asset not in self._graph().gates:
            return ready
        evidence = msgspec.json.decode(ready.body) if ready.body else ready.evidence
        return msgspec.structs.replace(ready, held=await self._ask_all(ready.asset, ready.partition, evidence, by))

    def concerns(self, outcome: Outcome) -> bool:
        """Whether a gate stands before what this attempt made."""
        gates = self._graph().gates
        return bool(gates) and outcome.ending is Ending.SUCCEEDED and any(a in gates for a in outcome.outputs)

    async def outcome(self, outcome: Outcome, run: Run) -> Outcome:
        """The same, with the outputs that a gate does not let through."""
        held: dict[AssetName, str] = {}
        graph = self._graph()
        for asset, body in outcome.outputs.items():
            evidence = msgspec.json.decode(body)
            held[asset] = await self._ask_all(asset, output_partition(graph, run, asset), evidence, f"task {run.task}")
        return msgspec.structs.replace(outcome, held={a: why for a, why in held.items() if why})

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
