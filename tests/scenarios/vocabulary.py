"""The vocabulary of the scenarios: every key that `data/README.md` names. What is not here is an error; what
is here and not yet part of
the rule language raises `NotYet`, never less."""

from collections.abc import Iterable, Mapping
from typing import Any

Case = Mapping[str, Any]


class NotYet(Exception):
    """The case asks for something that the rule language does not have yet."""


class UnknownKeyError(Exception):
    """The case says something that the vocabulary does not know. It is never ignored."""


CASE = {
    "id",
    "title",
    "source",
    "epoch",
    "rule",
    "rules",
    "initial",
    "events",
    "events_gen",
    "events_list_partitions",
    "extra_events",
    "concurrent",
    "run_outcomes",
    "horizon",
    "expect",
    "note",
    "peers_disagree",
}
CASE_LATER = {"initial"}

RULE = {
    "task",
    "when",
    "key",
    "within",
    "clock",
    "consume",
    "reset",
    "window",
    "run_s",
    "retry",
    "retries",
    "reads_without_trigger",
    "missed_ticks",
    "flow",
    "partitions",
    "unknown_partition",
}
RULE_LATER = {
    "asset",
    "reset_daily_at",
    "time_of_day",
    "gate",
    "cancel_on",
    "on_exhausted",
    "only_latest_partition",
    "lookback_s",
    "evaluate_at",
    "on_first_load",
    "require_existing",
    "wait_for_upstream_in_progress",
    "changed_field",
    "late",
    "tick",
    "catch_up_at_most",
    "on_pause",
    "freshness",
}
FLOW = {"concurrency"}
FLOW_LATER = {
    "debounce",
    "cooldown",
    "batch",
    "throttle",
    "rate_limit",
    "coalesce_while_busy",
    "start_timeout",
    "singleton",
    "priority",
    "idempotency",
}
WHEN = {"all", "any", "at_least", "all_partitions", "tick", "input"}
WHEN_LATER = {"count", "sequence", "absent", "all_updated_since_tick", "missing", "newly_missing", "event", "while"}
OPERAND = {"input", "filter", "filter_expr", "filter_any", "pattern"}
OPERAND_LATER = {"map_partition", "partition_offset", "fan_out"}
KIND = {"crash", "restart", "service_down", "service_up"}
KIND_LATER = {
    "run_started",
    "updated",
    "deleted",
    "pause",
    "resume",
    "backfill",
    "approve",
    "reject",
    "rule_loaded",
    "partitions_added",
}
EXPECT = {"starts", "order", "rejected", "invalid_rule"}
EXPECT_LATER = {"dropped", "cancelled", "gate_closed", "diagnosed", "freshness", "output_status_after"}
START = {"t", "t_min", "t_max", "task", "inputs", "key", "partition", "attempt", "tick"}


def check(where: str, found: Iterable[str], known: set[str], later: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    """Raises UnknownKeyError for a key outside the vocabulary, and NotYet for one that is still to be built."""
    keys = set(found)
    unknown = keys - known - later
    if unknown:
        raise UnknownKeyError(f"{where}: {', '.join(sorted(unknown))} is not in the vocabulary")
    if keys & later:
        raise NotYet(f"{where}: {', '.join(sorted(keys & later))}")
