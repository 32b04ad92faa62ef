"""New definitions while it runs: runs and waits go on, and no event is judged by half of each."""

import asyncio
from datetime import UTC, datetime

import pytest

from reactor import (
    Asset,
    Daily,
    DefinitionError,
    Dynamic,
    Hourly,
    Kafka,
    Monthly,
    Ready,
    Record,
    Retry,
    Workflow,
    sensor,
)
from reactor.core.graph import Graph
from reactor.model.condition import Condition
from reactor.model.events import File
from reactor.model.outcome import Ending
from reactor.model.partitions import Partitions
from reactor.model.run import RunState
from reactor.service import engine as engine_module
from reactor.service import intake as intake_module
from reactor.store.memory import Ledger
from tests.service.place import OWNER, living, project

HOUR = 3_600_000_000
key = Dynamic("n")


def graph(
    rule: str = "a & b", limit: int | None = None, cut: Partitions = key, unit: Partitions | None = None
) -> Graph:
    """A sensor that announces `[asset, partition]`, and a task behind a rule."""
    assets = {n: Asset(n, cut) for n in "abc"}

    @sensor(Kafka("t"))
    async def s(record: Record) -> Ready:
        asset, partition = record.value
        return assets[asset].ready(partition)

    flow = Workflow("flow", owner=OWNER, limit=limit, retry=Retry(attempts=3, first="10s"))
    inputs: Condition = assets["a"].all_of(unit, at_least=2) if unit else _rule(rule, assets)

    @flow.task(inputs=inputs, outputs=Asset("out", unit or cut))
    async def work() -> None: ...

    return project(flow, s, assets=assets.values())


def _rule(text: str, assets: dict[str, Asset]) -> Condition:
    found: Condition | None = None
    for name in text.split(" & "):
        found = assets[name] if found is None else found & assets[name]
    assert found is not None
    return found


async def test_what_a_wait_holds_goes_on_under_the_new_rule() -> None:
    async with living(graph("a & b & c")) as place:
        place.fed.put(["a", "x"], ["b", "x"], ["c", "y"])
        await place.idle()
        await place.service.reload(graph("a & b"))
        await place.idle()
        assert (place.bench.names, place.balance) == (["work x"], [])
        released = [d.detail for some in place.ledger.dispositions.values() for d in some if d.outcome == "released"]
        assert released == ["the rule was changed and does not ask for event 3 any more"]


async def test_an_attempt_that_is_under_way_ends_under_the_new_definitions() -> None:
    async with living(graph("a")) as place:
        place.fed.put(["a", "x"], ["a", "y"])
        await place.idle()
        await place.service.reload(graph("a", limit=1))
        await place.idle()
        place.fed.put(["a", "z"])
        await place.idle()
        assert place.bench.names == ["work x", "work y"]
        await place.end(0)
        assert len(place.bench.jobs) == 2, "two had begun, and the new limit is one"
        await place.end(1)
        assert place.bench.names == ["work x", "work y", "work z"]
        await place.end(2)
        assert [s for *_, s in place.states] == [RunState.SUCCEEDED] * 3


async def test_a_retry_that_was_due_and_waited_for_a_place_is_not_forgotten() -> None:
    async with living(graph("a", limit=1)) as place:
        place.fed.put(["a", "x"])
        await place.idle()
        await place.end(ending=Ending.FAILED)
        place.fed.put(["a", "y"])
        await place.idle()
        await place.clock.advance(20_000_000)  # x is due again, and y holds the place
        assert place.bench.names == ["work x", "work y"]
        await place.service.reload(graph("a", limit=1))
        await place.idle()
        await place.end(1)
        await place.clock.advance(20_000_000)
        assert place.bench.names == ["work x", "work y", "work x"]


async def test_new_definitions_wait_for_the_transaction_that_is_being_prepared() -> None:
    async with living(graph("a & b")) as place:
        place.fed.put(["a", "x"])
        await place.idle()
        place.disk.load_gate.clear()
        place.fed.put(["b", "x"], ["c", "x"])
        await place.idle()
        place.service.engine.ask([])
        change = asyncio.create_task(place.service.engine.change_graph(graph("a & c")))
        await place.idle()
        place.disk.load_gate.set()
        await change
        await place.idle()
        assert (place.bench.names, place.balance) == (["work x"], [])


async def test_a_wait_is_moved_before_it_is_fed_where_an_output_comes_first() -> None:
    """The announcement of a run can come between the change and the move of all open waits."""

    def chain(rule: str) -> Graph:
        made, other, more = Asset("made", key), Asset("other", key), Asset("more", key)
        flow = Workflow("flow", owner=OWNER)

        @sensor(Kafka("t"))
        async def s(record: Record) -> Ready:
            asset, partition = record.value
            return {"other": other, "more": more}[asset].ready(partition)

        @flow.task(inputs=more, outputs=made)
        async def make() -> None: ...

        @flow.task(inputs=other & more & made if rule == "three" else made & other)
        async def join() -> None: ...

        return project(flow, s)

    async with living(chain("three")) as place:
        place.fed.put(["other", "x"], ["more", "x"])
        await place.idle()
        assert place.bench.names == ["make x"]
        await place.service.engine.change_graph(chain("two"))  # without the migration that follows
        await place.end(0)
        assert (place.bench.names, place.balance) == (["make x", "join x"], [])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            graph("a & b", cut=Daily(start="2026-01-01")),
            graph(cut=Hourly(start="2026-01-01T00"), unit=Daily(start="2026-01-01")),
        ),
        (
            graph(cut=Daily(start="2026-01-01"), unit=Monthly(start="2026-01")),
            graph("a & b", cut=Hourly(start="2026-01-01T00")),
        ),
        (graph("a & b", cut=Daily(start="2026-01-01")), graph("a & c", cut=Dynamic("other"))),
    ],
    ids=["daily to hours of a day", "days of a month to hourly", "daily to any key"],
)
async def test_definitions_that_cut_an_asset_otherwise_do_not_stop_the_engine(before: Graph, after: Graph) -> None:
    ledger = Ledger()
    async with living(before, ledger) as place:
        place.fed.put(["a", "2026-11-20"])
        await place.idle()
        assert len(ledger.readiness) == 1
        await place.service.reload(after)
        await place.idle()
        assert (place.service.engine.trouble, place.balance) == (None, [])
        assert await place.service.engine.answer([]) is None
    async with living(after, ledger) as place:
        assert await place.service.engine.answer([]) is None


async def test_a_sensor_that_cannot_be_called_leaves_everything_as_it_was() -> None:
    @sensor(Kafka("t"))
    async def wrong(file: File) -> None: ...

    flow = Workflow("flow", owner=OWNER)
    async with living(graph("a")) as place:
        with pytest.raises(DefinitionError, match="asks for File"):
            await place.service.reload(project(flow, wrong))
        place.fed.put(["a", "x"])
        await place.idle()
        assert (place.fed.acked, place.bench.names) == ([(0, 1)], ["work x"])


async def test_what_waited_on_the_engines_desk_is_read_again_by_the_new_sensors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_module, "RUNNING_AT_MOST", 1)
    monkeypatch.setattr(intake_module, "DRAIN_AT_MOST", 0.02)
    async with living(graph("a")) as place:
        place.fed.put(["a", "x"])
        await place.idle()
        place.fed.put(["a", "y"])
        await place.idle()
        old = place.fed
        await place.service.reload(graph("a"))
        await place.idle()
        assert (old.acked, place.fed.starts[0]["0"].position) == ([(0, 1)], 1)  # type: ignore[index]
        place.fed.put(["a", "y"])
        await place.end(0)
        assert (place.bench.names, place.balance) == (["work x", "work y"], [])


async def test_a_key_that_json_writes_otherwise_than_python_does_not_stop_the_engine() -> None:
    a = Asset("a")

    @sensor(Kafka("t"))
    async def s(record: Record) -> Ready:
        return a.ready(when=datetime(2026, 11, 20, 7, tzinfo=UTC), raw=b"\x00")

    flow = Workflow("flow", owner=OWNER)

    @flow.task(inputs=a.key("when"))
    async def one() -> None: ...

    @flow.task(inputs=a.key("raw"))
    async def two() -> None: ...

    async with living(project(flow, s)) as place:
        place.fed.put(1)
        await place.idle()
        assert sorted(place.bench.names) == ["one 2026-11-20T07:00:00Z", "two AA=="]
