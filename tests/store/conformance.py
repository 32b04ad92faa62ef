"""What every keeper of the ledger promises (`reactor.store.base`): one suite, played on each of them.

A keeper is told by its fixture `keeper`: something that opens writers and readers over one durable content. A test reads as what was committed,
then what is seen by somebody who opens the ledger anew.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
import pytest

from reactor.model.commands import Alert, AlertKind
from reactor.model.errors import Fenced, StoreRefused
from reactor.model.events import Dispose
from reactor.model.ids import (
    AssetName,
    Instant,
    Lane,
    Owner,
    PartitionKey,
    RunId,
    SensorName,
    SourceName,
    TaskName,
    WaitKey,
    topic_lane,
)
from reactor.model.run import CheckResult, Reason, RunState
from reactor.model.seen import FileSeen
from reactor.model.slot import Held
from reactor.store.base import (
    TOLD,
    Audit,
    Kept,
    LaneAt,
    Move,
    Reader,
    Restored,
    RunFilter,
    SensorState,
    Span,
    TopicRecord,
    Transaction,
    Undelivered,
    Wanted,
    Writer,
)
from tests.store.values import (
    DAY,
    LANE,
    ORDERS,
    SOURCE,
    TASK,
    attempt,
    disposed,
    ended,
    event,
    item,
    letter,
    move,
    run,
    slot,
    wait,
)


def _record(topic: str, at: int) -> TopicRecord:
    return TopicRecord(topic, None, b"{}", (), Instant(at))


class Keeper(Protocol):
    """One durable content, and whoever opens it."""

    async def engine(self) -> tuple[Writer, Restored]:
        """A new engine, after the one before was lost without a word."""

    async def reader(self) -> Reader: ...


class Engine:
    """A writer with its lease, so that a test says what it commits and nothing else."""

    def __init__(self, writer: Writer, restored: Restored) -> None:
        self.writer, self.restored = writer, restored

    async def commit(self, transaction: Transaction) -> dict[str, int]:
        transaction.epoch = self.restored.epoch
        return dict(await self.writer.commit(transaction))


async def engine(keeper: Keeper) -> Engine:
    return Engine(*await keeper.engine())


class Conformance:
    """The suite. A keeper's tests inherit it and bring the fixture."""

    # --- the lease and what is restored

    async def test_an_empty_ledger_begins_at_one(self, keeper: Keeper) -> None:
        _, restored = await keeper.engine()
        assert restored == Restored(1, 1, 1, [], [], {})

    async def test_an_engine_goes_on_from_where_the_last_one_stopped(self, keeper: Keeper) -> None:
        first = await engine(keeper)
        e = event(7, 3)
        queued, closed = run(4, item(e)), ended(run(5), RunState.SUCCEEDED, 9)
        moved = move(0, 4, new=True, ready=1)
        await first.commit(Transaction(moves=[moved], readiness=[e], runs=[closed, queued], meta={"judged": "12"}))
        after = (await engine(keeper)).restored
        assert after == Restored(2, 8, 6, [queued], [LaneAt(SOURCE, LANE, 4, "at 4")], {"judged": "12"})

    async def test_numbers_are_never_given_twice_even_when_their_rows_are_forgotten(self, keeper: Keeper) -> None:
        first = await engine(keeper)
        await first.commit(
            Transaction(
                moves=[move(0, 1, new=True, ready=1)], readiness=[event(41)], runs=[ended(run(9), RunState.FAILED, 1)]
            )
        )
        while await first.writer.forget(Instant(10), Instant(10), 100):
            pass
        assert await (await keeper.reader()).events(None, 10) == []
        after = (await engine(keeper)).restored
        assert (after.next_seq, after.next_order) == (42, 10)

    async def test_an_engine_whose_lease_is_over_writes_nothing(self, keeper: Keeper) -> None:
        old = await engine(keeper)
        new = await engine(keeper)
        with pytest.raises(Fenced, match="lease"):
            await old.commit(Transaction(meta={"who": "old"}))
        await new.commit(Transaction(meta={"who": "new"}))
        assert (await engine(keeper)).restored.meta == {"who": "new"}

    # --- positions

    async def test_a_lane_that_stands_elsewhere_refuses_the_whole_transaction(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        await one.commit(Transaction(moves=[move(0, 5, new=True)]))
        with pytest.raises(Fenced, match=r"stands at 5, but this batch was read from 4"):
            await one.commit(Transaction(moves=[move(0, 9, new=True, lane="1"), move(4, 6)], meta={"written": "yes"}))
        after = (await engine(keeper)).restored
        assert (after.lanes, after.meta) == ([LaneAt(SOURCE, LANE, 5, "at 5")], {})

    @pytest.mark.parametrize("wrong", [move(0, 1, new=True), move(3, 4)], ids=["known already", "behind"])
    async def test_a_lane_is_new_only_once(self, keeper: Keeper, wrong: Move) -> None:
        one = await engine(keeper)
        await one.commit(Transaction(moves=[move(0, 2, new=True)]))
        with pytest.raises(Fenced):
            await one.commit(Transaction(moves=[wrong]))

    async def test_a_lane_that_nobody_knows_cannot_move(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        with pytest.raises(Fenced, match="is not known yet"):
            await one.commit(Transaction(moves=[move(3, 4)]))

    async def test_moves_of_one_lane_in_one_transaction_follow_each_other(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        await one.commit(Transaction(moves=[move(0, 2, new=True), move(2, 5, gap=1), move(5, 6)]))
        assert (await engine(keeper)).restored.lanes == [LaneAt(SOURCE, LANE, 6, "at 6")]
        with pytest.raises(Fenced):
            await one.commit(Transaction(moves=[move(6, 7), move(8, 9)]))
        assert list(await (await keeper.reader()).balance()) == []

    async def test_a_cursor_moves_without_events(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        await one.commit(Transaction(moves=[move(8, 8, new=True)]))
        await one.commit(Transaction(moves=[Move(Span(SOURCE, LANE, 8, 8), "elsewhere")]))
        await one.commit(Transaction(moves=[move(8, 9)]))
        reader = await keeper.reader()
        assert await reader.lanes() == [LaneAt(SOURCE, LANE, 9, "at 9")]
        assert list(await reader.balance()) == []

    # --- rules that must never break

    async def test_one_generation_starts_one_run(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        await one.commit(Transaction(runs=[run(1, generation=1)]))
        with pytest.raises(StoreRefused):
            await one.commit(Transaction(runs=[run(2, generation=1)], meta={"written": "yes"}))
        after = (await engine(keeper)).restored
        assert ([r.id for r in after.open_runs], after.meta) == (["run-000001"], {})

    async def test_a_number_of_the_ledger_is_used_once(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        await one.commit(Transaction(readiness=[event(1)]))
        with pytest.raises(StoreRefused):
            await one.commit(Transaction(readiness=[event(1, 2)]))

    async def test_a_span_counts_each_position_once(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        with pytest.raises(StoreRefused):
            await one.commit(Transaction(moves=[Move(Span(SOURCE, LANE, 0, 3, ready=2), first_time=True)]))

    # --- what was written is read back

    async def test_slots_waits_and_runs_come_back_as_they_were(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        e, f = event(1), event(2, 1, asset="refunds", partition="")
        late = msgspec.structs.replace(slot(f), late_since=Instant(77), version=0)
        held = wait(item(e), item(f, 1, used=True), generation=3)
        queued = msgspec.structs.replace(
            run(1, item(e), item(f, 1)), parent="p", error="é", cancel_asked="by eve", next_at=Instant(4), limit_key="k"
        )
        await one.commit(Transaction(readiness=[e, f], slots=[slot(e), late], waits=[held], runs=[queued]))
        two = (await engine(keeper)).writer
        places = [(ORDERS, PartitionKey(DAY)), (ORDERS, PartitionKey("none")), (AssetName("refunds"), PartitionKey(""))]
        assert (await two.load(Wanted(slots=places))).slots == [slot(e), late]
        assert (await two.load(Wanted(waits=[(TASK, WaitKey(DAY)), (TASK, WaitKey("none"))]))).waits == [held]
        assert (await two.load(Wanted(runs=[queued.id, RunId("none")]))).runs == [queued]

    async def test_later_entries_of_one_transaction_win(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        e = event(1)
        first, last = run(1), run(1, state=RunState.RUNNING)
        await one.commit(
            Transaction(
                readiness=[e],
                slots=[slot(e, 1), slot(e, 2)],
                waits=[wait(item(e)), wait(generation=1)],
                runs=[first, last],
                states=[SensorState(SensorName("s"), b"1"), SensorState(SensorName("s"), b"2")],
            )
        )
        assert (await one.writer.load(Wanted(slots=[(ORDERS, PartitionKey(DAY))]))).slots == [slot(e, 2)]
        assert (await one.writer.load(Wanted(waits=[(TASK, WaitKey(DAY))]))).waits == [wait(generation=1)]
        assert (await one.writer.load(Wanted(runs=[first.id]))).runs == [last]
        assert await one.writer.load_states() == {"s": b"2"}

    async def test_thousands_of_keys_are_found_at_once(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        events = [event(n, n, partition=f"p{n}") for n in range(1, 3_001)]
        await one.commit(
            Transaction(
                readiness=events,
                slots=[slot(e) for e in events],
                waits=[wait(item(e), key=e.partition) for e in events],
                seen=[(SOURCE, e.id, Instant(1)) for e in events],
            )
        )
        asked = [f"p{n}" for n in range(1, 6_001, 2)]
        slots = (await one.writer.load(Wanted(slots=[(ORDERS, PartitionKey(p)) for p in asked]))).slots
        assert sorted(s.seq for s in slots) == list(range(1, 3_001, 2))
        waits = (await one.writer.load(Wanted(waits=[(TASK, WaitKey(p)) for p in asked]))).waits
        assert sorted(w.items[0].seq for w in waits) == list(range(1, 3_001, 2))
        seen = (await one.writer.load(Wanted(seen=[(SOURCE, f"{LANE}@{n}") for n in range(2_999, 4_000)]))).seen
        assert seen == {(SOURCE, f"{LANE}@2999"), (SOURCE, f"{LANE}@3000")}

    async def test_names_may_hold_any_character(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        strange = "a\0b'\"\\\n é 🜁 \U0010ffff"
        e = event(1, partition=strange)
        await one.commit(
            Transaction(
                moves=[move(0, 1, new=True, ready=1)],
                readiness=[e],
                slots=[slot(e)],
                waits=[wait(item(e), key=strange)],
                offered=[(1, 1)],
                seen=[(strange, strange, Instant(1))],
            )
        )
        assert (await one.writer.load(Wanted(slots=[(ORDERS, PartitionKey(strange))]))).slots == [slot(e)]
        assert (await one.writer.load(Wanted(waits=[(TASK, WaitKey(strange))]))).waits == [wait(item(e), key=strange)]
        assert (await one.writer.load(Wanted(seen=[(strange, strange), (strange, "a")]))).seen == {(strange, strange)}
        assert list(await (await keeper.reader()).balance()) == []

    async def test_half_a_character_in_an_error_stops_nobody(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        await one.commit(
            Transaction(dead=[msgspec.structs.replace(letter(0), detail="no file \udcff.csv")], meta={"a": "b"})
        )
        assert (await engine(keeper)).restored.meta == {"a": "b"}
        assert "no file" in (await (await keeper.reader()).dead(None, 1))[0].detail

    async def test_file_sources_remember_each_name_once(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        source = SourceName("files:landing/*.csv")
        old = FileSeen(source, "a.csv", 12, 100, 1_700_000_000_000_000_000, 1)
        new = FileSeen(source, "a.csv", 2**64 - 1, 101, 1_700_000_000_000_000_001, 2)
        await one.commit(Transaction(files=[old, FileSeen(SourceName("files:other"), "a.csv", 1, 1, 1, 1)]))
        await one.commit(Transaction(files=[new]))
        assert await one.writer.load_files(source) == [new]

    async def test_a_name_that_is_forgotten_is_gone_unless_it_is_remembered_anew(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        source = SourceName("bucket:s3://landing/*.csv")
        rows = [FileSeen(source, name, 1, 1, 1, 1) for name in ("a.csv", "b.csv", "c.csv")]
        await one.commit(Transaction(files=rows))
        again = FileSeen(source, "b.csv", 2, 2, 2, 1)
        await one.commit(Transaction(files_gone=[(source, "a.csv"), (source, "b.csv")], files=[again]))
        assert sorted(await one.writer.load_files(source), key=lambda row: row.name) == [again, rows[2]]

    async def test_the_waits_of_a_task_that_hold_something_come_in_the_order_of_their_keys(
        self, keeper: Keeper
    ) -> None:
        one = await engine(keeper)
        events = [event(n, n) for n in range(1, 6)]
        waits = [wait(item(e), key=key) for e, key in zip(events, ["d", "b", "", "c", "a"], strict=True)]
        others = [wait(key="bb"), wait(item(events[0]), key="b", task="other")]
        await one.commit(Transaction(readiness=events, waits=[*waits, *others]))
        assert [w.key for w in await one.writer.waits_of(TASK, None, 3)] == ["", "a", "b"]
        assert [w.key for w in await one.writer.waits_of(TASK, WaitKey("b"), 3)] == ["c", "d"]
        assert [w.key for w in await (await keeper.reader()).waits(TASK, 2)] == ["d", "c"]

    async def test_embedded_topics_number_their_records(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        a = TopicRecord("a", b"k", b"1", (("traceparent", b"x"),), Instant(1))
        b = TopicRecord("b", None, None, (), Instant(2))
        assert await one.commit(Transaction(topics=[a, b, a])) == {"a": 2, "b": 1}
        assert await one.commit(Transaction(topics=[a])) == {"a": 3}
        assert await one.commit(Transaction()) == {}
        reader = await keeper.reader()
        assert await reader.topic_ends() == {"a": (0, 3), "b": (0, 1)}
        assert [r.offset for r in await reader.topic("a", 1, 10)] == [1, 2]
        assert await reader.topic("b", 0, 10) == [msgspec.structs.replace(b, offset=0)]
        assert (await reader.topic("a", 0, 1))[0] == msgspec.structs.replace(a, offset=0)

    # --- what a reader asks

    async def test_runs_are_listed_newest_first(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        failed = ended(run(2), RunState.FAILED, 3)
        done = [ended(run(n, key="k"), RunState.SUCCEEDED, 3) for n in (3, 4)]
        other = run(5, task="other")
        await one.commit(Transaction(runs=[run(1), failed, *done, other]))
        reader = await keeper.reader()
        assert [r.order for r in await reader.runs(RunFilter())] == [5, 4, 3, 2, 1]
        assert [r.order for r in await reader.runs(RunFilter(limit=2, before=4))] == [3, 2]
        assert await reader.runs(RunFilter(state=RunState.FAILED)) == [failed]
        assert [r.order for r in await reader.runs(RunFilter(state=RunState.SUCCEEDED, limit=1))] == [4]
        assert [r.order for r in await reader.runs(RunFilter(task=TASK, key=WaitKey("k")))] == [4, 3]
        assert await reader.runs(RunFilter(task=TaskName("other"), state=RunState.QUEUED)) == [other]
        assert await reader.run_counts() == {
            (TASK, RunState.QUEUED): 1,
            (TASK, RunState.FAILED): 1,
            (TASK, RunState.SUCCEEDED): 2,
            ("other", RunState.QUEUED): 1,
        }

    async def test_a_run_is_found_by_the_beginning_of_its_id(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        await one.commit(Transaction(runs=[run(1), run(12), run(120)]))
        reader = await keeper.reader()
        found = [
            await reader.run(id) for id in ("run-000001", "run-00001", "run-0001", "run", "", "nothing", "run-00012")
        ]
        assert [r.order if r else None for r in found] == [1, 12, 120, None, None, None, 120]

    async def test_attempts_come_with_their_checks(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        queued = run(1)
        checked = msgspec.structs.replace(
            attempt(queued, 2), checks=(CheckResult("row_count", False, True, "0 rows"),), exit_code=-9, error="killed"
        )
        await one.commit(Transaction(runs=[queued], attempts=[checked, attempt(queued, 1)]))
        assert await (await keeper.reader()).attempts(queued.id) == [attempt(queued, 1), checked]

    async def test_a_run_that_is_tried_again_takes_a_new_place_in_the_queue(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        await one.commit(Transaction(runs=[ended(run(1), RunState.FAILED, 3), run(2)]))
        again = (await one.writer.load(Wanted(runs=[RunId("run-000001")]))).runs[0]
        life = {"reason": Reason.MANUAL, "traceparent": "00-a-b-01", "parent": again.traceparent}
        again = msgspec.structs.replace(again, state=RunState.QUEUED, started=None, ended=None, order=3, **life)
        await one.commit(Transaction(runs=[again]))
        assert [r.id for r in await (await keeper.reader()).runs(RunFilter())] == ["run-000001", "run-000002"]
        assert (await engine(keeper)).restored.open_runs == [run(2), again]

    async def test_an_event_is_shown_with_what_became_of_it(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        e, f, g = event(1), event(2, 1, asset="refunds"), event(3, 2)
        dropped = disposed(e, Dispose.SUPERSEDED, "other")
        first, second = run(1, item(e), item(f, 1)), run(2, item(e))
        await one.commit(
            Transaction(
                readiness=[e, f, g],
                versions=[(1, 4), (2, 1)],
                offered=[(1, 2), (2, 1)],
                dispositions=[dropped],
                runs=[first, second],
            )
        )
        reader = await keeper.reader()
        stored = await reader.events(None, 10)
        assert [s.readiness for s in stored] == [e, f, g]
        assert [(s.version, s.offered, s.dispositions, s.runs) for s in stored] == [
            (4, 2, (dropped,), (first.id, second.id)),
            (1, 1, (), (first.id,)),
            (0, 0, (), ()),
        ]
        assert [s.readiness.seq for s in await reader.events(None, 2)] == [2, 3]
        assert [s.readiness.seq for s in await reader.events(1, 1)] == [2]
        assert [s.readiness.seq for s in await reader.events(1, 9, ORDERS)] == [3]
        assert [s.readiness.seq for s in await reader.events(None, 1, AssetName("refunds"))] == [2]
        assert await reader.last_arrival(ORDERS) == g
        assert await reader.last_arrival(AssetName("nothing")) is None

    async def test_a_queued_run_that_takes_in_a_newer_version_is_handed_that_one(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        old, new = event(1), event(2, 1)
        await one.commit(Transaction(readiness=[old], runs=[run(1, item(old), generation=1)], offered=[(1, 1)]))
        merged = msgspec.structs.replace(run(1, item(new), generation=2), merged=1)
        await one.commit(
            Transaction(readiness=[new], runs=[merged], offered=[(2, 1)], dispositions=[disposed(old, Dispose.MERGED)])
        )
        reader = await keeper.reader()
        assert [s.runs for s in await reader.events(None, 5)] == [(), ("run-000001",)]
        assert await reader.run("run-000001") == merged
        assert (await engine(keeper)).restored.open_runs == [merged]

    async def test_slots_are_listed_with_the_greatest_keys_first(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        events = [event(n, n, partition=f"2026-11-{n:02}") for n in (2, 1, 3)]
        await one.commit(Transaction(readiness=events, slots=[slot(e) for e in events]))
        reader = await keeper.reader()
        assert [s.partition for s in await reader.slots(ORDERS, 2)] == ["2026-11-03", "2026-11-02"]
        assert await reader.slot(ORDERS, PartitionKey("2026-11-02")) == slot(events[0])
        assert await reader.slot(ORDERS, PartitionKey("2026-11-09")) is None
        assert await reader.wait(TASK, WaitKey(DAY)) is None

    async def test_what_a_gate_holds_comes_back_and_stays_while_it_waits(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        events = [event(n, n - 1, partition=f"2026-11-0{n}") for n in (1, 2, 3)]
        held = [
            msgspec.structs.replace(
                slot(e, 0), seq=0, held=Held(e.seq, e.id, e.arrived, e.at, "too few", e.evidence, "s")
            )
            for e in reversed(events)
        ]
        last = held[0].held
        assert last is not None
        closed = msgspec.structs.replace(held[0], held=msgspec.structs.replace(last, rejected="rejected by eve"))
        moves = [move(0, 3, new=True, ready=3)]
        await one.commit(Transaction(moves=moves, readiness=events, offered=[(e.seq, 0) for e in events], slots=held))
        await one.commit(Transaction(slots=[closed]))
        reader = await keeper.reader()
        assert [s.partition for s in await reader.held(9)] == ["2026-11-01", "2026-11-02"]
        assert await reader.slot(ORDERS, PartitionKey("2026-11-03")) == closed
        while await one.writer.forget(Instant(1_000), Instant(0), 1):
            pass
        assert [s.readiness.partition for s in await reader.events(None, 9)] == ["2026-11-01", "2026-11-02"]
        assert list(await reader.balance()) == []

    async def test_dead_letters_have_a_number_and_a_state(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        await one.commit(Transaction(dead=[letter(1), letter(2)]))
        await one.commit(Transaction(dead_moved=[(1, "retried")]))
        reader = await keeper.reader()
        assert [(d.id, d.position, d.state) for d in await reader.dead(None, 9)] == [(2, 2, "open"), (1, 1, "retried")]
        assert [d.id for d in await reader.dead("open", 9)] == [2]
        assert await reader.dead_letter(2) == msgspec.structs.replace(letter(2), id=2)
        assert await reader.dead_letter(3) is None

    async def test_an_alert_is_written_once_for_its_key(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        alerts = [
            Alert(key, AlertKind.LATE, Owner("eve"), "orders", text, Instant(1))
            for key, text in [("a", "1"), ("a", "2"), ("b", "3")]
        ]
        await one.commit(Transaction(alerts=alerts[:2]))
        await one.commit(Transaction(alerts=alerts[1:]))
        reader = await keeper.reader()
        assert [row.alert for row in await reader.alerts(0, 9)] == [alerts[0], alerts[2]]
        first = (await reader.alerts(0, 1))[0].id
        assert [row.alert.key for row in await reader.alerts(first, 9)] == ["b"]

    async def test_what_people_did_is_kept_in_order(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        notes = [Audit(Instant(n), "eve", "cancel", f"run {n}", "why") for n in range(3)]
        await one.commit(Transaction(audits=notes))
        assert await (await keeper.reader()).audits(2) == [notes[2], notes[1]]

    async def test_spans_are_listed_newest_first(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        await one.commit(Transaction(moves=[move(0, 2, new=True, at=1), move(0, 1, new=True, lane="1", at=3)]))
        await one.commit(Transaction(moves=[move(2, 3, at=2)]))
        reader = await keeper.reader()
        assert [(s.lane, s.first) for s in await reader.spans(None, 9)] == [("1", 0), ("0", 2), ("0", 0)]
        assert await reader.spans(SourceName("other"), 9) == []

    # --- the ledger balances, or says where not

    async def test_each_event_ends_in_every_rule_that_it_was_offered_to(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        pending, used, filtered, both = event(1), event(2, 1), event(3, 2), event(4, 3)
        await one.commit(
            Transaction(
                moves=[move(0, 6, new=True, ready=4, dead=1, duplicate=1)],
                readiness=[pending, used, filtered, both],
                offered=[(1, 1), (2, 1), (3, 1), (4, 2)],
                waits=[wait(item(pending)), wait(item(both), task="other")],
                runs=[run(1, item(used), item(both))],
                dispositions=[disposed(filtered), disposed(filtered)],
                dead=[letter(4), letter(4)],
            )
        )
        reader = await keeper.reader()
        assert list(await reader.balance()) == []
        assert await reader.totals() == {
            "events": {"ready": 4, "ignored": 0, "duplicate": 1, "dead": 1, "gap": 0},
            "readiness": {"events": 4, "offered": 5, "pending": 2, "used": 2, "filtered": 2},
            "runs": {"queued": 1},
            "dead letters": {"open": 2},
        }

    async def test_one_raw_event_may_make_several_assets_ready(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        await one.commit(
            Transaction(
                moves=[move(0, 2, new=True, ready=1)],
                readiness=[event(1), event(2, asset="refunds")],
                dead=[letter(0)],  # one of its sensors failed; the event counts as ready
            )
        )
        assert list(await (await keeper.reader()).balance()) == []

    async def test_what_does_not_balance_is_told_in_words(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        lost, twice = event(1), event(2, 1)
        used = wait(item(lost, used=True))
        await one.commit(
            Transaction(
                moves=[move(0, 9, new=True, ready=3, dead=1)],
                readiness=[lost, twice],
                offered=[(1, 1), (2, 1)],
                waits=[used],
                runs=[run(1, item(twice))],
                dispositions=[disposed(twice, task="other")],
            )
        )
        assert list(await (await keeper.reader()).balance()) == [
            "kafka:orders lane 0: its spans count 3 events as ready, but 2 are in the ledger.",
            "kafka:orders lane 0: its spans count 1 events as dead, but 0 are in the ledger.",
            "event 1 (orders 2026-11-20) was offered to 1 rules, but ended or waits in 0.",
            "event 2 (orders 2026-11-20) was offered to 1 rules, but ended or waits in 2.",
        ]

    async def test_readiness_of_a_lane_that_is_not_known_is_told(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        output = msgspec.structs.replace(event(2), source=SourceName("reactor"), lane=Lane("runs"))
        await one.commit(Transaction(readiness=[event(1), output]))
        assert list(await (await keeper.reader()).balance()) == [
            "kafka:orders lane 0: there are events of it in the ledger, but the lane itself is not known."
        ]

    # --- retention

    async def test_old_alerts_go_once_every_channel_took_them(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        alerts = [Alert(f"k{n}", AlertKind.LATE, Owner(""), "s", "t", Instant(n)) for n in range(1, 6)]
        await one.commit(Transaction(alerts=alerts))
        reader = await keeper.reader()
        ids = [row.id for row in await reader.alerts(0, 9)]
        told = {TOLD + "log": str(ids[4]), TOLD + "mail": str(ids[2]), TOLD + "gone": ""}
        lost = [Undelivered(ids[n], "mail", "refused", Instant(9)) for n in (0, 2)]
        await one.commit(Transaction(meta=told, undelivered=lost))
        assert await one.writer.forget(Instant(3), Instant(0), 1) == 1
        assert await one.writer.forget(Instant(3), Instant(0), 9) == 1
        assert [row.id for row in await reader.alerts(0, 9)] == ids[2:]
        assert await reader.undelivered(9) == lost[1:]
        assert await one.writer.forget(Instant(9), Instant(0), 9) == 1, "mail has not taken the others"
        await one.commit(Transaction(meta={TOLD + "mail": str(ids[4])}))
        assert await one.writer.forget(Instant(9), Instant(0), 9) == 2
        await one.commit(Transaction(alerts=alerts[:1]))
        assert [row.id > ids[4] for row in await reader.alerts(0, 9)] == [True], "an id is never given twice"

    async def test_old_records_go_once_they_were_read_and_their_offsets_stay(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        await one.commit(Transaction(topics=[_record(topic, n) for n in range(5) for topic in ("read", "nobodys")]))
        reader = await keeper.reader()
        read = Span(SourceName("kafka:read"), topic_lane("read"), 0, 2, ignored=2, at=Instant(99))
        await one.commit(Transaction(moves=[Move(read, first_time=True)]))
        assert await one.writer.forget(Instant(4), Instant(0), 3) == 3
        while await one.writer.forget(Instant(4), Instant(0), 3):
            pass
        assert await reader.topic_ends() == {"read": (2, 5), "nobodys": (4, 5)}
        assert [r.offset for r in await reader.topic("read", 0, 9)] == [2, 3, 4]
        assert await one.commit(Transaction(topics=[_record("nobodys", 7)])) == {"nobodys": 6}
        while await one.writer.forget(Instant(99), Instant(0), 9):
            pass
        assert await reader.topic_ends() == {"read": (2, 5), "nobodys": (6, 6)}
        assert await one.commit(Transaction(topics=[_record("nobodys", 8)])) == {"nobodys": 7}

    async def test_old_history_goes_and_the_ledger_still_balances(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        old, young = event(1, 0, at=5, partition="p1"), event(2, 1, at=50, partition="p2")
        first, second = ended(run(1, item(old)), RunState.SUCCEEDED, 6), ended(run(2, item(young)), RunState.FAILED, 60)
        await one.commit(
            Transaction(
                moves=[move(0, 3, new=True, ready=2, dead=1, at=5)],
                readiness=[old, young],
                offered=[(1, 2), (2, 1)],
                dispositions=[disposed(old, Dispose.LATE, "other")],
                runs=[first, second],
                attempts=[attempt(first), attempt(second)],
                dead=[letter(2, at=5)],
                dead_moved=[(1, "dropped")],
                seen=[(SOURCE, "a", Instant(5)), (SOURCE, "b", Instant(50))],
                kept=[Kept(SOURCE, LANE, n, "", Instant(at), b"{}") for n, at in ((0, 5), (1, 50))],
            )
        )
        await one.commit(Transaction(moves=[move(3, 4, at=6)]))
        before = await (await keeper.reader()).totals()
        gone = await one.writer.forget(Instant(10), Instant(40), 1_000)
        reader = await keeper.reader()
        assert gone == 6  # a run, an event, a payload, a letter, an id, and one span of two
        assert [r.id for r in await reader.runs(RunFilter())] == [second.id]
        assert await reader.attempts(first.id) == []
        assert [s.readiness.seq for s in await reader.events(None, 9)] == [2]
        assert (await one.writer.load(Wanted(seen=[(SOURCE, "a"), (SOURCE, "b")]))).seen == {(SOURCE, "b")}
        assert [(s.first, s.until, s.ready, s.ignored) for s in await reader.spans(None, 9)] == [(0, 4, 2, 1)]
        assert await reader.dead(None, 9) == []
        assert list(await reader.balance()) == []
        assert await reader.totals() == before
        assert await one.writer.forget(Instant(10), Instant(40), 1_000) == 0

    async def test_what_is_open_or_newest_refers_to_stays(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        events = {
            name: event(n, n, partition=name)
            for n, name in enumerate(["newest", "waiting", "used", "queued", "made"], 1)
        }
        maker = ended(run(2, item(events["made"]), task="maker"), RunState.SUCCEEDED, 1)
        other = ended(run(3, item(events["used"]), item(events["newest"]), task="other"), RunState.SUCCEEDED, 1)
        made = event(6, 9, asset="revenue")
        await one.commit(
            Transaction(
                moves=[move(0, 10, new=True, ready=6)],
                readiness=[*events.values(), made],
                offered=[(1, 1), (2, 1), (3, 2), (4, 1), (5, 1), (6, 0)],
                slots=[slot(events["newest"]), slot(made, run=maker.id)],
                waits=[wait(item(events["waiting"]), item(events["used"], 1, used=True), key="w")],
                runs=[run(1, item(events["queued"]), item(events["used"])), maker, other],
            )
        )
        while await one.writer.forget(Instant(1_000), Instant(0), 1):
            pass
        reader = await keeper.reader()
        assert [s.readiness.partition for s in await reader.events(None, 9)] == [*events, DAY]
        assert {r.id for r in await reader.runs(RunFilter())} == {"run-000001", maker.id}
        assert list(await reader.balance()) == []

    async def test_what_is_let_go_of_goes_the_next_time(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        first, second = event(1), event(2, 1, at=2_000)
        await one.commit(
            Transaction(
                moves=[move(0, 1, new=True, ready=1)],
                readiness=[first],
                offered=[(1, 1)],
                slots=[slot(first)],
                waits=[wait(item(first))],
            )
        )
        assert await one.writer.forget(Instant(1_000), Instant(0), 100) == 0
        await one.commit(
            Transaction(
                moves=[move(1, 2, ready=1)],
                readiness=[second],
                offered=[(2, 1)],
                slots=[slot(second, 2)],
                waits=[wait(item(second))],
                dispositions=[disposed(first, Dispose.SUPERSEDED)],
            )
        )
        assert await one.writer.forget(Instant(1_000), Instant(0), 100) == 2  # the event, and one of two old spans
        reader = await keeper.reader()
        assert [s.readiness.seq for s in await reader.events(None, 9)] == [2]
        assert list(await reader.balance()) == []

    async def test_retention_takes_small_steps(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        events = [event(n, n) for n in range(1, 26)]
        await one.commit(Transaction(moves=[move(1, 26, new=True, ready=25)], readiness=events))
        steps = []
        while gone := await one.writer.forget(Instant(1_000), Instant(0), 10):
            steps.append(gone)
        assert steps == [10, 10, 5]
        assert list(await (await keeper.reader()).balance()) == []

    async def test_forgetting_does_not_hide_what_never_balanced(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        await one.commit(Transaction(moves=[move(0, 1, new=True, ready=1)], readiness=[event(1)], offered=[(1, 1)]))
        assert await one.writer.forget(Instant(1_000), Instant(0), 10) == 1
        assert list(await (await keeper.reader()).balance()) == [
            "events that were forgotten had been offered to 1 rules, but had ended in 0."
        ]

    async def test_housekeeping_changes_nothing(self, keeper: Keeper) -> None:
        one = await engine(keeper)
        await one.commit(Transaction(readiness=[event(1)], meta={"a": "b"}))
        await one.writer.checkpoint()
        assert (await engine(keeper)).restored.meta == {"a": "b"}
