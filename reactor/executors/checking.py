"""Runs the checks of a task over what it made. A check that fails, raises, answers nonsense or does not end in time
has not passed.

May know: checks, evidence, threads. May not know: who asked, or the event loop: this blocks, so it is called on a
thread or in a worker.
"""

import inspect
import threading
from collections.abc import Callable, Mapping, Sequence

import msgspec

from reactor.executors.judge import Judged, failed
from reactor.executors.trouble import describe
from reactor.model.check import Check, Verdict
from reactor.model.events import Json
from reactor.model.run import CheckResult

CHECK_LIMIT = 60.0
"""Seconds that one check may take."""

HUNG = "did not end within"
"""Begins the detail of a check that was given up: its thread is still about."""


def checked(judged: Judged, checks: Sequence[Check], limit: float) -> Judged:
    """The verdict after its checks: each is asked about each output. A blocking one that has not passed fails the
    attempt for good.
    """
    results: list[CheckResult] = []
    for output, evidence in judged.outputs.items():
        facts = msgspec.json.decode(evidence)
        for check in checks:
            name = check.name if len(judged.outputs) == 1 else f"{check.name} of {output}"
            detail = _ask(check, facts, limit)
            results.append(CheckResult(name, detail is None, check.blocking, detail or ""))
    refused = [r for r in results if r.blocking and not r.passed]
    if not refused:
        return msgspec.structs.replace(judged, checks=tuple(results))
    return msgspec.structs.replace(failed(_refusal(refused), permanent=True), checks=tuple(results))


def _refusal(refused: Sequence[CheckResult]) -> str:
    told = "\n".join(f"Check {r.check} has not passed: {r.detail}" for r in refused)
    return f"{told}\nNothing was announced. Put the data or the check right, then try the run again."


def _ask(check: Check, facts: Mapping[str, Json], limit: float) -> str | None:
    """Why it has not passed; None: it has. The call has a thread of its own, because nothing else can be waited for
    with a limit.
    """
    answers: list[str | None] = []
    thread = threading.Thread(
        target=lambda: answers.append(_reason(check.judge, facts)), name=f"check {check.name}", daemon=True
    )
    thread.start()
    thread.join(limit)
    return answers[0] if answers else f"it {HUNG} {limit:g} s"


def _reason(judge: Callable[[Mapping[str, Json]], Verdict], facts: Mapping[str, Json]) -> str | None:
    try:
        verdict: object = judge(facts)
    except BaseException as error:  # noqa: BLE001 - whatever it raises, it has not passed
        return f"it raised {describe(error)}"
    if verdict is None or verdict is True:
        return None
    if verdict is False:
        return "it answered False"
    if isinstance(verdict, str):
        return verdict or "it answered with an empty text"
    if inspect.iscoroutine(verdict):
        verdict.close()
        return "it is an async function; a check is a plain one"
    kind = type(verdict).__name__
    return f"it answered {kind}; a check answers True, False, None (passed) or a text (the reason why not)"
