"""Deadlines: when a partition should be there, also where the clock changes."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from reactor import Asset, Daily, Hourly, Monthly
from reactor.core.deadlines import between, due_at, next_after
from reactor.core.graph import Graph
from reactor.model.commands import Alert
from reactor.model.ids import AssetName, Instant, PartitionKey
from reactor.model.outcome import DeadlineDue
from reactor.model.partitions import Partitions, instant, moment
from tests.core.stage import Stage, does, flow, graph_of

BERLIN = "Europe/Berlin"
ZONE = ZoneInfo(BERLIN)
NAME = AssetName("a")


def at(text: str) -> Instant:
    return instant(datetime.fromisoformat(text).replace(tzinfo=ZONE))


def graph(partitions: Partitions, due: str) -> Graph:
    w = flow()
    does("t", w, inputs=Asset("a", partitions, due=due))
    return graph_of(w)


@pytest.mark.parametrize(
    ("partitions", "due", "key", "expected"),
    [
        (Daily("2026-01-01", BERLIN), "02:00", "2026-11-20", "2026-11-21T02:00"),
        (Daily("2026-01-01", BERLIN), "00:00", "2026-11-20", "2026-11-21T00:00"),
        (
            Daily("2026-01-01", BERLIN),
            "02:30",
            "2026-03-28",
            "2026-03-29T03:00",
        ),  # 02:30 is skipped: the first instant after the gap
        (Daily("2026-01-01", BERLIN), "02:30", "2026-10-24", "2026-10-25T02:30"),  # 02:30 comes twice: the first
        (Daily("2026-01-01", BERLIN), "3h", "2026-03-28", "2026-03-29T04:00"),  # three hours that pass
        (Daily("2026-01-01", BERLIN), "08:00", "2028-02-28", "2028-02-29T08:00"),
        (Monthly("2026-01", BERLIN), "08:00", "2026-02", "2026-03-01T08:00"),
        (Monthly("2026-01", BERLIN), "5d", "2026-12", "2027-01-06T00:00"),
        (Hourly("2026-01-01T00", BERLIN), "15m", "2026-11-20T07", "2026-11-20T08:15"),
        (Hourly("2026-01-01T00", BERLIN), "07:30", "2026-11-20T06", "2026-11-20T07:30"),
        (Hourly("2026-01-01T00", BERLIN), "07:30", "2026-11-20T07", "2026-11-21T07:30"),
    ],
)
def test_when_a_partition_is_due(partitions: Partitions, due: str, key: str, expected: str) -> None:
    assert moment(due_at(Asset("a", partitions, due=due), PartitionKey(key)) or Instant(0), ZONE) == moment(
        at(expected), ZONE
    )


def test_what_has_no_deadline_is_never_due() -> None:
    assert due_at(Asset("a", Daily("2026-01-01")), PartitionKey("2026-01-01")) is None
    assert due_at(Asset("a"), PartitionKey("")) is None


def test_the_deadlines_of_a_stretch_of_time_in_order() -> None:
    found = between(graph(Daily("2026-01-01", BERLIN), "02:00"), NAME, at("2026-11-20T02:00"), at("2026-11-22T02:00"))
    assert [d.partition for d in found] == ["2026-11-20", "2026-11-21"]
    assert [moment(d.due, ZONE).hour for d in found] == [2, 2]


def test_nothing_is_due_before_the_first_partition() -> None:
    made = graph(Daily("2026-11-20", BERLIN), "02:00")
    assert between(made, NAME, Instant(0), at("2026-11-21T01:00")) == []
    assert next_after(made, at("2026-01-01T00:00")) == at("2026-11-21T02:00")


@pytest.mark.parametrize(
    ("due", "now"),
    [
        ("02:00", "2026-11-20T12:00"),
        ("3d", "2026-11-20T12:00"),
        ("3d", "2026-11-20T00:00"),
        ("36h", "2026-11-20T11:59"),
    ],
)
def test_the_next_deadline_is_the_first_that_any_walk_finds(due: str, now: str) -> None:
    made = graph(Daily("2026-01-01", BERLIN), due)
    begin = at(now)
    following = next_after(made, begin)
    assert following is not None
    assert [d.due for d in between(made, NAME, begin, following)] == [following]


def test_walking_from_deadline_to_deadline_misses_none_over_both_changes_of_the_clock() -> None:
    made = graph(Hourly("2026-01-01T00", BERLIN), "3h")
    for day in ("2026-03-28", "2026-10-24"):
        now, last = at(f"{day}T12:00"), at(f"{day}T12:00")
        seen: list[str] = []
        while last < now + 30 * 3_600_000_000:
            due = next_after(made, last)
            assert due is not None
            seen += [d.partition for d in between(made, NAME, last, due)]
            last = due
        assert len(seen) == 30
        assert len(set(seen)) == 30


def test_a_slot_that_is_late_says_so_once_and_tells_its_owner() -> None:
    made = graph(Daily("2026-01-01", BERLIN), "02:00")
    found = Stage(made)
    due = DeadlineDue(NAME, PartitionKey("2026-11-20"), at("2026-11-21T02:00"))
    found.tell(due)
    alert = next(c for c in found.changes.commands if isinstance(c, Alert))
    assert (alert.key, alert.owner) == ("late/a/2026-11-20", "owner@example.com")
    assert alert.text == "a 2026-11-20 is late: it was due and nothing has come. Waiting for it: t."
    found.tell(due)
    assert found.changes.alerts == []
    found.ready("a", "2026-11-20")
    assert found.ledger.slots[NAME, PartitionKey("2026-11-20")].late_since == due.due


def test_a_slot_that_is_there_is_not_late() -> None:
    found = Stage(graph(Daily("2026-01-01", BERLIN), "02:00")).ready("a", "2026-11-20")
    found.tell(DeadlineDue(NAME, PartitionKey("2026-11-20"), at("2026-11-21T02:00")))
    assert found.ledger.alerts == {}
