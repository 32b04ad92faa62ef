"""Schema gates, as a user plays them: a change of a class that may not pass holds what has it, and an approval makes it the new baseline."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from reactor import (
    Asset,
    Daily,
    DefinitionError,
    File,
    Files,
    PostgresSchema,
    Ready,
    SchemaChange,
    Workflow,
    accepted,
    sensor,
)
from reactor.model.condition import Condition
from reactor.model.ids import Instant
from reactor.testing import Simulator

days = Daily("2026-01-01")
SUNDAY, MONDAY, TUESDAY = "2026-11-15", "2026-11-16", "2026-11-17"


class Refund(BaseModel):
    id: int
    amount: float


def columns(**types: str) -> list[dict[str, object]]:
    """Columns as PostgreSQL tells them."""
    return [
        {"name": n, "type": t, "nullable": True, "has_default": False, "position": i}
        for i, (n, t) in enumerate(types.items(), 1)
    ]


def change(**types: str) -> SchemaChange:
    return SchemaChange("postgres", "public.refunds", columns(**types), "ALTER TABLE", Instant(0))


def play(
    schema: object = accepted,
    on_change: Mapping[str, str] | None = None,
    *,
    uses: tuple[tuple[str, ...], ...] = ((),),
    folder: Path | None = None,
) -> tuple[Simulator, Asset]:
    """A project with one asset; each of `uses` is a task with the columns that it looks at."""
    refunds = Asset("refunds", days, owner="payments@example.com", schema=schema, on_change=on_change or {})

    @sensor(Files("landing/refunds-{day}.*"))
    def landed(file: File) -> Ready:
        return refunds.ready(file.fields["day"])

    @sensor(PostgresSchema("public.refunds"))
    def changed(seen: SchemaChange) -> Ready:
        return refunds.changed(seen)

    flow = Workflow("flow", owner="finance@example.com")
    for number, used in enumerate(uses):
        inputs: Condition = refunds.columns(*used) if used else refunds
        flow.task(inputs=inputs, outputs=Asset(f"out{number}", days), name=f"t{number}")(lambda: None)
    return Simulator(flow, sensors=[landed, changed], folder=folder), refunds


def send(sim: Simulator, asset: Asset, day: str, **types: str) -> None:
    sim.ready(asset.ready(day, schema=change(**types))).drain()


def held(sim: Simulator) -> dict[tuple[str, str], str]:
    return {key: slot.held.reason for key, slot in sim.slots.items() if slot.held is not None}


def test_the_first_content_is_the_baseline_and_what_may_pass_moves_it() -> None:
    sim, refunds = play()
    send(sim, refunds, SUNDAY, id="integer")
    send(sim, refunds, MONDAY, id="bigint", note="text")
    send(sim, refunds, TUESDAY, id="bigint", note="text")
    assert sim.started("t0") == [SUNDAY, MONDAY, TUESDAY]


def test_a_breaking_change_holds_and_the_owner_hears_once_however_many_partitions_have_it() -> None:
    sim, refunds = play()
    send(sim, refunds, SUNDAY, id="integer", amount="integer")
    send(sim, refunds, MONDAY, id="integer", amount="text")
    send(sim, refunds, TUESDAY, id="integer", amount="text")
    assert sim.started("t0") == [SUNDAY]
    why = "its schema changed, breaking: column amount: int32 -> string (breaking)"
    assert held(sim) == {("refunds", MONDAY): why, ("refunds", TUESDAY): why}
    assert [(a.owner, a.subject) for a in sim.alerts] == [("payments@example.com", f"refunds {MONDAY}")]
    assert "Nothing that is made of it starts: out0." in sim.alerts[0].text


def test_an_approval_makes_the_schema_the_baseline_of_what_comes_then() -> None:
    sim, refunds = play()
    send(sim, refunds, SUNDAY, id="integer", amount="integer")
    send(sim, refunds, MONDAY, id="integer", amount="text")
    assert sim.approve("refunds", MONDAY) is None
    send(sim, refunds, TUESDAY, id="integer", amount="text")
    assert sim.started("t0") == [SUNDAY, MONDAY, TUESDAY]
    send(sim, refunds, "2026-11-18", id="integer", amount="integer")
    assert list(held(sim)) == [("refunds", "2026-11-18")]


def test_a_rejection_leaves_the_baseline_as_it_was() -> None:
    sim, refunds = play()
    send(sim, refunds, SUNDAY, id="integer")
    send(sim, refunds, MONDAY, other="integer")
    assert sim.reject("refunds", MONDAY) is None
    send(sim, refunds, MONDAY, id="integer")
    assert sim.started("t0") == [SUNDAY, MONDAY]


@pytest.mark.parametrize(("policy", "started"), [({}, 2), ({"widening": "hold"}, 1), ({"breaking": "pass"}, 2)])
def test_what_each_class_does_is_said_by_the_asset(policy: dict[str, str], started: int) -> None:
    sim, refunds = play(on_change=policy)
    send(sim, refunds, SUNDAY, id="integer")
    send(sim, refunds, MONDAY, id="bigint")
    assert len(sim.started("t0")) == started


def test_a_declared_schema_is_the_baseline_until_another_is_approved() -> None:
    sim, refunds = play(Refund)
    sim.ready(refunds.ready(SUNDAY, schema=Refund)).drain()
    assert sim.started("t0") == [SUNDAY]
    sim.ready(refunds.ready(MONDAY, schema={"type": "object", "properties": {"id": {"type": "string"}}})).drain()
    assert "column amount: removed" in held(sim)[("refunds", MONDAY)]
    sim.approve("refunds", MONDAY)
    sim.ready(refunds.ready(TUESDAY, schema={"type": "object", "properties": {"id": {"type": "string"}}})).drain()
    assert sim.started("t0") == [SUNDAY, MONDAY, TUESDAY]


def test_who_says_what_it_uses_is_not_held_for_other_columns() -> None:
    sim, refunds = play(uses=(("id",), ("id", "amount")))
    send(sim, refunds, SUNDAY, id="integer", amount="integer", note="text")
    send(sim, refunds, MONDAY, id="integer", amount="integer")
    assert sim.started("t0") == [SUNDAY, MONDAY]
    send(sim, refunds, TUESDAY, id="integer")
    assert list(held(sim)) == [("refunds", TUESDAY)]


def test_one_consumer_that_uses_everything_is_enough_to_hold() -> None:
    sim, refunds = play(uses=(("id",), ()))
    send(sim, refunds, SUNDAY, id="integer", note="text")
    send(sim, refunds, MONDAY, id="integer")
    assert list(held(sim)) == [("refunds", MONDAY)]


def test_a_column_that_the_schema_does_not_have_is_refused_at_load() -> None:
    with pytest.raises(
        DefinitionError,
        match=r"task 't0' uses columns of 'refunds': There is no column 'amont'\. Did you mean 'amount'",
    ):
        play(Refund, uses=(("amont",),))


def test_a_change_at_the_source_holds_what_does_not_say_its_own_schema() -> None:
    sim, refunds = play()
    source = "postgres-schema:public.refunds"
    sim.changed(source, change(id="integer", amount="integer"))
    sim.ready(refunds.ready(SUNDAY)).drain()
    sim.changed(source, change(id="integer"))
    sim.ready(refunds.ready(MONDAY)).drain()
    assert sim.started("t0") == [SUNDAY]
    assert held(sim) == {
        ("schema:refunds", ""): "its schema changed, breaking: column amount: removed, was int32? (breaking)",
        ("refunds", MONDAY): "its schema changed, breaking: column amount: removed, was int32? (breaking); "
        "this partition does not say its own schema",
    }
    assert len(sim.alerts) == 1, "the partitions are held for the same schema"
    assert sim.approve("schema:refunds") is None
    assert sim.approve("refunds", MONDAY) is None
    sim.ready(refunds.ready(TUESDAY)).drain()
    assert sim.started("t0") == [SUNDAY, MONDAY, TUESDAY]


def test_a_change_that_is_taken_back_lets_what_comes_then_pass() -> None:
    sim, refunds = play()
    source = "postgres-schema:public.refunds"
    for types in ({"id": "integer", "n": "text"}, {"id": "integer"}, {"id": "integer", "n": "text"}):
        sim.changed(source, change(**types))
    sim.ready(refunds.ready(SUNDAY)).drain()
    assert sim.started("t0") == [SUNDAY]
    assert held(sim) == {}


def test_a_table_that_is_dropped_holds() -> None:
    sim, refunds = play()
    source = "postgres-schema:public.refunds"
    sim.changed(source, change(id="integer"))
    sim.changed(source, SchemaChange("postgres", "public.refunds", None, "DROP TABLE", Instant(0)))
    sim.ready(refunds.ready(SUNDAY)).drain()
    assert held(sim)[("schema:refunds", "")] == "public.refunds is gone (DROP TABLE)"
    assert held(sim)[("refunds", SUNDAY)].startswith("public.refunds is gone (DROP TABLE); ")


def parquet(folder: Path, day: str, **values: object) -> None:
    (folder / "landing").mkdir(exist_ok=True)
    pq.write_table(pa.table({n: [v] for n, v in values.items()}), folder / "landing" / f"refunds-{day}.parquet")


def test_the_columns_of_a_real_parquet_file_are_looked_at_when_it_lands(tmp_path: Path) -> None:
    sim, _ = play(folder=tmp_path)
    for day, values in ((SUNDAY, {"id": 1, "amount": 2}), (MONDAY, {"id": 1, "amount": "2"})):
        parquet(tmp_path, day, **values)
        sim.land(f"landing/refunds-{day}.parquet", None)
    sim.drain()
    assert sim.started("t0") == [SUNDAY]
    assert held(sim) == {("refunds", MONDAY): "its schema changed, breaking: column amount: int64 -> string (breaking)"}


def test_of_a_csv_file_the_names_are_compared(tmp_path: Path) -> None:
    sim, _ = play(folder=tmp_path)
    sim.land(f"landing/refunds-{SUNDAY}.csv", "id,amount\n1,2\n").land(
        f"landing/refunds-{MONDAY}.csv", "id,price\n1,x\n"
    ).drain()
    assert sim.started("t0") == [SUNDAY]
    assert "names alone were compared" in held(sim)[("refunds", MONDAY)]


def test_a_file_whose_columns_cannot_be_read_is_held(tmp_path: Path) -> None:
    sim, _ = play(folder=tmp_path)
    sim.land(f"landing/refunds-{SUNDAY}.parquet", "no parquet").drain()
    why = held(sim)[("refunds", SUNDAY)]
    assert why.startswith("its schema cannot be read: ")
    assert "It is no Parquet file" in why


def test_what_is_known_of_a_schema_outlives_a_crash() -> None:
    sim, refunds = play()
    send(sim, refunds, SUNDAY, id="integer")
    sim.crash().restart()
    send(sim, refunds, MONDAY, other="integer")
    assert list(held(sim)) == [("refunds", MONDAY)]


def test_policies_and_schemas_that_say_nothing_are_refused() -> None:
    with pytest.raises(DefinitionError, match="Did you mean 'breaking'"):
        Asset("a", days, schema=accepted, on_change={"braking": "hold"})
    with pytest.raises(DefinitionError, match="no schema to compare with"):
        Asset("a", days, on_change={"breaking": "hold"})
    with pytest.raises(DefinitionError, match=r"Asset 'refunds': its schema cannot be read: schema=7 is no schema"):
        play(7)
