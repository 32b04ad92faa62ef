"""The keeper in memory: the suite that every keeper passes, and what makes it fit for simulation."""

from __future__ import annotations

import pytest

from reactor.store.base import Reader, Restored, Transaction, Writer
from reactor.store.memory import Ledger, MemoryReader, MemoryStore
from tests.store.conformance import Conformance, Keeper
from tests.store.values import event, item, move, slot, wait


class MemoryKeeper:
    def __init__(self) -> None:
        self.ledger = Ledger()

    async def engine(self) -> tuple[Writer, Restored]:
        store = MemoryStore(self.ledger)
        return store, await store.restore("test")

    async def reader(self) -> Reader:
        return MemoryReader(self.ledger)


class TestMemory(Conformance):
    @pytest.fixture
    def keeper(self) -> Keeper:
        return MemoryKeeper()


async def test_a_snapshot_is_a_ledger_of_its_own() -> None:
    store = MemoryStore()
    epoch = (await store.restore("first")).epoch
    e = event(1)
    await store.commit(
        Transaction(
            moves=[move(0, 1, new=True, ready=1)], readiness=[e], slots=[slot(e)], waits=[wait(item(e))], epoch=epoch
        )
    )
    cut = store.ledger.snapshot()
    await store.commit(Transaction(moves=[move(1, 5)], meta={"later": "yes"}, epoch=epoch))
    restored = await MemoryStore(cut).restore("second")
    assert ([at.position for at in restored.lanes], restored.meta, restored.epoch) == ([1], {}, 2)
    assert [at.position for at in (await MemoryStore(store.ledger).restore("third")).lanes] == [5]
