"""Slots and waits: what is known of one cut of one asset, and what one rule has collected for one key."""

import msgspec

from reactor.model.events import Item
from reactor.model.ids import AssetName, EventId, Instant, PartitionKey, TaskName, WaitKey


class Held(msgspec.Struct, frozen=True, gc=False):
    """What stands before a closed gate: a readiness event that no rule has been asked about. A person approves or rejects it."""

    seq: int
    event: EventId
    at: Instant
    """When it arrived."""
    happened: Instant
    reason: str
    evidence: bytes
    by: str
    run: str = ""
    traceparent: str | None = None
    schema: bytes = b""
    """The schema that it is held for, a `Schema` in JSON; empty where another gate holds it."""
    rejected: str = ""
    """Who rejected it and why; empty while it waits for a decision."""


class Shape(msgspec.Struct, frozen=True):
    """What is known of the schema of one asset."""

    asset: AssetName
    accepted: bytes = b""
    """The schema that was accepted last, in JSON; empty where none was."""
    declared: str = ""
    """The digest of what was declared when that was accepted: another declaration since then counts for more."""
    pending: bytes = b""
    """The schema of its source, in JSON, where that changed and may not pass; partitions that do not say their own are held for it."""
    why: str = ""
    """What changed, in words, while `pending`."""
    at: Instant = Instant(0)


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
    held: Held | None = None
    """What came last and may not pass; `version` is what was accepted before it."""


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
