"""Gates, as a user plays them: what does not open holds the partition, and only a person or something newer lets it go on."""

from collections.abc import Callable

import pytest

from reactor import Arrived, Asset, Daily, DefinitionError, Gate, Run, Workflow, gate
from reactor.model.commands import AlertKind
from reactor.model.events import Dispose
from reactor.testing import Simulator

days = Daily("2026-01-01")
orders = Asset("orders", days, owner="shop@example.com")
revenue = Asset("revenue", days)
board = Asset("board", days)
DAY = "2026-11-19"


def flow() -> Workflow:
    made = Workflow("flow", owner="finance@example.com")

    @made.task(inputs=orders, outputs=revenue)
    def build(run: Run) -> dict[str, int]:
        return {"rows": run.inputs["orders"].evidence["rows"]}

    @made.task(inputs=revenue, outputs=board)
    def draw() -> None: ...

    return made


@gate(orders)
def enough(arrived: Arrived) -> bool | str:
    return arrived.evidence["rows"] > 10 or f"{arrived.evidence['rows']} rows are too few"


@pytest.fixture
def sim() -> Simulator:
    return Simulator(flow(), gates=[enough], execute=True)


def said(sim: Simulator) -> list[tuple[str, str]]:
    return [(str(d.outcome), d.detail) for d in sim.dispositions if not d.task]


def test_what_a_gate_lets_through_starts_what_waits_for_it(sim: Simulator) -> None:
    sim.ready(orders.ready(DAY, rows=11)).drain()
    assert sim.started("build") == [DAY]
    assert said(sim) == []


def test_what_a_gate_holds_starts_nothing_and_the_owner_hears_once_of_all_that_stands_still(sim: Simulator) -> None:
    sim.ready(orders.ready(DAY, rows=3)).ready(orders.ready(DAY, rows=4)).drain()
    assert sim.started("build") == []
    assert said(sim) == [
        ("held", "gate enough: 3 rows are too few"),
        ("superseded", "event 2 came after it"),
        ("held", "gate enough: 4 rows are too few"),
    ]
    assert [(a.kind, a.owner, a.subject) for a in sim.alerts] == [(AlertKind.HELD, "shop@example.com", f"orders {DAY}")]
    assert "Nothing that is made of it starts: board, revenue." in sim.alerts[0].text
    assert f"`reactor approve orders {DAY} --reason ...`" in sim.alerts[0].text


def test_an_approval_lets_it_through_with_its_evidence_and_says_by_which_event(sim: Simulator) -> None:
    sim.ready(orders.ready(DAY, rows=3), id="e1").drain()
    assert sim.approve("orders", DAY, "a quiet day") is None
    sim.drain()
    assert sim.started("build") == [DAY]
    start = sim.starts[0]
    assert said(sim)[-1] == ("approved", "event 2, approved by test: a quiet day")
    assert start.inputs == {"orders": ("e1/approved",)}
    assert start.run.inputs[0].evidence == b'{"rows":3}'
    assert sim.approve("orders", DAY) == f"Nothing of orders {DAY} is held: there is nothing to decide."


def test_a_rejection_closes_the_partition_until_something_newer_comes(sim: Simulator) -> None:
    sim.ready(orders.ready(DAY, rows=3)).drain()
    assert sim.reject("orders", DAY, "half a file", by="ana") is None
    assert sim.approve("orders", DAY) == (
        f"What came of orders {DAY} was rejected by ana: half a file. Let it be sent again; what comes then is judged anew."
    )
    sim.ready(orders.ready(DAY, rows=12)).drain()
    assert sim.started("build") == [DAY]
    assert said(sim) == [("held", "gate enough: 3 rows are too few"), ("rejected", "rejected by ana: half a file")]


def test_something_newer_that_passes_takes_the_place_of_what_is_held(sim: Simulator) -> None:
    sim.ready(orders.ready(DAY, rows=3)).ready(orders.ready(DAY, rows=12)).drain()
    assert sim.started("build") == [DAY]
    assert said(sim)[-1] == ("superseded", "event 2 came after it")
    assert sim.approve("orders", DAY) == f"Nothing of orders {DAY} is held: there is nothing to decide."


def raises(arrived: Arrived) -> bool:
    raise OSError("no route to the warehouse")


async def in_time(arrived: Arrived) -> bool:
    return arrived.partition == DAY


@pytest.mark.parametrize(
    ("judge", "why"),
    [
        (lambda arrived: False, "said no"),
        (lambda arrived: None, "answered None, and only True opens a gate"),
        (lambda arrived: 1, "answered 1, and only True opens a gate"),
        (raises, "raised OSError: no route to the warehouse"),
    ],
)
def test_whatever_is_not_a_plain_yes_holds(judge: Callable[[Arrived], bool], why: str) -> None:
    sim = Simulator(flow(), gates=[gate(orders, name="g")(judge)])
    sim.ready(orders.ready(DAY, rows=1)).drain()
    assert said(sim) == [("held", f"gate g {why}")]


def test_an_async_gate_is_awaited() -> None:
    sim = Simulator(flow(), gates=[gate(orders)(in_time)])
    sim.ready(orders.ready(DAY), orders.ready("2026-11-18")).drain()
    assert sim.started("build") == [DAY]


def test_a_gate_before_an_output_holds_what_a_run_made() -> None:
    @gate(revenue)
    def plausible(arrived: Arrived) -> str:
        return f"{arrived.by} made {arrived.evidence['rows']} rows"

    sim = Simulator(flow(), gates=[plausible], execute=True)
    sim.ready(orders.ready(DAY, rows=7)).drain()
    assert [(r.task, str(r.state)) for r in sim.runs] == [("build", "succeeded")]
    assert said(sim) == [("held", "gate plausible: task build made 7 rows")]
    sim.approve("revenue", DAY)
    sim.drain()
    assert sim.started("draw") == [DAY]


def test_a_gate_sees_what_was_accepted_before() -> None:
    seen: list[list[tuple[str, int]]] = []

    @gate(orders)
    def watch(arrived: Arrived) -> bool:
        seen.append([(v.partition, v.evidence["rows"]) for v in arrived.before])
        return bool(arrived.evidence["rows"])

    sim = Simulator(flow(), gates=[watch])
    for day, rows in (("2026-11-17", 1), ("2026-11-18", 0), ("2026-11-19", 3)):
        sim.ready(orders.ready(day, rows=rows)).drain()
    assert seen == [[], [("2026-11-17", 1)], [("2026-11-17", 1)]]


def test_every_gate_is_asked_and_each_that_holds_is_named() -> None:
    gates = [gate(orders, name=n)(lambda arrived: "no") for n in ("a", "b")]
    sim = Simulator(flow(), gates=gates)
    sim.ready(orders.ready(DAY)).drain()
    assert said(sim) == [("held", "gate a: no; gate b: no")]


def test_two_gates_of_one_name_and_a_gate_before_nothing_are_refused() -> None:
    lost = gate(Asset("order", days))(in_time)
    twin: Gate = gate(orders, name="enough")(in_time)
    with pytest.raises(DefinitionError) as error:
        Simulator(flow(), gates=[enough, twin, lost])
    assert "Two gates are called 'enough'." in str(error.value)
    assert "Gate 'in_time' stands before 'order', but no asset is called so. Did you mean 'orders'?" in str(error.value)


def test_a_failed_event_is_not_put_before_a_gate(sim: Simulator) -> None:
    sim.ready(orders.ready(DAY, status="failed")).drain()
    assert [d.outcome for d in sim.dispositions] == [Dispose.STATUS]
