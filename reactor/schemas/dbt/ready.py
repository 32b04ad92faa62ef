"""What dbt found, as the readiness of an asset, and as a check of it."""

from collections.abc import Mapping, Sequence

from reactor.model.asset import Asset
from reactor.model.check import Verdict
from reactor.model.events import Json, Ready, Status
from reactor.schemas.dbt.freshness import Freshness
from reactor.schemas.dbt.results import Result

_SHOWN, _TEXT = 20, 500


def ready(asset: Asset, partition: str | None, found: Result | Freshness, tests: Sequence[Result] = ()) -> Ready:
    """The partition is ready as dbt says: failed where the model or one of its tests failed, skipped where the model was.

    `run_results.json` says that a model succeeded even where a test on it then failed: so give its tests too
    (`results.tests(manifest, "orders")`).
    """
    failed = any(t.status is Status.FAILED for t in tests)
    status = Status.FAILED if failed and found.status is Status.OK else found.status
    facts = _fresh(found) if isinstance(found, Freshness) else _built(found, tests)
    at = found.newest if isinstance(found, Freshness) else found.completed
    return asset.ready(partition, status=status, at=at, evidence=facts)


def tests_passed(evidence: Mapping[str, Json]) -> Verdict:
    """A check, or what a gate may answer: the tests in the evidence that `ready` made have passed. Warnings pass."""
    tests = evidence.get("tests")
    if not isinstance(tests, dict):
        return "the evidence has no tests of dbt. Make it with dbt.ready(...) and the tests of the model"
    if tests.get("failures"):
        named = ", ".join(map(str, tests.get("failed") or []))
        return f"{tests['failures']} of {tests.get('run')} tests of dbt failed: {named}"
    return True if tests.get("run") else "dbt ran no test on it"


def _built(found: Result, tests: Sequence[Result]) -> dict[str, Json]:
    facts: dict[str, Json] = {"dbt": found.unique_id, "dbt_status": found.word, "seconds": round(found.seconds, 3)}
    if found.rows is not None:
        facts["rows"] = found.rows
    if found.message and found.status is not Status.OK:
        facts["message"] = found.message[:_TEXT]
    if tests:
        failed = [t.name for t in tests if t.status is Status.FAILED]
        warned = [t.name for t in tests if t.word == "warn"]
        run = sum(t.status is not Status.SKIPPED for t in tests)
        facts["tests"] = {"run": run, "failures": len(failed), "failed": failed[:_SHOWN], "warned": warned[:_SHOWN]}
    return facts


def _fresh(found: Freshness) -> dict[str, Json]:
    facts: dict[str, Json] = {"dbt": found.unique_id, "dbt_status": found.word}
    if found.age is not None:
        facts["age_seconds"] = round(found.age, 3)
    if found.error:
        facts["message"] = found.error[:_TEXT]
    return facts
