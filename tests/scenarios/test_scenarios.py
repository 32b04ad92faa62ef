"""Behaviour scenarios: given these rules and these timed events, exactly these starts. `--scenarios DIR`
plays another folder.

A case that needs what the rule language does not have yet stands in `NOT_YET`, and must fail for that reason
and no other.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.scenarios.play import play
from tests.scenarios.vocabulary import NotYet, UnknownKeyError

OURS = Path(__file__).parent / "data"

NOT_YET = {
    "time of day and calendar windows": "B04 B05 B06 B08 B11",
    "count": "C06 C07 C10 C11 C12 C13 C14",
    "absence": "D01 D02 D06 D07 D08 L04 L05",
    "sequence": "E01 E02 E05 E07 E08",
    "debounce": "F01 F03 L06",
    "batch": "F08 F09 F10",
    "throttle": "F12 F13",
    "singleton": "F15",
    "priority": "F17",
    "an idempotency key of the user's": "F20",
    "cancel on an event": "F22",
    "start timeout": "F23",
    "waiting for upstream runs": "H03",
    "only the newest partition": "H04 H12",
    "missing partitions": "H05 H15",
    "all updated since a tick": "H11",
    "latched conditions": "H13",
    "gates on checks": "H17 H18",
    "freshness": "H20",
    "minutes as partitions": "I03 I04 I06",
    "mapped partitions": "I07 I08",
    "backfill": "I16",
    "merging without a partition": "J01",
    "a task for what is exhausted": "J11",
    "approvals": "K01 K02",
}
LATER = {case: why for why, cases in NOT_YET.items() for case in cases.split()}


def load(folder: Path) -> list[dict[str, Any]]:
    """Every case of a folder. The files are read as plain data."""
    found: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.yaml")):
        found.extend(
            yaml.load(
                path.read_text("utf-8"), Loader=yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader
            )
        )
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" not in metafunc.fixturenames:
        return
    other = metafunc.config.getoption("--scenarios")
    folder = Path(other) if other else OURS
    cases = load(folder)
    if not cases:
        raise pytest.UsageError(f"{folder} holds no scenarios: *.yaml files with a list of cases.")
    params = []
    for case in cases:
        why = LATER.get(case["id"])
        marks = [pytest.mark.xfail(raises=NotYet, strict=True, reason=f"not yet: {why}")] if why else []
        params.append(pytest.param(case, id=case["id"], marks=marks))
    metafunc.parametrize("case", params)


def test_scenario(case: dict[str, Any]) -> None:
    play(case)


SMALL: dict[str, Any] = {
    "id": "X",
    "title": "one input, one start",
    "rule": {"task": "T", "when": {"any": ["A"]}},
    "events": [{"t": 1, "input": "A", "id": "a1"}],
    "expect": {"starts": [{"t": 1, "task": "T", "inputs": {"A": ["a1"]}}]},
}


def test_the_runner_can_fail() -> None:
    play(SMALL)
    for wrong in ({"t": 2, "task": "T"}, {"t": 1, "task": "U"}, {"t": 1, "task": "T", "inputs": {"A": ["a2"]}}):
        with pytest.raises(AssertionError):
            play({**SMALL, "expect": {"starts": [wrong]}})
    with pytest.raises(AssertionError):
        play({**SMALL, "expect": {"starts": []}})


@pytest.mark.parametrize(
    "change",
    [
        {"colour": "red"},
        {"rule": {**SMALL["rule"], "wihtin": 3}},
        {"rule": {"task": "T", "when": {"most": ["A"]}}},
        {"rule": {"task": "T", "when": {"any": [{"input": "A", "fliter": {"a": 1}}]}}},
        {"rule": {**SMALL["rule"], "flow": {"concurency": {"limit": 1}}}},
        {"events": [{"t": 1, "kind": "earthquake"}]},
        {"expect": {"starts": [], "mood": "good"}},
        {"expect": {"starts": [{"t": 1, "task": "T", "wether": "fine"}]}},
    ],
)
def test_an_unknown_key_is_an_error(change: dict[str, Any]) -> None:
    with pytest.raises(UnknownKeyError):
        play({**SMALL, **change})


def test_the_table_names_cases_that_exist() -> None:
    known = {case["id"] for case in load(OURS)}
    assert set(LATER) <= known
