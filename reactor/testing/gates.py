"""Gates in a simulation: the user's own functions, asked as production asks them, without its time limits."""

import inspect
from collections.abc import Coroutine, Mapping
from typing import cast

import msgspec
from msgspec.structs import replace

from reactor.core.graph import Graph
from reactor.core.readiness import output_partition
from reactor.core.state import SlotKey
from reactor.model.events import Json, Ready, Status
from reactor.model.gate import Arrived, Gate
from reactor.model.ids import AssetName, PartitionKey
from reactor.model.outcome import Ending, Outcome
from reactor.model.run import Run
from reactor.model.slot import Slot
from reactor.service.gates import BEFORE, raised, verdict, version_of
from reactor.testing.arrivals import finish


class Gates:
    """The gates of a project over what a simulated ledger holds."""

    def __init__(self, graph: Graph, slots: Mapping[SlotKey, Slot]) -> None:
        self._graph, self._slots = graph, slots

    def ready(self, ready: Ready, by: str) -> Ready:
        """The same, held where a gate does not let it through."""
        if ready.asset not in self._graph.gates or ready.status is not Status.OK:
            return ready
        evidence = msgspec.json.decode(ready.body) if ready.body else ready.evidence
        return replace(ready, held=self._held(ready.asset, ready.partition, evidence, by))

    def outcome(self, outcome: Outcome, run: Run) -> Outcome:
        """The same for what an attempt made."""
        if outcome.ending is not Ending.SUCCEEDED:
            return outcome
        held = {
            asset: why
            for asset, body in outcome.outputs.items()
            if (
                why := self._held(
                    asset, output_partition(self._graph, run, asset), msgspec.json.decode(body), f"task {run.task}"
                )
            )
        }
        return replace(outcome, held=held) if held else outcome

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
