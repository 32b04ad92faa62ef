"""What people ask of a simulated engine, in the words of the command line."""

from reactor.model.ids import AssetName, PartitionKey, RunId
from reactor.model.outcome import Approve, CancelRun, Reject, RunAgain
from reactor.model.slot import Slot
from reactor.testing.machine import Machine


class People:
    """The part of a `Simulator` that is done by hand."""

    _machine: Machine

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

    def approve(self, asset: str, partition: str = "", reason: str = "", by: str = "test") -> str | None:
        """A person lets through what a gate holds. Returns why it cannot be, where it cannot."""
        slot = self._held(asset, partition)
        seq, evidence = (slot.held.seq, slot.held.evidence) if slot.held is not None else (0, b"{}")
        why = self._machine.ask(Approve(slot.asset, slot.partition, seq, evidence, by, reason))
        self._machine.play(self._machine.now)
        return why

    def reject(self, asset: str, partition: str = "", reason: str = "", by: str = "test") -> str | None:
        """A person closes a partition to what a gate holds. Returns why it cannot be, where it cannot."""
        slot = self._held(asset, partition)
        seq = slot.held.seq if slot.held is not None else 0
        return self._machine.ask(Reject(slot.asset, slot.partition, seq, by, reason))

    def _held(self, asset: str, partition: str) -> Slot:
        key = (AssetName(asset), PartitionKey(partition))
        return self._machine.ledger.slots.get(key) or Slot(*key)
