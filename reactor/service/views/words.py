"""The words and signs that every view shares."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from reactor.model.events import Item, Json
from reactor.model.ids import Instant
from reactor.model.partitions import moment


class SlotState(StrEnum):
    """How complete one partition of one asset is. Late is a badge on it, not a state."""

    WAITING = "waiting"
    PARTIAL = "partial"
    RUNNING = "running"
    READY = "ready"
    STALE = "stale"
    FAILED = "failed"
    BLOCKED = "blocked"


GLYPH: dict[SlotState, str] = {
    SlotState.WAITING: "○",
    SlotState.PARTIAL: "◐",
    SlotState.RUNNING: "▶",
    SlotState.READY: "✓",
    SlotState.STALE: "↻",
    SlotState.FAILED: "✕",
    SlotState.BLOCKED: "⊘",
}
MEANING: dict[SlotState, str] = {
    SlotState.WAITING: "nothing has come yet",
    SlotState.PARTIAL: "some of its inputs are there",
    SlotState.RUNNING: "a run that makes it is under way, or queued",
    SlotState.READY: "announced, and made from the newest inputs",
    SlotState.STALE: "announced, but an input has come anew since",
    SlotState.FAILED: "its last run failed",
    SlotState.BLOCKED: "a gate holds it, or an input of it failed or is blocked",
}
WORST_FIRST = tuple(SlotState(s) for s in ("failed", "blocked", "stale", "partial", "running", "waiting", "ready"))


def iso(at: Instant | None) -> str | None:
    """The instant as a text: UTC, milliseconds."""
    return None if at is None else moment(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant_of(text: str) -> Instant:
    """The way back, for those who reckon with it."""
    return Instant((datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))


def called(asset: str, partition: str) -> str:
    return f"{asset} {partition}".rstrip()


def input_of(item: Item) -> dict[str, Json]:
    """One input of a run, by its exact version."""
    return {
        "asset": item.asset,
        "partition": item.partition,
        "version": item.version,
        "event": item.event,
        "at": iso(item.at),
    }
