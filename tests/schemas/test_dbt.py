"""What dbt left behind: the artifacts of a small project, as dbt 1.10 wrote them (`data/`), shortened."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reactor import Asset, Daily
from reactor.model.errors import NotFound
from reactor.model.events import Status
from reactor.model.partitions import moment
from reactor.model.schema import SchemaError
from reactor.schemas import dbt

DATA = Path(__file__).parent / "data"
ORDERS = Asset("orders", Daily(start="2026-01-01"))
DAY = "2026-11-20"


@pytest.fixture(scope="module")
def manifest() -> dbt.Manifest:
    return dbt.manifest(DATA / "dbt_manifest.json")


@pytest.fixture(scope="module")
def results() -> dbt.RunResults:
    return dbt.run_results(DATA / "dbt_run_results.json")


def test_models_with_their_columns_and_tests(manifest: dbt.Manifest) -> None:
    orders, revenue, seed = manifest.of("orders"), manifest.of("revenue"), manifest.of("seed.shop.raw_orders")
    assert orders.unique_id == "model.shop.orders" and orders.relation == '"shop"."main"."orders"'
    assert orders.schema is not None and orders.schema.text == "common struct<amount: decimal(10,2)?, id: int32>"
    assert [t.split(".")[2] for t in orders.tests] == [
        "unique_orders_id", "not_null_orders_id", "not_null_orders_amount", "accepted_values_orders_amount__False__1",
    ]  # fmt: skip
    assert revenue.schema is not None and revenue.schema.names_only and revenue.tests == ()
    assert seed.schema is None
    assert manifest.of("raw.raw_orders").unique_id == "source.shop.raw.raw_orders"


def test_columns_that_changed_between_two_manifests(manifest: dbt.Manifest) -> None:
    later = dbt.manifest(DATA / "dbt_manifest_later.json")
    found = dbt.changes(manifest, later)
    assert {name: d.lines for name, d in found.changed.items()} == {
        "model.shop.orders": (
            "column id: int32 -> int64 (widening)",
            "column amount: decimal(10,2) -> decimal(12,2) (widening)",
        )
    }
    assert (found.added, found.removed) == ((), ())


def test_models_that_came_and_went(manifest: dbt.Manifest) -> None:
    body = json.loads((DATA / "dbt_manifest.json").read_text())
    body["nodes"]["model.shop.profit"] = body["nodes"].pop("model.shop.revenue")
    found = dbt.changes(manifest, dbt.manifest(json.dumps(body).encode()))
    assert (found.added, found.removed) == (("model.shop.profit",), ("model.shop.revenue",))


def test_how_each_node_ended(results: dbt.RunResults) -> None:
    assert (results.command, results.generated) == ("build", datetime(2026, 11, 21, 10, 32, 51, 778974, tzinfo=UTC))
    assert {r.name: (r.word, r.status, r.rows, r.failures) for r in results.results.values()} == {
        "raw_orders": ("success", Status.OK, 2, None),
        "orders": ("success", Status.OK, None, None),
        "accepted_values_orders_amount__False__1": ("fail", Status.FAILED, None, 1),
        "not_null_orders_amount": ("warn", Status.OK, None, 1),
        "not_null_orders_id": ("pass", Status.OK, None, 0),
        "unique_orders_id": ("pass", Status.OK, None, 0),
        "revenue": ("skipped", Status.SKIPPED, None, None),
    }
    orders = results.of("orders")
    assert orders.started is not None and orders.completed is not None and orders.started < orders.completed
    assert round(orders.seconds, 3) == 0.423


def test_a_model_whose_test_failed_is_not_ready(manifest: dbt.Manifest, results: dbt.RunResults) -> None:
    found = dbt.ready(ORDERS, DAY, results.of("orders"), results.tests(manifest, "orders"))
    assert (found.asset, found.partition, found.status) == ("orders", DAY, Status.FAILED)
    assert found.evidence == {
        "dbt": "model.shop.orders",
        "dbt_status": "success",
        "seconds": 0.423,
        "tests": {
            "run": 4,
            "failures": 1,
            "failed": ["accepted_values_orders_amount__False__1"],
            "warned": ["not_null_orders_amount"],
        },
    }
    assert found.at is not None and moment(found.at) == results.of("orders").completed
    assert dbt.tests_passed(found.evidence) == "1 of 4 tests of dbt failed: accepted_values_orders_amount__False__1"


def test_a_model_whose_tests_passed_or_warned_is_ready(manifest: dbt.Manifest, results: dbt.RunResults) -> None:
    tests = [t for t in results.tests(manifest, "orders") if t.word != "fail"]
    found = dbt.ready(ORDERS, DAY, results.of("orders"), tests)
    assert found.status is Status.OK and dbt.tests_passed(found.evidence) is True


def test_a_model_that_was_skipped_and_a_seed(results: dbt.RunResults) -> None:
    assert dbt.ready(ORDERS, DAY, results.of("revenue")).status is Status.SKIPPED
    seed = dbt.ready(ORDERS, DAY, results.of("raw_orders"))
    assert (seed.status, seed.evidence["rows"]) == (Status.OK, 2)


def test_without_tests_none_has_passed(results: dbt.RunResults) -> None:
    found = dbt.ready(ORDERS, DAY, results.of("orders"))
    assert dbt.tests_passed(found.evidence) == (
        "the evidence has no tests of dbt. Make it with dbt.ready(...) and the tests of the model"
    )
    skipped = {"tests": {"run": 0, "failures": 0, "failed": [], "warned": []}}
    assert dbt.tests_passed(skipped) == "dbt ran no test on it"


def test_a_word_that_dbt_does_not_have_yet_is_a_failure() -> None:
    found = dbt.run_results(artifact("run-results/v7", results=[{"unique_id": "model.a.b", "status": "half done"}]))
    assert found.of("b").status is Status.FAILED


def test_how_fresh_a_source_is() -> None:
    found = dbt.sources(DATA / "dbt_sources.json")
    raw = found.of("raw.raw_orders")
    assert (raw.word, raw.status, raw.age, raw.newest) == (
        "warn", Status.OK, 84827.18206, datetime(2026, 11, 20, 11, tzinfo=UTC),
    )  # fmt: skip
    ready = dbt.ready(ORDERS, DAY, raw)
    assert ready.evidence == {"dbt": "source.shop.raw.raw_orders", "dbt_status": "warn", "age_seconds": 84827.182}
    with pytest.raises(
        NotFound, match=r"no node 'raw.nowhere' in the freshness of sources; dbt leaves out what it could not"
    ):
        found.of("raw.nowhere")


def test_a_source_that_could_not_be_looked_at() -> None:
    failed = {"unique_id": "source.shop.raw.x", "error": "no such table", "status": "runtime error"}
    found = dbt.ready(ORDERS, DAY, dbt.sources(artifact("sources/v3", results=[failed])).of("raw.x"))
    assert (found.status, found.evidence["message"]) == (Status.FAILED, "no such table")


def artifact(what: str, **more: Any) -> bytes:
    return json.dumps(
        {"metadata": {"dbt_schema_version": f"https://schemas.getdbt.com/dbt/{what}.json"}, **more}
    ).encode()


def test_a_name_that_is_not_there_or_there_twice() -> None:
    twice = dbt.run_results(
        artifact("run-results/v6", results=[{"unique_id": f"model.{p}.orders", "status": "success"} for p in "ab"])
    )
    with pytest.raises(
        NotFound, match=r"2 nodes are called 'orders' in the run results: model.a.orders, model.b.orders"
    ):
        twice.of("orders")
    with pytest.raises(NotFound, match=r"no node 'ordres' in the run results. Did you mean 'orders'\?"):
        twice.of("ordres")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "no run-results artifact of dbt"),
        (b"{}", "no run-results artifact of dbt"),
        (artifact("manifest/v12"), r"it says that it is 'https://schemas.getdbt.com/dbt/manifest/v12.json'"),
        (artifact("run-results/v3", results=[]), "those before 4 are not read"),
        (artifact("run-results/v6", results=[{"status": "success"}]), "missing required field `unique_id`"),
    ],
)
def test_what_is_no_such_artifact(body: bytes, why: str) -> None:
    with pytest.raises(SchemaError, match=why):
        dbt.run_results(body)


def test_an_artifact_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"manifest.json cannot be read: No such file or directory\."):
        dbt.manifest(tmp_path / "manifest.json")
