"""A ledger that went back in time, looked at and accepted by a person while no engine runs on it."""

from pathlib import Path

from reactor.model.errors import NotFound
from reactor.store.base import Audit
from reactor.store.sqlite.create import open_ledger
from reactor.store.sqlite.link import Link
from reactor.store.sqlite.lock import EngineLock
from reactor.store.sqlite.mark import Mark


async def went_back(path: Path) -> str:
    """What the ledger once held more of, in words; empty where it holds all of it. Raises NotFound where there is none."""
    if not path.exists():
        raise NotFound(f"There is no database at {path}. `reactor run` or `reactor dev` makes one at its first start.")
    link = await Link.open(path, read_only=True)
    try:
        return await link.run(Mark(path).behind)
    finally:
        await link.close()


async def accept_restored(path: Path, audit: Audit) -> str:
    """The ledger is taken as it is, and its audit log says who said so. Returns what it once held more of; empty: nothing was done.

    Raises:
        StoreBusy: an engine runs on it.
        ConfigError, StoreTooNew, StoreCorrupt: it cannot be opened.
    """
    lock = EngineLock(path.absolute())
    lock.take("reactor restored")
    try:
        link = await open_ledger(path.absolute())
        try:
            return await link.run(Mark(path.absolute()).accept, audit)
        finally:
            await link.close()
    finally:
        lock.give_back()
