"""The slots of a schedule: pure arithmetic over the calendar. Knows no clock: it is told where it stands.

A slot is an instant. Local times follow the rules of Debian's cron: a fixed time of day that the clock skips in
spring fires at the first instant after the gap, one that the clock goes through twice in autumn fires at the first
of the two; a cron text whose minutes or hours begin with `*` is an interval and fires whenever it matches, in both
passes. `every` counts from 1970-01-01T00:00Z, whatever the zone.
"""

from collections.abc import Iterator
from datetime import UTC, tzinfo
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from reactor.model.duration import DAY, HOUR, micros
from reactor.model.errors import DefinitionError
from reactor.model.ids import Instant
from reactor.model.partitions import instant, moment
from reactor.model.source import Schedule

_WINDOWS = (2 * HOUR, 2 * DAY, 62 * DAY, 400 * DAY, 3_000 * DAY)
"""How far to look back for the newest slot, so that a year of minutes is never counted through."""


def slots_after(schedule: Schedule, last: Instant) -> Iterator[Instant]:
    """The slots behind `last`, in order, computed one by one. Ends only where a cron text matches nothing for decades.

    Raises:
        DefinitionError: the cron text or the time zone cannot be read.
    """
    if schedule.every is not None:
        length = micros(schedule.every)
        slot = (last // length + 1) * length
        while True:
            yield Instant(slot)
            slot += length
    newest = last
    for wall in _cron(schedule, last):
        slot = instant(wall)
        if slot > newest:  # from a moment in the second pass of an autumn hour, a fixed time leads back into the first
            newest = Instant(slot)
            yield newest


def next_slot(schedule: Schedule, last: Instant) -> Instant | None:
    """The first slot behind `last`; None where there is none."""
    return next(slots_after(schedule, last), None)


def slots_between(schedule: Schedule, last: Instant, now: Instant, most: int) -> list[Instant]:
    """The first `most` slots in (last, now]."""
    found = []
    for slot in islice(slots_after(schedule, last), most):
        if slot > now:
            break
        found.append(slot)
    return found


def newest_slot(schedule: Schedule, last: Instant, now: Instant) -> Instant | None:
    """The last slot in (last, now], found without going through those before it; None where there is none."""
    if schedule.every is not None:
        slot = Instant(now // micros(schedule.every) * micros(schedule.every))
        return slot if slot > last else None
    for window in _WINDOWS:
        found = _last_between(schedule, Instant(max(last, now - window)), now)
        if found is not None or now - window <= last:
            return found
    return _last_between(schedule, last, now)


def check(schedule: Schedule) -> None:
    """Raises DefinitionError where the schedule cannot be read or never fires."""
    if next_slot(schedule, Instant(0)) is None:
        raise DefinitionError(
            f"Schedule({schedule.cron!r}) never fires: no date matches it. Change its day or its month."
        )


def _last_between(schedule: Schedule, last: Instant, now: Instant) -> Instant | None:
    found = None
    for slot in slots_after(schedule, last):
        if slot > now:
            break
        found = slot
    return found


def _cron(schedule: Schedule, last: Instant) -> CronSim:
    if len(schedule.cron.split()) != 5:
        raise DefinitionError(
            f"Schedule({schedule.cron!r}): a cron text has five fields (minute, hour, day of month, month, day of "
            "week), "
            "such as '0 6 * * *'. For lengths of time write Schedule(every=\"30s\")."
        )
    try:
        return CronSim(schedule.cron, moment(last, _zone(schedule.timezone)))
    except CronSimError as error:
        raise DefinitionError(
            f"Schedule({schedule.cron!r}): {str(error).lower()}. The fields are minute, hour, day of month, month, "
            "day of week."
        ) from error


def _zone(name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise DefinitionError(
            f"There is no time zone {name!r}. Use a name such as 'Europe/Berlin' or 'UTC'."
        ) from error
