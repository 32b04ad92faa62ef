"""Filters: a small language that is read and never run. Three-valued: what cannot be evaluated has not matched."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.model.errors import DefinitionError
from reactor.model.filter import LENGTH, compile_filter, equals, matches

EVENT: dict[str, Any] = {
    "amount": 12,
    "price": 1.5,
    "region": "eu-west",
    "ok": True,
    "none": None,
    "tags": ["new", "vip"],
    "inner": {"deep": {"n": 3}},
}


def verdict(text: str, event: dict[str, Any] = EVENT) -> str:
    held, why = matches(compile_filter(text), event)
    return "yes" if held else "no" if why == "is false" else "unknown"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("amount > 10", "yes"),
        ("amount > 12", "no"),
        ("10 < amount <= 12", "yes"),
        ("amount != 12", "no"),
        ("price * 2 + 1 == 4", "yes"),
        ("amount % 5 == 2", "yes"),
        ("-amount < 0", "yes"),
        ("amount / 0 > 1", "unknown"),
        ("region == 'eu-west'", "yes"),
        ("region in ['eu-west', 'us']", "yes"),
        ("region not in ('us',)", "yes"),
        ("'vip' in tags", "yes"),
        ("'west' in region", "yes"),
        ("inner.deep.n == 3", "yes"),
        ("inner.deep.m == 3", "unknown"),
        ("amount.deep == 3", "unknown"),
        ("ok", "yes"),
        ("not ok", "no"),
        ("ok == true", "yes"),
        ("ok == 1", "no"),
        ("amount == true", "no"),
        ("none == null", "yes"),
        ("amount", "no"),
        ("missing > 1", "unknown"),
        ("amount > 'x'", "unknown"),
        ("region * 1000000000 == ''", "unknown"),
        ("not missing", "unknown"),
        ("exists(region)", "yes"),
        ("exists(missing)", "no"),
        ("not exists(inner.x)", "yes"),
        ("starts_with(region, 'eu-')", "yes"),
        ("starts_with(amount, 'eu-')", "unknown"),
    ],
)
def test_what_a_filter_says(text: str, expected: str) -> None:
    assert verdict(text) == expected


TRUTH = {"yes": "amount > 1", "no": "amount < 1", "unknown": "missing > 1"}


@pytest.mark.parametrize("a", TRUTH)
@pytest.mark.parametrize("b", TRUTH)
def test_kleenes_tables(a: str, b: str) -> None:
    order = ["no", "unknown", "yes"]
    assert verdict(f"{TRUTH[a]} and {TRUTH[b]}") == min(a, b, key=order.index)
    assert verdict(f"{TRUTH[a]} or {TRUTH[b]}") == max(a, b, key=order.index)
    assert verdict(f"not ({TRUTH[a]})") == {"yes": "no", "no": "yes", "unknown": "unknown"}[a]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "amount >",
        "amount = 3",
        "__import__('os').system('true')",
        "open('x')",
        "exists('region')",
        "exists(region, region)",
        "starts_with(region, region)",
        "[x for x in tags]",
        "{k: 1 for k in tags}",
        "lambda: 1",
        "(amount := 3)",
        "9 ** 9 ** 9",
        "1 << 100000",
        "amount if ok else 1",
        "tags[0] == 'new'",
        "f'{amount}'",
        "b'x' == 'x'",
        "...",
        "await x",
        "amount is None",
        "print",  # a name is only ever a field; this one is read, and is unknown
    ][:-1],
)
def test_what_a_filter_may_not_hold_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError, match="filter"):
        compile_filter(text)


@pytest.mark.parametrize("name", ["print", "__builtins__", "ok.__class__", "inner.__dict__", "self"])
def test_a_name_is_only_ever_a_field_of_the_event(name: str) -> None:
    assert verdict(f"{name} == 1") == "unknown"


@pytest.mark.parametrize(
    "text",
    [
        "x" * (LENGTH + 1),
        "not " * 499 + "ok",
        "-" * 1_900 + "1",
        "(" * 900 + "1" + ")" * 900,
        "+".join(["1"] * 900),
        "ok." * 600 + "x",
    ],
)
def test_long_and_deep_filters_are_refused_and_break_nothing(text: str) -> None:
    with pytest.raises(DefinitionError):
        compile_filter(text)


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    try:
        evaluate = compile_filter(text)
    except DefinitionError:
        return
    matches(evaluate, EVENT)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(a=json, b=json)
def test_no_event_can_break_a_filter(a: Any, b: Any) -> None:
    for text in (
        "a > b",
        "a in b",
        "a + b == a",
        "a.x == b",
        "a == b",
        "a % b > 1",
        "a and b",
        "starts_with(a, 'x') or exists(b)",
    ):
        matches(compile_filter(text), {"a": a, "b": b})


@given(st.one_of(st.integers(), st.text(max_size=20), st.booleans(), st.none()))
def test_exact_values_match_themselves(value: Any) -> None:
    assert verdict(equals(field=value), {"field": value}) == "yes"
