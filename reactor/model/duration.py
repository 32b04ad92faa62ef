"""Lengths of time as people write them (`"30s"`, `"1h30m"`), turned into whole microseconds."""

import re

from reactor.model.errors import DefinitionError

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_UNITS = {"us": 1, "ms": 1_000, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_PART = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d|w)")

Duration = str | int | float
"""A text such as `"10s"`, `"1h30m"`, `"250ms"`, or a number of seconds."""


def micros(length: Duration) -> int:
    """The length in microseconds.

    Raises:
        DefinitionError: the text is not a length, or the length is negative.
    """
    if isinstance(length, (int, float)) and not isinstance(length, bool):
        if length < 0:
            raise DefinitionError(f"A length of time is not negative, but this is {length}.")
        return round(length * SECOND)
    text = str(length).strip().replace(" ", "")
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise DefinitionError(
            f"{length!r} is not a length of time. Write a number with a unit: 250ms, 30s, 5m, 2h, 1d, 1h30m."
        )
    return round(sum(float(number) * _UNITS[unit] for number, unit in parts))


def spell(length: int) -> str:
    """A length in microseconds as people read it, in at most two units: `1h 10m`, `3.2s`, `450ms`."""
    if length < 0:
        return "-" + spell(-length)
    if length < SECOND:
        return f"{length / 1000:.0f}ms" if length >= 1000 else f"{length}us"
    if length < MINUTE:
        return f"{length / SECOND:.1f}".removesuffix(".0") + "s"
    for big, small, names in ((DAY, HOUR, "dh"), (HOUR, MINUTE, "hm"), (MINUTE, SECOND, "ms")):
        if length >= big:
            rest = (length % big) // small
            return f"{length // big}{names[0]}" + (f" {rest}{names[1]}" if rest else "")
    raise AssertionError("every length of a minute or more was spelled above")
