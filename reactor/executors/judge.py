"""What a task's function returned, or raised, as the verdict on its attempt.

May know: the job, and the evidence rules of the model. May not know: where the code ran, what time it is, how the
answer travels. Pure: the same answer is judged the same on the loop, on a thread and in another process.
"""

from collections.abc import Mapping

import msgspec

from reactor.executors.trouble import describe
from reactor.model.errors import Permanent, nearest
from reactor.model.events import DEPTH_LIMIT, EVIDENCE_LIMIT, depth
from reactor.model.ids import AssetName
from reactor.model.job import Job
from reactor.model.outcome import Ending
from reactor.model.run import CheckResult
from reactor.model.workflow import NOTHING

_encode = msgspec.json.Encoder().encode
_BARE = b"{}"


class Judged(msgspec.Struct, frozen=True):
    """How one attempt ended: an `Outcome` before it has a time and an executor's name."""

    ending: Ending
    error: str | None = None
    permanent: bool = False
    outputs: Mapping[AssetName, bytes] = {}
    checks: tuple[CheckResult, ...] = ()
    exit_code: int | None = None


class _Wrong(Exception):
    """The answer is none; the text says why."""


DONE = Judged(Ending.SUCCEEDED)
"""Succeeded, and nothing is announced."""


def answered(job: Job, answer: object) -> Judged:
    """The verdict on what the function returned, before its checks."""
    outputs = job.outputs
    if answer is None:
        return Judged(Ending.SUCCEEDED, outputs={AssetName(o): _BARE for o in outputs}) if outputs else DONE
    if answer is NOTHING:
        return DONE
    try:
        if not isinstance(answer, Mapping):
            raise _Wrong(_no_answer(job, answer))
        if len(outputs) == 1:
            return Judged(Ending.SUCCEEDED, outputs={AssetName(outputs[0]): _evidence(job, outputs[0], answer)})
        return Judged(Ending.SUCCEEDED, outputs=_several(job, answer))
    except _Wrong as wrong:
        return failed(str(wrong), permanent=True)


def raised(error: BaseException) -> Judged:
    """The verdict on what the function raised. `Permanent`, alone or within a group, means that trying again cannot
    help.
    """
    permanent = isinstance(error, Permanent) or (
        isinstance(error, BaseExceptionGroup) and error.subgroup(Permanent) is not None
    )
    return failed(describe(error), permanent=permanent)


def failed(error: str, *, permanent: bool = False) -> Judged:
    return Judged(Ending.FAILED, error, permanent)


def _several(job: Job, answer: Mapping[object, object]) -> dict[AssetName, bytes]:
    if not job.outputs:
        raise _Wrong(
            f"Task {job.task!r} returned evidence, but declares no outputs that it could describe. Return None, "
            "or declare outputs=..."
        )
    if not answer:
        raise _Wrong(
            f"Task {job.task!r} returned an empty mapping, which names none of its outputs "
            f"({', '.join(job.outputs)}). Return None to "
            "announce them all without evidence, NOTHING to announce none, or a mapping from each output's name "
            "to its evidence."
        )
    outputs: dict[AssetName, bytes] = {}
    for name, evidence in answer.items():
        if name not in job.outputs:
            raise _Wrong(
                f"Task {job.task!r} returned evidence for {name!r}, which is none of its "
                f"outputs.{nearest(str(name), job.outputs)} "
                f"It has several, so it returns a mapping from their names to their evidence: {', '.join(job.outputs)}."
            )
        if evidence is not NOTHING:
            outputs[AssetName(str(name))] = _evidence(job, str(name), evidence)
    return outputs


def _evidence(job: Job, output: str, evidence: object) -> bytes:
    if evidence is None:
        return _BARE
    if not isinstance(evidence, Mapping):
        raise _Wrong(
            f"Task {job.task!r} returned {_kind(evidence)} as the evidence for {output!r}. Evidence is a mapping "
            "of JSON values, "
            'such as {"rows": 42}.'
        )
    if depth(evidence) > DEPTH_LIMIT:
        raise _Wrong(
            f"Task {job.task!r} returned evidence for {output!r} that is nested deeper than {DEPTH_LIMIT} levels. Return what "
            "describes the output, and put the data itself where it belongs."
        )
    try:
        found = _encode(evidence if type(evidence) is dict else dict(evidence))
    except (TypeError, ValueError, RecursionError) as error:
        raise _Wrong(
            f"Task {job.task!r} returned evidence for {output!r} that cannot be written as JSON: "
            f"{_culprit(evidence, error)}. Return "
            "texts, numbers, booleans, lists and mappings; of a path, its text."
        ) from error
    if len(found) > EVIDENCE_LIMIT:
        raise _Wrong(
            f"Task {job.task!r} returned {len(found)} bytes of evidence for {output!r}; {EVIDENCE_LIMIT} are "
            "allowed, because evidence "
            "is stored with every start that uses it. Put the data where it belongs and name the place."
        )
    return found


def _culprit(evidence: Mapping[object, object], error: Exception) -> str:
    """The first field that is no JSON, named."""
    for key, value in evidence.items():
        try:
            _encode({key: value})
        except (TypeError, ValueError, RecursionError):
            return f"{key!r} is {_kind(value)}"
    return str(error)


def _no_answer(job: Job, answer: object) -> str:
    return (
        f"Task {job.task!r} returned {_kind(answer)}, which is no answer. It returns None, the evidence of what "
        "it made "
        '(a mapping such as {"rows": 42}), or NOTHING where it made nothing.'
    )


def _kind(value: object) -> str:
    shown = repr(value)
    return f"{type(value).__name__} {shown}" if len(shown) <= 60 else f"a {type(value).__name__}"
