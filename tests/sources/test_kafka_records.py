"""Records as raw events, and where partitions stand: values in, values out."""

import pytest
from aiokafka import ConsumerRecord

from reactor.model.events import Record
from reactor.model.ids import Lane
from reactor.sources.base import LaneStart
from reactor.sources.kafka.lanes import Partitions
from reactor.sources.kafka.records import raw_events, traceparent

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def fetched(offset: int, body: bytes | None, *headers: tuple[str, bytes], key: bytes | None = None) -> ConsumerRecord:
    sizes = [-1 if part is None else len(part) for part in (key, body)]
    return ConsumerRecord("t", 3, offset, 1_700_000_000_123, 0, key, body, None, *sizes, headers)


def test_a_plain_record_keeps_everything() -> None:
    (event,) = raw_events([fetched(7, b"{}", key=b"k")], 100)
    assert event.payload == Record("t", 3, 7, 1_700_000_000_123_000, b"k", b"{}")  # type: ignore[arg-type]
    assert (event.position, event.id, event.traceparent, event.error) == (7, "", None, None)


def test_nothing_fetched_is_no_event() -> None:
    assert raw_events([], 100) == []


def test_the_limit_counts_key_and_value_and_is_itself_allowed() -> None:
    events = raw_events([fetched(0, b"x" * 60, key=b"k" * 40), fetched(1, b"x" * 61, key=b"k" * 40)], 100)
    assert [event.error is None for event in events] == [True, False]
    assert "The record has 101 bytes and 100 are allowed" in str(events[1].error)


def test_a_giant_keeps_its_headers_unless_they_are_giant_too() -> None:
    events = raw_events([fetched(0, b"x" * 101, ("a", b"1")), fetched(1, b"x" * 101, ("a", b"1" * 200))], 100)
    assert [event.payload.headers for event in events if isinstance(event.payload, Record)] == [(("a", b"1"),), ()]


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], None),
        ([("traceparent", TRACE.encode())], TRACE),
        ([("ce_traceparent", TRACE.encode())], TRACE),
        ([("other", b"x"), ("traceparent", TRACE.encode())], TRACE),
        ([("traceparent", b"\xff\xfe")], None),
        ([("traceparent", b"x" * 200)], None),
        ([("traceparent", b"garbage")], None),
        ([("traceparent", b"00-nonsense"), ("ce_traceparent", TRACE.encode())], TRACE),
        ([("traceparent", b""), ("ce_traceparent", TRACE.encode())], TRACE),
    ],
)
def test_a_trace_context_that_is_well_formed_is_handed_on(headers: list[tuple[str, bytes]], found: str | None) -> None:
    assert traceparent(headers) == found


class TestPartitions:
    def known(self) -> Partitions:
        partitions = Partitions("t")
        partitions.know({Lane("t/0"): LaneStart(5), Lane("t/1"): LaneStart(9), Lane("other/0"): LaneStart(1)})
        return partitions

    def test_knows_the_lanes_of_its_own_topic(self) -> None:
        assert {number: each.next for number, each in self.known().all.items()} == {0: 5, 1: 9}

    def test_what_was_told_at_the_start_survives_joining_the_group(self) -> None:
        partitions = self.known()
        partitions.revoke()  # the group revokes before the first assignment too
        partitions.assign([0])
        assert [(each.number, each.next) for each in partitions.unplaced()] == [(0, 5)]

    def test_a_partition_that_comes_back_is_asked_for_unless_something_is_in_flight(self) -> None:
        partitions = self.known()
        partitions.assign([0, 1])
        for each in partitions.unplaced():
            each.placed = True
        partitions.handed_out(1, 12)
        partitions.revoke()
        partitions.assign([0, 1])
        assert {each.number: each.next for each in partitions.unplaced()} == {0: -1, 1: 12}

    def test_the_group_is_told_what_is_durable_of_what_is_ours(self) -> None:
        partitions = self.known()
        partitions.assign([0, 1])
        partitions.all[0].placed = True
        partitions.handed_out(0, 8)
        assert partitions.uncommitted() == {0: 5}
        assert not partitions.settled()
        partitions.done(Lane("t/0"), 8)
        partitions.done(Lane("t/7"), 99)
        assert partitions.uncommitted() == {0: 8}
        assert partitions.settled()
