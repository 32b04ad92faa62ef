"""The small values: lengths of time, retries, assets, conditions as text."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor import Asset, Daily, DefinitionError, Limit, Retry, Workflow, at_least, schedule
from reactor.model.condition import Condition, rule
from reactor.model.duration import HOUR, MINUTE, SECOND, micros, spell
from reactor.model.events import EVIDENCE_LIMIT

A, B, C = Asset("a"), Asset("b"), Asset("c")


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("250ms", SECOND // 4),
        ("30s", 30 * SECOND),
        ("1h30m", 90 * MINUTE),
        ("1.5h", 90 * MINUTE),
        ("2d", 48 * HOUR),
        ("1w", 168 * HOUR),
        (2, 2 * SECOND),
        (0.5, SECOND // 2),
    ],
)
def test_lengths_of_time(text: str | float, length: int) -> None:
    assert micros(text) == length


@pytest.mark.parametrize("text", ["", "5", "s", "5 apples", "-5s", "1h-30m", "1,5h", -1, True])
def test_what_is_no_length_is_refused(text: str | int) -> None:
    with pytest.raises(DefinitionError, match="length of time"):
        micros(text)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (0, "0us"),
        (450_000, "450ms"),
        (3_200_000, "3.2s"),
        (60 * SECOND, "1m"),
        (70 * MINUTE, "1h 10m"),
        (49 * HOUR, "2d 1h"),
        (-SECOND, "-1s"),
    ],
)
def test_lengths_as_people_read_them(length: int, text: str) -> None:
    assert spell(length) == text


@given(
    failures=st.integers(1, 200),
    chance=st.floats(0, 1, exclude_max=True),
    jitter=st.floats(0, 0.99),
    factor=st.floats(1, 10),
)
def test_a_backoff_stays_within_its_bounds(failures: int, chance: float, jitter: float, factor: float) -> None:
    retry = Retry(10, first="1s", most="5m", factor=factor, jitter=jitter)
    plain = min(1.0 * factor ** min(failures - 1, 64), 300.0) * SECOND
    wait = retry.wait(failures, chance)
    assert plain * (1 - jitter) - 1 <= wait <= plain * (1 + jitter) + 1
    assert 0 <= wait <= 2 * 300 * SECOND


def test_a_backoff_doubles_up_to_its_most() -> None:
    retry = Retry(9, first="1s", most="10s", jitter=0)
    assert [retry.wait(n, 0.5) // SECOND for n in range(1, 7)] == [1, 2, 4, 8, 10, 10]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Retry(0),
        lambda: Retry(factor=0.5),
        lambda: Retry(jitter=1),
        lambda: Retry(first="soon"),
        lambda: Limit(0),
        lambda: Workflow("w", owner="o", limit=0),
        lambda: Workflow("no spaces", owner="o"),
        lambda: Asset("1st"),
        lambda: Asset("a" * 129),
        lambda: Asset("a", due="02:00"),
        lambda: Asset("a", Daily("2026-01-01"), due="25:00"),
        lambda: Asset("a", Daily("2026-01-01"), due="soon"),
        schedule,
        lambda: schedule("0 6 * * *", every="1h"),
    ],
)
def test_values_that_cannot_be_right_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(DefinitionError):
        make()


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (A & B & C, "a & b & c"),
        ((A & B) | C, "(a & b) | c"),
        (A & (B | C), "a & (b | c)"),
        ("a" & B, "a & b"),
        (at_least(2, A, B & C, "d"), "at_least(2, a, b & c, d)"),
        (A.where("n > 1"), "a.where('n > 1')"),
        (A.where("n > 1").where(region="eu"), "a.where(\"(n > 1) and (region == 'eu')\")"),
        (
            (A & B).within("1h").key("order").consume("all").reset("none").reading(C),
            "(a & b).within('1h').key('order').consume('all').reset('none').reading(c)",
        ),
        (A.all_of(Daily("2026-01-01"), missing_at_most=2), "a.all_of(day, missing_at_most=2)"),
        (schedule("0 6 * * *", timezone="Europe/Berlin"), "schedule:0 6 * * *@Europe/Berlin"),
        (schedule(every="1h30m15s"), "schedule:every 5415000000us@UTC"),
        (schedule(every=60), "schedule:every 1m@UTC"),
    ],
)
def test_conditions_are_printed_as_they_are_written(condition: Condition, text: str) -> None:
    assert str(condition) == text


def test_equal_conditions_are_equal_values() -> None:
    assert rule(A & B.where("n > 1")) == rule(Asset("a") & Asset("b").where("n > 1"))
    assert hash(A & B) == hash(Asset("a") & Asset("b"))


def test_a_condition_is_not_a_truth_value() -> None:
    with pytest.raises(DefinitionError, match="Join conditions with & and"):
        bool(A)


def test_readiness_is_checked_where_it_is_said() -> None:
    daily = Asset("d", Daily("2026-01-01"))
    assert daily.ready("2026-11-20", rows=3).evidence == {"rows": 3}
    wrong: list[tuple[Asset, tuple[str, ...], dict[str, Any]]] = [
        (daily, (), {}),
        (daily, ("soon",), {}),
        (A, ("2026-11-20",), {}),
        (A, (), {"x": object()}),
    ]
    for asset, partition, evidence in wrong:
        with pytest.raises(ValueError):
            asset.ready(*partition, **evidence)
    with pytest.raises(ValueError, match=f"{EVIDENCE_LIMIT} are allowed"):
        A.ready(text="x" * EVIDENCE_LIMIT)
