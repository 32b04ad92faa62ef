"""Gates in a simulation: the user's own functions, asked as production asks them, without its time limits."""

import inspect
from collections.abc import Coroutine, Mapping
from typing import cast

import msgspec
from msgspec.structs import replace

from reactor.core.graph import Graph
from reactor.core.readiness import output_partition
from reactor.core.shapes import subject
from reactor.core.state import SlotKey
from reactor.model.events import Json, Payload, Ready, Status
from reactor.model.gate import Arrived, Gate
from reactor.model.ids import AssetName, PartitionKey
from reactor.model.outcome import Ending, Outcome
from reactor.model.run import Run
from reactor.model.slot import Slot
from reactor.service.gates import BEFORE, raised, verdict, version_of
from reactor.service.shapes import with_schema
from reactor.testing.arrivals import finish


class Gates:
    """The gates of a project over what a simulated ledger holds."""

    def __init__(self, graph: Graph, slots: Mapping[SlotKey, Slot]) -> None:
        self._graph, self._slots = graph, slots

    def ready(self, ready: Ready, by: str, payload: Payload | None = None) -> Ready:
        """The same, with its schema where somebody looks at that, and held where a gate does not let it through."""
        if ready.status is not Status.OK:
            return ready
        if subject(ready.asset) in self._graph.schemas:
            ready = finish(with_schema(self._graph, ready, payload))
        if ready.asset not in self._graph.gates:
            return ready
        evidence = msgspec.json.decode(ready.body) if ready.body else ready.evidence
        why = self._held(ready.asset, ready.partition, evidence, by)
        return replace(ready, held="; ".join(w for w in (ready.held, why) if w))

    def outcome(self, outcome: Outcome, run: Run) -> Outcome:
        """The same for what an attempt made."""
        if outcome.ending is not Ending.SUCCEEDED:
            return outcome
        made = [
            self.ready(
                Ready(asset, output_partition(self._graph, run, asset), msgspec.json.decode(body), body=body),
                f"task {run.task}",
            )
            for asset, body in outcome.outputs.items()
        ]
        held = {r.asset: r.held for r in made if r.held}
        schemas = {r.asset: r.schema for r in made if r.schema}
        return replace(outcome, held=held, schemas=schemas) if held or schemas else outcome

    def _held(self, asset: AssetName, partition: PartitionKey, evidence: Mapping[str, Json], by: str) -> str:
        gates = self._graph.gates.get(asset, ())
        if not gates:
            return ""
        known = sorted((k for k in self._slots if k[0] == asset and self._slots[k].version), reverse=True)
        before = tuple(version_of(self._slots[k]) for k in known[:BEFORE])
        arrived = Arrived(asset, partition, evidence, by, before)
        return "; ".join([why for gate in gates if (why := self._ask(gate, arrived))])

    def _ask(self, gate: Gate, arrived: Arrived) -> str:
        try:
            answer = gate.judge(arrived)
            return verdict(
                gate,
                finish(cast("Coroutine[object, object, object]", answer)) if inspect.isawaitable(answer) else answer,
            )
        except Exception as error:  # noqa: BLE001 - it holds its partition, as in production
            return raised(gate, error)
