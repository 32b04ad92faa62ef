"""Slots and waits: what is known of one cut of one asset, and what one rule has collected for one key."""

import msgspec

from reactor.model.events import Item
from reactor.model.ids import AssetName, EventId, Instant, PartitionKey, TaskName, WaitKey


class Slot(msgspec.Struct, frozen=True, gc=False):
    """One partition of one asset. `version` counts its contents from 1; 0: nothing has come yet, it is only known to be late."""

    asset: AssetName
    partition: PartitionKey
    version: int = 0
    seq: int = 0
    event: EventId = EventId("")
    at: Instant = Instant(0)
    """When its newest version arrived."""
    evidence: bytes = b"{}"
    run: str = ""
    """The run that made its newest version; empty where a sensor announced it."""
    late_since: Instant | None = None
    """Its deadline, where that passed with nothing there."""


class Wait(msgspec.Struct, frozen=True, gc=False):
    """What one rule has collected for one key so far. `generation` is the number of starts that it has led to."""

    task: TaskName
    key: WaitKey
    generation: int = 0
    items: tuple[Item, ...] = ()
    since: Instant = Instant(0)
    """When the first event of this generation arrived."""
    plan: str = ""
    """The digest of the rule that its items were judged by."""
