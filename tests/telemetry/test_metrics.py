"""The page that Prometheus reads."""

from __future__ import annotations

from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from reactor.model.commands import Alert, AlertKind, Noted
from reactor.model.ids import Instant, Lane, Owner, SourceName
from reactor.model.run import Reason, RunState
from reactor.telemetry.base import Counted
from reactor.telemetry.metrics import Both, Metrics
from tests.telemetry.facts import SECOND, announced, attempt, noted, run

ORDERS = SourceName("kafka:orders")


def counted(**more: int) -> Counted:
    zero = Counted(ORDERS, Lane("orders/0"), 0, 0, 0, 0, Instant(7 * SECOND))
    return replace(zero, **more)


def page(metrics: Metrics, dropped: int = 0, **sources: tuple[bool, int | None]) -> dict[str, float]:
    """Each line of the page and its number."""
    text = metrics.render(sources, 2, 0.5, dropped, {}, {})[0].decode()
    return {
        s.name + str(sorted(s.labels.items()) if s.labels else ""): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def test_a_service_that_has_done_nothing_says_what_it_is() -> None:
    found = page(Metrics("1.2.3"))
    assert found["reactor_build_info[('version', '1.2.3')]"] == 1
    assert found["reactor_spans_dropped_total"] == 0
    assert found["reactor_runs_open"] == 2
    assert found["reactor_event_loop_lag_seconds"] == 0.5


def test_events_are_added_up_by_what_became_of_them() -> None:
    metrics = Metrics("1")
    metrics.counted([counted(ready=3, ignored=90), counted(ready=1, duplicate=2, dead=4)])
    found = page(metrics)
    outcomes = {o: found[f"reactor_events_total[('outcome', '{o}'), ('source', '{ORDERS}')]"] for o in
                ("ready", "ignored", "duplicate", "dead")}  # fmt: skip
    assert outcomes == {"ready": 4, "ignored": 90, "duplicate": 2, "dead": 4}
    assert found[f"reactor_dead_letters_total[('source', '{ORDERS}')]"] == 4
    assert found[f"reactor_source_last_event_timestamp_seconds[('source', '{ORDERS}')]"] == 7


def test_a_run_is_counted_when_it_is_over_and_each_of_its_attempts() -> None:
    metrics = Metrics("1")
    metrics.noted([Noted(run(RunState.RETRYING), attempt("failed")), noted()])
    found = page(metrics)
    assert found["reactor_attempts_total[('result', 'failed'), ('task', 'build')]"] == 1
    assert found["reactor_attempts_total[('result', 'succeeded'), ('task', 'build')]"] == 1
    assert found["reactor_runs_total[('result', 'succeeded'), ('task', 'build')]"] == 1


def test_a_run_that_was_cancelled_in_the_queue_is_counted_without_an_attempt() -> None:
    metrics = Metrics("1")
    metrics.noted([Noted(run(RunState.CANCELLED, started=None), None)])
    found = page(metrics)
    assert found["reactor_runs_total[('result', 'cancelled'), ('task', 'build')]"] == 1
    assert not [k for k in found if k.startswith(("reactor_attempts_total", "reactor_run_duration_seconds_count"))]


def test_a_run_that_was_tried_again_waited_once() -> None:
    metrics = Metrics("1")
    metrics.noted([Noted(run(RunState.FAILED), attempt("failed")), Noted(run(reason=Reason.MANUAL), attempt())])
    assert page(metrics)["reactor_rule_wait_seconds_count[('task', 'build')]"] == 1


def test_how_long_runs_waited_and_took_falls_into_buckets() -> None:
    metrics = Metrics("1")
    for seconds in (0.01, 0.02, 100_000):
        whole = run(waited_since=Instant(0), created=Instant(int(seconds * SECOND)))
        metrics.noted([Noted(whole, attempt())])
    found = page(metrics)
    buckets = {e: found[f"reactor_rule_wait_seconds_bucket[('le', '{e}'), ('task', 'build')]"] for e in
               ("0.01", "0.1", "86400.0", "+Inf")}  # fmt: skip
    assert buckets == {"0.01": 1, "0.1": 2, "86400.0": 2, "+Inf": 3}, "an end belongs to its bucket; they add up"
    assert found["reactor_rule_wait_seconds_count[('task', 'build')]"] == 3
    assert abs(found["reactor_rule_wait_seconds_sum[('task', 'build')]"] - 100_000.03) < 0.001
    assert found["reactor_run_duration_seconds_count[('task', 'build')]"] == 3


def test_versions_and_alerts_are_counted() -> None:
    metrics = Metrics("1")
    metrics.announced([announced(), announced()])
    metrics.alerted(Alert("k", AlertKind.LATE, Owner("shop@example.com"), "orders", "late", Instant(1)))
    found = page(metrics)
    assert found["reactor_versions_total[('asset', 'revenue')]"] == 2
    assert found["reactor_alerts_total[('kind', 'late'), ('owner', 'shop@example.com')]"] == 1


def test_the_state_of_sources_is_that_of_the_moment_of_the_scrape() -> None:
    metrics = Metrics("1")
    page(metrics, kafka=(True, 5), gone=(True, 9))
    found = page(metrics, kafka=(False, None))
    assert {k: v for k, v in found.items() if "source_up" in k} == {"reactor_source_up[('source', 'kafka')]": 0}
    assert not [k for k in found if "lag_records" in k], "a lag that is not known is not said"


def test_how_complete_and_how_fresh_assets_are_is_that_of_the_moment_too() -> None:
    metrics = Metrics("1")
    metrics.render({}, 0, 0, 0, {("gone", "ready"): 7}, {"gone": 1.0})
    text = metrics.render({}, 0, 0, 0, {("orders", "ready"): 6, ("orders", "late"): 0}, {"orders": 90.5})[0].decode()
    assert 'reactor_partitions{asset="orders",state="ready"} 6.0' in text
    assert 'reactor_asset_freshness_seconds{asset="orders"} 90.5' in text
    assert "gone" not in text


def test_no_label_holds_a_partition_or_the_id_of_a_run() -> None:
    metrics = Metrics("1")
    metrics.counted([counted(ready=1)])
    metrics.noted([noted(), noted(trace=2)])
    metrics.announced([announced()])
    text = metrics.render({"kafka": (True, 1)}, 0, 0, 0, {("orders", "ready"): 1}, {"orders": 1})[0].decode()
    assert "2026-11-20" not in text
    assert "01run" not in text


def test_spans_that_were_lost_are_a_counter() -> None:
    assert page(Metrics("1"), dropped=12)["reactor_spans_dropped_total"] == 12
    assert b"# TYPE reactor_spans_dropped_total counter" in Metrics("1").render({}, 0, 0, 1, {}, {})[0]


def test_without_traces_nobody_needs_ids() -> None:
    both = Both(Metrics("1"), None)
    assert (both.traces, both.dropped) == (False, 0)


def test_deliveries_that_were_turned_away_are_counted_by_their_reason() -> None:
    metrics = Metrics("1")
    for reason in ("wrong", "stale", "wrong"):
        metrics.refused("webhook:/hooks/a", reason)
    found = page(metrics)
    assert found["reactor_webhook_refused_total[('reason', 'wrong'), ('source', 'webhook:/hooks/a')]"] == 2
    assert found["reactor_webhook_refused_total[('reason', 'stale'), ('source', 'webhook:/hooks/a')]"] == 1
