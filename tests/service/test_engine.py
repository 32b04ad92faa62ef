"""The engine: one transaction for what is there, and nothing before it is durable."""

import asyncio

import pytest

from reactor import Asset, Dynamic, Kafka, Ready, Record, Retry, Workflow, sensor
from reactor.core.graph import Graph
from reactor.core.runs import LOST_AT_MOST
from reactor.model.errors import Fenced, Unreachable
from reactor.model.outcome import Ending, Resumed, RunAgain
from reactor.model.run import RunState
from reactor.service import engine as engine_module
from reactor.service import intake as intake_module
from reactor.service.engine import FULL_DISK_WAIT
from reactor.service.work import POINTS
from reactor.store.memory import Ledger
from tests.clock import VirtualClock
from tests.service.place import OWNER, living, project

a, b, out = Asset("a"), Asset("b"), Asset("out")
SECOND = 1_000_000


@sensor(Kafka("t"))
async def of_a(record: Record) -> Ready | None:
    if record.value is None:
        return None
    return a.ready(n=record.value)


def graph(retry: Retry | None = None) -> Graph:
    flow = Workflow("flow", owner=OWNER, retry=retry or Retry(attempts=1))

    @flow.task(inputs=a, outputs=out)
    async def work() -> None: ...

    return project(flow, of_a)


async def test_nothing_is_acknowledged_or_started_before_the_commit_is_durable() -> None:
    async with living(graph()) as place:
        place.disk.gate.clear()
        place.fed.put(1)
        await place.idle()
        assert (place.fed.acked, place.bench.jobs) == ([], [])
        place.disk.gate.set()
        await place.idle()
        assert (place.fed.acked, place.bench.names) == ([(0, 1)], ["work"])
        assert place.points[-len(POINTS) + 1 :] == list(POINTS[:-1])


async def test_what_comes_in_during_a_commit_is_the_next_transaction() -> None:
    async with living(graph()) as place:
        place.disk.commits.clear()
        place.disk.gate.clear()
        place.fed.put(None)
        await place.idle()
        for _ in range(3):
            place.fed.put(None, None)
        await place.idle()
        place.disk.gate.set()
        await place.idle()
        assert [len(tx.moves) for tx in place.disk.commits] == [1, 3]
        assert place.fed.acked == [(0, 1), (1, 3), (3, 5), (5, 7)]


async def test_what_comes_in_during_a_commit_is_decided_meanwhile_and_begins_only_when_its_own_commit_is_durable() -> (
    None
):
    async with living(graph()) as place:
        place.disk.gate.clear()
        place.fed.put(1)
        await place.idle()
        place.fed.put(2)
        await place.idle()
        runs = list(place.service.engine.state.runs)
        assert (len(runs), place.bench.jobs, place.fed.acked, place.ledger.runs) == (2, [], [], {})
        place.disk.gate.set()
        await place.idle()
        assert ([j.run for j in place.bench.jobs], place.fed.acked) == (runs, [(0, 1), (1, 2)])


async def test_an_event_that_comes_again_while_its_first_is_being_written_is_a_duplicate() -> None:
    async with living(graph()) as place:
        place.disk.gate.clear()
        place.fed.put(1, ids=["one"])
        await place.idle()
        place.fed.put(1, ids=["one"])
        await place.idle()
        place.fed.put(1, 2, ids=["one", "two"])
        await place.idle()
        place.disk.gate.set()
        await place.idle()
        assert len(place.bench.jobs) == 2
        assert [(s.ready, s.duplicate) for s in place.ledger.spans[("kafka:t", "0")]] == [(1, 0), (1, 2)]
        assert place.balance == []


async def test_a_commit_that_fails_takes_what_was_decided_behind_it_along() -> None:
    ledger = Ledger()
    async with living(graph(), ledger) as place:
        place.disk.gate.clear()
        place.fed.put(1)
        await place.idle()
        place.fed.put(2)
        behind = asyncio.create_task(place.service.engine.answer([Resumed()]))
        await place.idle()
        place.disk.broken = Fenced("somebody else holds the lease")
        place.disk.gate.set()
        with pytest.raises(Fenced):
            await asyncio.wait_for(place.service.wait(), 5)
        with pytest.raises(Unreachable):
            await behind
        assert (place.fed.acked, place.bench.jobs, ledger.runs) == ([], [], {})
    async with living(graph(), ledger) as after:
        after.fed.put(1, 2)
        await after.idle()
        assert (len(after.bench.jobs), after.balance) == (2, [])


async def test_a_run_is_tried_again_also_where_its_end_is_not_yet_written() -> None:
    async with living(graph()) as place:
        place.fed.put(1)
        await place.idle()
        place.disk.gate.clear()
        await place.end(ending=Ending.FAILED)
        place.fed.put(2)
        (run,) = place.ledger.runs
        again = asyncio.create_task(place.service.engine.answer([RunAgain(run, "eve")]))
        await place.idle()
        place.disk.gate.set()
        await place.idle()
        assert await again is None
        assert [(j.run == run, j.attempt) for j in place.bench.jobs] == [(True, 1), (False, 1), (True, 2)]


async def test_a_cache_that_is_full_forgets_nothing_that_is_still_being_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_module, "CACHE_AT_MOST", 0)
    key = Dynamic("key")
    left, right = Asset("left", key), Asset("right", key)

    @sensor(Kafka("t"))
    async def of_both(record: Record) -> Ready:
        return (left if record.value[0] == "left" else right).ready(record.value[1])

    flow = Workflow("flow", owner=OWNER)

    @flow.task(inputs=left & right)
    async def both() -> None: ...

    async with living(project(flow, of_both, assets=[left, right])) as place:
        for k in "abc":
            place.disk.gate.clear()
            for side in ("left", "right"):
                place.fed.put([side, k])
                await place.idle()
            place.disk.gate.set()
            await place.idle()
        assert place.bench.names == ["both a", "both b", "both c"]
        assert (max(s.version for s in place.ledger.slots.values()), place.balance) == (1, [])


async def test_a_full_disk_is_waited_for_and_nothing_is_lost() -> None:
    async with living(graph()) as place:
        place.disk.full = True
        for n in range(9):
            place.fed.put(n)
        await place.clock.advance(5 * FULL_DISK_WAIT)
        assert (place.fed.acked, place.bench.jobs) == ([], [])
        assert place.service.engine.trouble == "The disk is full. Make room."
        assert place.fed.asked <= 6, "the source stands still meanwhile"
        place.disk.full = False
        await place.clock.advance(2 * FULL_DISK_WAIT)
        assert place.fed.acked == [(n, n + 1) for n in range(9)]
        assert len(place.bench.jobs) == 9
        assert not place.service.engine.trouble and place.balance == []


async def test_an_engine_that_is_told_to_stop_does_not_wait_for_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "DRAIN_AT_MOST", 0.05)
    ledger = Ledger()
    async with living(graph(), ledger) as place:
        place.disk.full = True
        place.fed.put(1)
        await place.idle()
        closing = asyncio.create_task(place.service.close(0))
        async with asyncio.timeout(15):
            while not closing.done():
                await place.clock.advance(FULL_DISK_WAIT)
                await asyncio.sleep(0.01)
    assert (place.fed.acked, ledger.runs) == ([], {})


async def test_an_engine_whose_lease_was_taken_stops_and_says_so() -> None:
    async with living(graph()) as place:
        place.ledger.epoch += 1
        place.fed.put(1)
        with pytest.raises(Fenced):
            await asyncio.wait_for(place.service.wait(), 5)
        assert (place.fed.acked, place.bench.jobs, place.ledger.runs) == ([], [], {})


async def test_nobody_waits_for_an_engine_that_is_gone() -> None:
    async with living(graph()) as place:
        place.disk.broken = Fenced("somebody else holds the lease")
        place.disk.gate.clear()
        in_commit = asyncio.create_task(place.service.engine.answer([Resumed()]))
        await place.idle()
        waiting = asyncio.create_task(place.service.engine.answer([Resumed()]))
        await place.idle()
        place.disk.gate.set()
        await place.idle()
        for task in (in_commit, waiting):
            with pytest.raises(Unreachable, match="stopped before this was durable"):
                await task
        with pytest.raises(Unreachable):
            await place.service.engine.answer([Resumed()])


async def test_an_engine_that_failed_is_closed_at_once_and_acknowledges_nothing() -> None:
    async with living(graph()) as place:
        place.disk.broken = Fenced("somebody else holds the lease")
        for n in range(9):
            place.fed.put(n)
        with pytest.raises(Fenced):
            await asyncio.wait_for(place.service.wait(), 5)
        await asyncio.wait_for(place.service.close(30), 5)
        assert place.fed.acked == []


async def test_a_retry_that_was_waited_for_is_waited_for_after_a_restart_too() -> None:
    ledger, clock = Ledger(), VirtualClock()
    definitions = graph(Retry(attempts=3, first="10s"))
    async with living(definitions, ledger, clock) as first:
        first.fed.put(1)
        await first.idle()
        await first.end(ending=Ending.FAILED)
        assert first.states == [("work", "", RunState.RETRYING)]
        due = first.runs[0].next_at
        assert due is not None
    async with living(definitions, ledger, clock) as second:
        await clock.advance(due - clock.now() - 1)
        assert second.bench.jobs == []
        await clock.advance(1)
        assert [(j.attempt, j.token) for j in second.bench.jobs] == [(2, 2)]


async def test_attempts_of_an_engine_that_died_are_offered_again_under_a_higher_token() -> None:
    ledger = Ledger()
    async with living(graph(), ledger) as first:
        first.fed.put(1)
        await first.idle()
        first.kill()
        async with living(graph(), ledger) as second:
            assert [(j.run, j.attempt, j.token) for j in second.bench.jobs] == [(first.bench.jobs[0].run, 2, 2)]
            assert second.runs[0].lost == 1
            await first.end()
            await second.end()
            assert [r.state for r in second.runs] == [RunState.SUCCEEDED]
            assert len([s for s in ledger.slots.values() if s.asset == "out"]) == 1


async def test_a_run_under_which_engines_die_is_taken_for_the_cause_but_one_that_was_drained_is_not() -> None:
    ledger = Ledger()
    async with living(graph(), ledger) as first:
        first.fed.put(1)
        await first.idle()
    for _ in range(LOST_AT_MOST + 2):  # each of these stops in peace, with the attempt under way
        async with living(graph(), ledger):
            pass
    assert [(r.state, r.lost) for r in ledger.runs.values()] == [(RunState.RUNNING, 0)]
    assert {x.result for x in ledger.attempts.values()} == {"lost"}
    for _ in range(LOST_AT_MOST + 1):
        async with living(graph(), ledger) as place:
            place.kill()
    async with living(graph(), ledger) as last:
        assert [r.state for r in last.runs] == [RunState.FAILED]
        assert [x.owner for x in last.alerts] == [OWNER]


async def test_while_too_many_attempts_are_under_way_no_data_is_taken_and_then_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_module, "RUNNING_AT_MOST", 2)
    async with living(graph()) as place:
        for n in range(8):
            place.fed.put(n)
            await place.idle()
        assert len(place.bench.jobs) == 2
        assert place.service.engine.paused == "2 attempts are under way"
        assert place.fed.asked <= 8
        for n in range(8):
            await place.end(n)
        assert len(place.bench.jobs) == 8
        assert not place.service.engine.paused and place.balance == []


async def test_the_caches_are_bounded_and_closed_runs_leave_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "CACHE_AT_MOST", 3)
    from_key = Asset("k", Dynamic("key"))

    @sensor(Kafka("t"))
    async def of_k(record: Record) -> Ready:
        return from_key.ready(record.value)

    flow = Workflow("flow", owner=OWNER)

    @flow.task(inputs=from_key)
    async def work() -> None: ...

    async with living(project(flow, of_k)) as place:
        for n in range(20):
            place.fed.put(f"k{n}")
            await place.idle()
            await place.end()
        state = place.service.engine.state
        assert len(state.slots) <= 4 and len(state.waits) <= 4
        assert (state.runs, state.busy, state.behind, state.queue, state.active, state.closed) == (
            {},
            {},
            {},
            {},
            {},
            {},
        )
        assert (len(place.ledger.runs), place.balance) == (20, [])


async def test_a_sensor_whose_events_all_die_is_told_once_an_hour() -> None:
    async with living(graph()) as place:
        for _ in range(5):
            place.fed.put(b"no json")
            await place.idle()
        assert [x.subject for x in place.alerts] == ["of_a"]
        assert len(place.ledger.dead) == 5
        await place.clock.advance(3600 * SECOND)
        place.fed.put(b"no json")
        await place.idle()
        assert len(place.alerts) == 2
