"""The keeper without a disk: for tests and simulation. May know: `reactor.model` and the contract in `reactor.store.base`."""

from reactor.store.memory.ledger import Ledger
from reactor.store.memory.store import MemoryReader, MemoryStore

__all__ = ["Ledger", "MemoryReader", "MemoryStore"]
