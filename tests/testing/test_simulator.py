"""The users' simulator, used as a user would: a small daily revenue on virtual time."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reactor import (
    NOTHING,
    Asset,
    Bucket,
    CloudEvent,
    Daily,
    DefinitionError,
    Dynamic,
    Evidence,
    File,
    Files,
    Http,
    Kafka,
    Message,
    Mqtt,
    Permanent,
    Ready,
    Record,
    Retry,
    Row,
    Run,
    Schedule,
    State,
    Static,
    Table,
    Tick,
    Webhook,
    Workflow,
    check,
    schedule,
    sensor,
)
from reactor.core.build import build
from reactor.model.sensor import Sensor
from reactor.testing import Faults, Simulator, simulate

DAYS = Daily("2026-01-01", "Europe/Berlin")
orders = Asset("orders", DAYS, owner="shop@example.com", due="02:00")
refunds = Asset("refunds", DAYS, due="08:00")
revenue = Asset("revenue", DAYS)
closing = Asset("closing")


@sensor(Kafka("shop.day-closed"))
def orders_closed(record: Record) -> Ready | None:
    return orders.ready(record.value["day"], rows=record.value["rows"])


@sensor(Files("landing/refunds-{day}.csv"))
async def refunds_landed(file: File) -> Ready:
    return refunds.ready(file.fields["day"], path=file.path, size=file.size)


daily = Workflow("daily_revenue", owner="finance@example.com", retry=Retry(attempts=3, first="1s"))


@daily.task(inputs=orders & refunds, outputs=revenue, checks=[check(lambda e: e["rows"] > 0, name="has rows")])
async def build_revenue(run: Run) -> Evidence:
    return {"rows": run.inputs["orders"].evidence["rows"], "attempt": run.attempt}


@daily.task(inputs=revenue)
def refresh_dashboard(run: Run) -> None:
    if run.inputs["revenue"].evidence.get("rows") == 13:
        raise Permanent("thirteen")


SENSORS: list[Sensor[..., object]] = [orders_closed, refunds_landed]
Make = Callable[..., Simulator]


def make(**options: object) -> Simulator:
    return Simulator(daily, sensors=SENSORS, start="2026-11-21T00:00", timezone="Europe/Berlin", **options)  # type: ignore[arg-type]


def test_a_day() -> None:
    sim = make()
    sim.outcome("build_revenue", attempt=1, fails="TimeoutError: the warehouse").takes("build_revenue", "5m")
    sim.publish("shop.day-closed", {"day": "2026-11-20", "rows": 812})
    assert not sim.why("build_revenue", "2026-11-20").holds
    sim.at("08:10").land("landing/refunds-2026-11-20.csv", "id\n1\n")
    sim.at("09:00")
    assert [(s.time.strftime("%H:%M:%S"), s.task, s.key, s.attempt) for s in sim.starts] == [
        ("08:10:00", "build_revenue", "2026-11-20", 1),
        ("08:15:01", "build_revenue", "2026-11-20", 2),
        ("08:20:01", "refresh_dashboard", "2026-11-20", 1),
    ]
    assert sim.started("build_revenue") == ["2026-11-20"]
    assert [(a.owner, a.subject) for a in sim.alerts] == [("finance@example.com", "refunds 2026-11-20")]
    slot = sim.slot("revenue", "2026-11-20")
    assert slot is not None
    assert slot.version == 1
    sim.check()


def test_tasks_are_really_called_where_they_are_asked_to_be(tmp_path: Path) -> None:
    sim = make(execute=True, folder=tmp_path)
    sim.publish("shop.day-closed", {"day": "2026-11-20", "rows": 0})
    sim.land("landing/refunds-2026-11-20.csv", "id\n").drain()
    assert (tmp_path / "landing/refunds-2026-11-20.csv").read_text("utf-8") == "id\n"
    assert [r.state for r in sim.runs] == ["failed"]
    assert sim.runs[0].error == "blocking checks did not pass: has rows: did not pass"
    sim.publish("shop.day-closed", {"day": "2026-11-20", "rows": 13}).drain()
    assert [(r.task, r.state, r.error) for r in sim.runs[1:]] == [
        ("build_revenue", "succeeded", None),
        ("refresh_dashboard", "failed", "Permanent: thirteen"),
    ]


def test_poison_goes_to_the_dead_letters_and_costs_nothing_else() -> None:
    sim = make()
    sim.publish("shop.day-closed", b"{").publish("shop.day-closed", {"day": "soon", "rows": 1})
    sim.publish("shop.day-closed", {"day": "2026-11-20", "rows": 1})
    assert [d.reason.split(":")[0] for d in sim.dead] == ["DecodeError", "ValueError"]
    assert sim.slot("orders", "2026-11-20") is not None


def test_a_duplicate_starts_nothing() -> None:
    sim = make()
    for _ in range(3):
        sim.ready(orders.ready("2026-11-20"), id="o1").ready(refunds.ready("2026-11-20"), id="r1")
    assert sim.started("build_revenue") == ["2026-11-20"]


def test_what_makes_nothing_starts_nothing_behind_it() -> None:
    sim = make().outcome("build_revenue", returns=NOTHING)
    sim.ready(orders.ready("2026-11-20"), refunds.ready("2026-11-20"))
    assert sim.started("refresh_dashboard") == []


@pytest.mark.parametrize("point", [None, "before-commit", "after-commit"])
def test_a_crash_loses_nothing_and_doubles_nothing(point: str | None) -> None:
    sim = make().takes("build_revenue", "5m")
    sim.ready(orders.ready("2026-11-20"), id="o1")
    if point is not None:
        sim.crash(point)  # type: ignore[arg-type]
    sim.ready(refunds.ready("2026-11-20"), id="r1")
    if point is None:
        sim.advance("1m").crash()
    sim.advance("1m").ready(orders.ready("2026-11-19"), id="o2").restart().drain()
    assert [(r.key, r.state) for r in sim.runs if r.task == "build_revenue"] == [("2026-11-20", "succeeded")]
    assert sim.slot("orders", "2026-11-19") is not None
    sim.check()


def test_schedules_tick_by_virtual_time_and_say_what_they_missed() -> None:
    w = Workflow("w", owner="o@example.com")

    @sensor(Schedule("0 * * * *", missed="all"))
    def hourly(tick: Tick) -> Ready:
        return closing.ready(slot=tick.at)

    @w.task(inputs=closing)
    def every_one(run: Run) -> None: ...

    @w.task(inputs=schedule(every="1h"))
    def the_last(run: Run) -> None: ...

    sim = Simulator(w, sensors=[hourly], start="2026-11-20T00:30")
    sim.at("02:30").crash().advance("3h").restart().at("06:30")
    for task, hours in (("every_one", [1, 2, 5, 5, 5, 6]), ("the_last", [1, 2, 5, 6])):
        assert [s.time.hour for s in sim.starts if s.task == task] == hours


def test_rows_posts_and_memory() -> None:
    w = Workflow("w", owner="o@example.com")
    many = Asset("many")

    @sensor(Table("shop.db", "select id from closings where id > :cursor order by id", "id", label="closings"))
    def third(row: Row, state: State) -> Ready | None:
        state["n"] = state.get("n", 0) + 1
        return many.ready(id=row["id"]) if state["n"] % 3 == 0 else None

    @sensor(Http("com.shop.*"))
    def posted(event: CloudEvent) -> Ready:
        return closing.ready(type=event.type)

    @w.task(inputs=many | closing)
    def t(run: Run) -> None: ...

    sim = Simulator(w, sensors=[third, posted])
    for n in range(5):
        sim.row("closings", id=n)
        if n == 3:
            sim.crash().restart()
    sim.row("closings", id=5).post("com.shop.closed", {}, id="x").post("com.shop.closed", {}, id="x")
    assert [s.inputs for s in sim.starts] == [
        {"many": ("table:closings@2",)},
        {"many": ("table:closings@5",)},
        {"closing": ("/simulated x",)},
    ]


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (lambda sim: sim.publish("shop.day-close", {}), "Did you mean 'shop.day-closed'?"),
        (lambda sim: sim.land("landing/other.csv"), "Patterns: landing/refunds-{day}.csv."),
        (lambda sim: sim.post("com.shop", {}), "No sensor reads events of type 'com.shop'."),
        (lambda sim: sim.ready(Asset("order", DAYS).ready("2026-11-20")), "Did you mean 'orders'?"),
        (lambda sim: sim.outcome("build_revenu", fails="x"), "Did you mean 'build_revenue'?"),
        (lambda sim: sim.takes("build", "1s"), "No task is called 'build'."),
        (lambda sim: sim.why("refresh"), "No task is called 'refresh'."),
    ],
)
def test_misspelt_names_are_refused(act: Callable[[Simulator], object], reason: str) -> None:
    with pytest.raises(DefinitionError) as error:
        act(make())
    assert reason in str(error.value)


def test_time_only_goes_on() -> None:
    with pytest.raises(ValueError, match="Time only goes on"):
        make().at("2026-11-20T00:00")


def test_a_person_cancels_and_tries_again() -> None:
    sim = make().takes("build_revenue", "1h")
    sim.ready(orders.ready("2026-11-20"), refunds.ready("2026-11-20"))
    assert sim.cancel(sim.runs[0].id) is None
    assert sim.runs[0].state == "cancelled"
    assert sim.again(sim.runs[0].id) is None
    sim.drain().check()
    assert sim.runs[0].state == "succeeded"


@pytest.mark.parametrize("seed", range(8))
def test_a_month_of_faults(seed: int) -> None:
    report = simulate(build([], SENSORS, [daily]), seed, days=10)
    assert report.ok, "\n".join(report.lines())
    assert report.crashes > 0
    assert report.never_started == ()
    assert simulate(build([], SENSORS, [daily]), seed, days=10) == report


def test_a_month_without_faults_starts_each_day_once() -> None:
    report = simulate(build([], SENSORS, [daily]), 1, Faults(), days=10)
    assert (report.crashes, report.dead) == (0, 0)
    assert report.attempts == report.runs


def test_the_fixture_checks_what_was_played(reactor_sim: Make) -> None:
    sim = reactor_sim(daily, sensors=SENSORS, start="2026-11-21T00:00")
    sim.ready(orders.ready("2026-11-20"), refunds.ready("2026-11-20"))
    assert sim.started("build_revenue") == ["2026-11-20"]


def test_publications_of_mqtt_are_given_to_every_filter_that_covers_their_topic() -> None:
    site = Static(["north", "south"])
    closed, alarmed = Asset("closed", site), Asset("alarmed", site)

    @sensor(Mqtt("plant/{site}/closed"))
    def on_closed(message: Message) -> Ready:
        return closed.ready(message.fields["site"], units=message.value["units"])

    @sensor(Mqtt("plant/{site}/#"))
    def on_any(message: Message) -> Ready | None:
        return alarmed.ready(message.fields["site"]) if message.property("alarm") else None

    sim = Simulator(build([closed, alarmed], [on_closed, on_any], []))
    sim.message("plant/north/closed", {"units": 3}, id="7").message("plant/north/closed", {"units": 4}, id="7")
    sim.message("plant/south/pump/1", b"", properties={"alarm": "1"}, retained=True)
    found = {slot: one.version for slot, one in sim.slots.items()}
    assert found == {("closed", "north"): 1, ("alarmed", "south"): 1}
    assert not sim.dead
    with pytest.raises(DefinitionError, match=r"No sensor reads the MQTT topic 'plan'. Filters: plant/"):
        sim.message("plan", {})


def test_deliveries_to_a_webhook_go_through_its_map() -> None:
    invoice = Asset("invoice", Dynamic("number"))

    def only_paid(event: CloudEvent) -> CloudEvent | None:
        return event if event.type == "invoice.paid" else None

    @sensor(Webhook("/hooks/stripe", "secrets/stripe", "stripe", only_paid))
    async def on_paid(event: CloudEvent) -> Ready:
        return invoice.ready(event.data["number"])

    sim = Simulator(build([invoice], [on_paid], []))
    for kind, id in (("invoice.paid", "e1"), ("invoice.paid", "e1"), ("invoice.drafted", "e2")):
        sim.deliver("/hooks/stripe", {"id": id, "type": kind, "number": "7"})
    assert {slot: one.version for slot, one in sim.slots.items()} == {("invoice", "7"): 1}
    assert not sim.dead


async def test_an_object_lands_in_a_bucket_as_a_file_does_in_a_folder() -> None:
    returns = Asset("returns", DAYS)

    @sensor(Bucket("s3://landing/returns/{country}/{day}.csv"))
    def returned(file: File) -> Ready:
        return returns.ready(file.fields["day"], path=file.path, key=file.key, etag=file.etag)

    flow = Workflow("returns", owner="shop@example.com")

    @flow.task(inputs=returns)
    async def count(run: Run) -> None: ...

    sim = Simulator(flow, sensors=[returned], start="2026-11-20T00:00")
    sim.land("s3://landing/returns/de/2026-11-19.csv", "a,b").drain()
    assert sim.started("count") == ["2026-11-19"]
    with pytest.raises(DefinitionError, match="s3://landing/returns/"):
        sim.land("s3://landing/other/de/2026-11-19.csv")
