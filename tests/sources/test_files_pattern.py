"""File patterns: which names match, what their placeholders say, and which patterns are refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.model.errors import DefinitionError
from reactor.sources.files.names import key_of, name_of, shown, valid
from reactor.sources.files.pattern import compile_pattern

BASE = Path("/project")


@pytest.mark.parametrize(
    ("pattern", "root", "name", "fields"),
    [
        ("landing/refunds-{day}.csv", "/project/landing", "refunds-2026-11-20.csv", {"day": "2026-11-20"}),
        ("landing/*.csv", "/project/landing", "a.csv", {}),
        ("landing/*.csv", "/project/landing", ".csv", {}),
        ("landing/{a}-{b}.csv", "/project/landing", "x-y-z.csv", {"a": "x", "b": "y-z"}),
        ("in/{country}/o-{day}.csv", "/project/in", "de/o-1.csv", {"country": "de", "day": "1"}),
        ("in/{country}/done/o-{day}.csv", "/project/in", "de/done/o-1.csv", {"country": "de", "day": "1"}),
        ("in/orders.csv", "/project/in", "orders.csv", {}),
        ("orders-{day}.csv", "/project", "orders-1.csv", {"day": "1"}),
        ("/data/in/{day}.csv", "/data/in", "1.csv", {"day": "1"}),
        ("in/a.b+c({day}).csv", "/project/in", "a.b+c(1).csv", {"day": "1"}),
        ("in/{day}.csv", "/project/in", "a\nb<b>&'\".csv", {"day": "a\nb<b>&'\""}),
    ],
)
def test_matches(pattern: str, root: str, name: str, fields: dict[str, str]) -> None:
    compiled = compile_pattern(pattern, BASE)
    assert (str(compiled.root), compiled.match(name)) == (root, fields)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("in/{day}.csv", ".csv"),
        ("in/{day}.csv", "a/b.csv"),
        ("in/*.csv", "a/b.csv"),
        ("in/{day}.csv", "a.csv.tmp"),
        ("in/{day}.csv", "aXcsv"),
        ("in/{c}/{day}.csv", "a.csv"),
        ("in/{c}/{day}.csv", "a/b/c.csv"),
        ("in/{a}-{b}.csv", "x-.csv"),
    ],
)
def test_does_not_match(pattern: str, name: str) -> None:
    assert compile_pattern(pattern, BASE).match(name) is None


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("../in/*.csv", "leads out"),
        ("in/../../etc/*", "leads out"),
        ("in/", "names a folder"),
        ("/", "names a folder"),
        ("in/**/*.csv", "each level of folders"),
        ("in/{a}{b}.csv", "side by side"),
        ("in/*{b}.csv", "side by side"),
        ("in/{b}*.csv", "side by side"),
    ],
)
def test_refuses(pattern: str, why: str) -> None:
    with pytest.raises(DefinitionError, match=why):
        compile_pattern(pattern, BASE)


def test_a_hostile_name_costs_no_more_than_its_length() -> None:
    pattern = compile_pattern("in/" + "a*" * 30 + "b", BASE)
    assert pattern.match("a" * 50_000) is None  # hours, if wildcards were taken back


@given(st.lists(st.text(alphabet="ab-", min_size=1, max_size=4), min_size=2, max_size=4))
def test_whatever_was_joined_by_a_separator_matches(parts: list[str]) -> None:
    pattern = compile_pattern("in/" + "+".join(f"{{p{i}}}" for i in range(len(parts))), BASE)
    assert pattern.match("+".join(parts)) == {f"p{i}": part for i, part in enumerate(parts)}


@given(st.binary(min_size=1, max_size=20).filter(lambda b: b"\0" not in b and b"/" not in b))
def test_every_name_on_disk_has_a_key_that_leads_back_to_it(raw: bytes) -> None:
    name = raw.decode("utf-8", "surrogateescape")
    key = key_of(name)
    assert name_of(key.encode().decode()) == name
    assert valid(name) == (key == name)
    shown(name).encode()
