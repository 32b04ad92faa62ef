"""Checks: what judges the output of a task before anybody is told of it. The library of checks is in `reactor.checks`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reactor.model.errors import DefinitionError
from reactor.model.events import Json

Verdict = bool | str | None
"""True or None: passed. False: failed. A text: failed, for this reason."""


@dataclass(frozen=True)
class Check:
    """A named judgement over the evidence of one output. A check that fails, raises or takes too long has not passed.

    A `blocking` check that has not passed keeps the output from being announced; an advisory one is only recorded.
    """

    name: str
    judge: Callable[[Mapping[str, Json]], Verdict]
    blocking: bool = True


def check(judge: Callable[[Mapping[str, Json]], Verdict], *, blocking: bool = True, name: str = "") -> Check:
    """A function over the evidence as a check."""
    if not callable(judge):
        raise DefinitionError(f"check({judge!r}): a check is a function that is given the evidence of an output.")
    return Check(name or getattr(judge, "__name__", "check"), judge, blocking)
