"""What a function returned or raised, as a verdict: values in, values out."""

from pathlib import Path

import pytest

from reactor import NOTHING, Permanent
from reactor.executors.checking import checked
from reactor.executors.judge import answered, raised
from reactor.model.events import EVIDENCE_LIMIT
from reactor.model.job import Job
from reactor.model.outcome import Ending
from tests.executors import bodies
from tests.executors.bodies import report, revenue
from tests.executors.conformance import job

ONE = job(bodies.task("thread", "succeeds"))
TWO = job(bodies.task("thread", "succeeds", outputs=(revenue, report)))
NONE = job(bodies.task("thread", "succeeds", outputs=()))


@pytest.mark.parametrize(
    ("answer", "outputs"),
    [
        (None, {"revenue": b"{}", "report": b"{}"}),
        (NOTHING, {}),
        ({"revenue": {"rows": 1}, "report": None}, {"revenue": b'{"rows":1}', "report": b"{}"}),
        ({"revenue": {"rows": 1}}, {"revenue": b'{"rows":1}'}),
        ({"revenue": {"rows": 1}, "report": NOTHING}, {"revenue": b'{"rows":1}'}),
    ],
)
def test_several_outputs_are_named(answer: object, outputs: dict[str, bytes]) -> None:
    judged = answered(TWO, answer)
    assert (judged.ending, judged.outputs) == (Ending.SUCCEEDED, outputs)


def test_a_task_without_outputs_announces_nothing() -> None:
    assert answered(NONE, None).outputs == {}
    assert answered(NONE, NOTHING).ending is Ending.SUCCEEDED


@pytest.mark.parametrize(
    ("given", "answer", "text"),
    [
        (ONE, 42, "returned int 42, which is no answer"),
        (ONE, "done", "returned str 'done'"),
        (ONE, [1], "returned list [1]"),
        (ONE, {"path": Path("a.csv")}, "'path' is PosixPath PosixPath('a.csv')"),
        (ONE, {"deep": {"x": object()}}, "cannot be written as JSON: 'deep' is"),
        (ONE, {"x": "y" * EVIDENCE_LIMIT}, f"{EVIDENCE_LIMIT} are allowed"),
        (TWO, {"revenues": {}}, "'revenues', which is none of its outputs. Did you mean 'revenue'?"),
        (TWO, {"rows": 42}, "it returns a mapping from their names to their evidence: revenue, report"),
        (TWO, {"revenue": 42}, "returned int 42 as the evidence for 'revenue'"),
        (TWO, {}, "NOTHING to announce none"),
        (NONE, {"rows": 42}, "declares no outputs"),
    ],
)
def test_anything_else_fails_for_good(given: Job, answer: object, text: str) -> None:
    judged = answered(given, answer)
    assert (judged.ending, judged.permanent, judged.outputs) == (Ending.FAILED, True, {})
    assert text in (judged.error or "")


def _fail(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001 - whatever was given
        return caught


def test_an_error_is_told_with_its_place_and_its_cause() -> None:
    def amount(row: dict[str, int]) -> int:
        return row["amount"]

    try:
        try:
            amount({})
        except KeyError as error:
            raise ValueError("bad row 7") from error
    except ValueError as error:
        told = raised(error).error or ""
    else:
        raise AssertionError("it did not raise")
    lines = told.splitlines()
    assert lines[0] == "ValueError: bad row 7"
    assert any(__file__ in line and "test_an_error_is_told" in line for line in lines)
    assert "because of KeyError: 'amount'" in lines
    assert any("in amount" in line for line in lines)


def test_permanent_counts_within_a_group_too() -> None:
    assert raised(_fail(Permanent("no"))).permanent
    assert not raised(_fail(ValueError("no"))).permanent
    group = raised(_fail(ExceptionGroup("both", [ValueError("a"), Permanent("b")])))
    assert group.permanent
    assert "within it, ValueError: a" in (group.error or "")


def test_a_message_without_end_is_cut() -> None:
    assert "[... 100012 characters in all]" in (raised(_fail(ValueError("x" * 100_000))).error or "")


def test_checks_are_asked_about_each_output() -> None:
    judged = answered(TWO, {"revenue": {"rows": 42}, "report": {"rows": 1}})
    result = checked(judged, [bodies.CHECKS["passes"], bodies.CHECKS["advises"]], 5.0)
    assert [(c.check, c.passed) for c in result.checks] == [
        ("passes of revenue", True),
        ("advises of revenue", False),
        ("passes of report", False),
        ("advises of report", False),
    ]
    assert (result.ending, result.outputs) == (Ending.FAILED, {})
    assert "Check passes of report has not passed: it answered False" in (result.error or "")
    assert "advises" not in (result.error or "")


async def _later(facts: object) -> bool:
    return True


@pytest.mark.parametrize(("verdict", "text"), [(1, "it answered int"), (0, "it answered int"), ("", "an empty text")])
def test_a_strange_verdict_has_not_passed(verdict: object, text: str) -> None:
    from reactor import check  # noqa: PLC0415

    strange = check(lambda _: verdict, name="strange")  # type: ignore[arg-type,return-value]
    assert text in checked(answered(ONE, None), [strange], 5.0).checks[0].detail
    assert "async" in checked(answered(ONE, None), [check(_later)], 5.0).checks[0].detail  # type: ignore[arg-type]
