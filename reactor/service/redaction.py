"""Redaction of what the ledger keeps for people to read. The events themselves are kept as they came: they are retried from there."""

from msgspec.structs import replace

from reactor.model.events import DeadLetter
from reactor.model.outcome import Outcome
from reactor.model.ports import Redact


def clear_outcome(outcome: Outcome, redact: Redact) -> Outcome:
    """The same without secrets in its texts. Costs nothing where there are none, as for most attempts."""
    if outcome.error is None and not outcome.checks and not outcome.held:
        return outcome
    return replace(
        outcome,
        error=outcome.error and redact(outcome.error),
        checks=tuple(replace(c, detail=redact(c.detail)) for c in outcome.checks),
        held={asset: redact(why) for asset, why in outcome.held.items()},
    )


def clear_letter(letter: DeadLetter, redact: Redact) -> DeadLetter:
    """The same without secrets in its reason and its traceback; its body is the event, whole."""
    return replace(letter, reason=redact(letter.reason), detail=redact(letter.detail))
