"""The example project, tested as its user would: on virtual time, with faults."""

from pathlib import Path

from reactor.core.graph import Graph
from reactor.project.load import load
from reactor.testing import Simulator, simulate

ROOT = Path(__file__).parents[2]


def graph() -> Graph:
    return load(ROOT).graph


def a_day(sim: Simulator, day: str) -> None:
    for hour in range(24):
        sim.publish("shop.hour-closed", {"hour": f"{day}T{hour:02}", "orders": 2})
    sim.row("shop.db", id=1, day=day)
    sim.land(f"landing/refunds-{day}.csv").land(f"landing/payments-{day}.csv")


def test_a_day_is_built_once_it_is_whole_and_again_for_a_late_refund() -> None:
    sim = Simulator(graph(), start="2026-11-20T00:00", timezone="Europe/Berlin")
    a_day(sim, "2026-11-19")
    sim.drain()
    assert sim.started("build_revenue") == sim.started("refresh_dashboard") == ["2026-11-19"]
    sim.land("landing/refunds-2026-11-19.csv", "late").drain()
    assert sim.started("build_revenue") == ["2026-11-19", "2026-11-19"]
    assert sim.broken() == []


def test_an_hour_that_is_no_hour_goes_to_the_dead_letters_and_holds_nobody_up() -> None:
    sim = Simulator(graph(), start="2026-11-20T00:00", timezone="Europe/Berlin")
    sim.publish("shop.hour-closed", {"hour": "half past six", "orders": 2})
    a_day(sim, "2026-11-19")
    assert len(sim.drain().dead) == 1
    assert sim.started("build_revenue") == ["2026-11-19"]


def test_a_month_with_faults_keeps_every_promise() -> None:
    for seed in range(3):
        report = simulate(graph(), seed, days=10)
        assert report.ok, report.lines()
