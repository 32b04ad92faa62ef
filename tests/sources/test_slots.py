"""The slots of a schedule, where clocks change: three zones, both changes, five years, and what holds for all of
them.
"""

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.model.duration import HOUR, MINUTE
from reactor.model.errors import DefinitionError
from reactor.model.ids import Instant
from reactor.model.partitions import instant, moment
from reactor.model.source import Schedule
from reactor.sources.slots import check, newest_slot, next_slot, slots_after, slots_between

# zone: (hour that spring skips, hour that autumn repeats), then the days of both changes from 2024 to 2028.
CHANGES = {
    "Europe/Berlin": (2, 2, ["03-31 10-27", "03-30 10-26", "03-29 10-25", "03-28 10-31", "03-26 10-29"]),
    "America/New_York": (2, 1, ["03-10 11-03", "03-09 11-02", "03-08 11-01", "03-14 11-07", "03-12 11-05"]),
    "Australia/Sydney": (2, 2, ["10-06 04-07", "10-05 04-06", "10-04 04-05", "10-03 04-04", "10-01 04-02"]),
}
DAYS = [
    (zone, f"{2024 + n}-{pair.split()[which]}", (gap, fold)[which], which)
    for zone, (gap, fold, pairs) in CHANGES.items()
    for n, pair in enumerate(pairs)
    for which in (0, 1)
]
SPRING = [(zone, day, hour) for zone, day, hour, which in DAYS if which == 0]
AUTUMN = [(zone, day, hour) for zone, day, hour, which in DAYS if which == 1]


def fired(cron: str, zone: str, day: str) -> list[str]:
    """The slots of that local day as local time with its UTC offset."""
    where = ZoneInfo(zone)
    begin = datetime.fromisoformat(day).replace(tzinfo=where)
    end = (begin.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=where)
    slots = slots_between(Schedule(cron, timezone=zone), Instant(instant(begin) - 1), Instant(instant(end) - 1), 10_000)
    return [moment(s, where).strftime("%H:%M%z") for s in slots]


def passes(times: list[str], hour: int) -> list[str]:
    return [t for t in times if t.startswith(f"{hour:02}:")]


@pytest.mark.parametrize(("zone", "day", "hour"), SPRING)
def test_a_fixed_time_in_the_spring_gap_fires_once_at_the_first_instant_after_it(
    zone: str, day: str, hour: int
) -> None:
    assert [t[:5] for t in fired(f"30 {hour} * * *", zone, day)] == [f"{hour + 1:02}:00"]
    assert [t[:5] for t in fired(f"0 {hour} * * *", zone, day)] == [f"{hour + 1:02}:00"]
    assert [t[:5] for t in fired(f"0,15,30 {hour} * * *", zone, day)] == [f"{hour + 1:02}:00"]


@pytest.mark.parametrize(("zone", "day", "hour"), AUTUMN)
def test_a_fixed_time_in_the_autumn_overlap_fires_once_at_the_first(zone: str, day: str, hour: int) -> None:
    both = passes(fired("*/30 * * * *", zone, day), hour)
    assert fired(f"30 {hour} * * *", zone, day) == [both[1]]
    assert fired(f"0 {hour} * * *", zone, day) == [both[0]]


@pytest.mark.parametrize(("zone", "day", "hour"), SPRING + AUTUMN)
def test_an_interval_fires_in_every_hour_that_passes(zone: str, day: str, hour: int) -> None:
    hours = 23 if (zone, day, hour) in SPRING else 25
    assert len(fired("0 * * * *", zone, day)) == hours
    assert len(fired("*/10 * * * *", zone, day)) == hours * 6


@pytest.mark.parametrize(("zone", "day", "hour"), AUTUMN)
def test_standing_in_the_second_pass_never_leads_back_into_the_first(zone: str, day: str, hour: int) -> None:
    second = datetime.fromisoformat(f"{day}T{hour:02}:10").replace(tzinfo=ZoneInfo(zone), fold=1)
    slot = next_slot(Schedule(f"30 {hour} * * *", timezone=zone), instant(second))
    assert slot is not None
    assert slot > instant(second) + 20 * HOUR


def test_a_length_counts_from_1970_whatever_the_zone() -> None:
    every = Schedule(every="7m", timezone="Europe/Berlin")
    assert slots_between(every, Instant(0), Instant(21 * MINUTE), 10) == [7 * MINUTE, 14 * MINUTE, 21 * MINUTE]
    assert newest_slot(every, Instant(0), Instant(1_000_000 * HOUR)) == 1_000_000 * HOUR // (7 * MINUTE) * (7 * MINUTE)


CRONS = st.sampled_from(
    ["* * * * *", "*/7 * * * *", "0 * * * *", "30 2 * * *", "0 */2 * * *", "15 1-3 * * 0", "0 0 29 2 *", "5 4 L * *"]
)
WHEN = st.integers(min_value=1_700_000_000, max_value=1_900_000_000).map(lambda s: Instant(s * 1_000_000))


@given(CRONS, st.sampled_from([*CHANGES, "UTC", "Asia/Kathmandu", "Australia/Lord_Howe"]), WHEN)
@settings(deadline=None, max_examples=60)
def test_slots_do_not_depend_on_where_the_counting_began(cron: str, zone: str, begin: Instant) -> None:
    schedule = Schedule(cron, timezone=zone)
    slots = slots_between(schedule, begin, Instant(begin + 40 * 24 * HOUR), 50)
    assert slots == sorted(set(slots))
    assert all(s > begin for s in slots)
    for before, after in pairwise(slots):
        assert next_slot(schedule, before) == after
        assert newest_slot(schedule, begin, Instant(after - 1)) == before


def test_the_newest_of_a_year_of_minutes_is_found_at_once() -> None:
    minutes = Schedule("* * * * *", timezone="Europe/Berlin")
    year = Instant(1_795_000_000_000_000)
    assert newest_slot(minutes, Instant(0), year) == year // MINUTE * MINUTE


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        (Schedule("0 6 * *"), "five fields"),
        (Schedule("0 6 * * * *"), "five fields"),
        (Schedule("0 25 * * *"), "bad hour"),
        (Schedule("0 0 31 2 *"), "bad day-of-month"),
        (Schedule("0 6 * * *", timezone="Europe/Berlon"), "no time zone"),
        (Schedule("0 6 * * *", timezone="../etc/passwd"), "no time zone"),
    ],
)
def test_what_cannot_be_read_is_refused(schedule: Schedule, why: str) -> None:
    with pytest.raises(DefinitionError, match=why):
        check(schedule)


def test_slots_come_one_by_one_for_ever() -> None:
    slots = slots_after(Schedule("0 0 29 2 *"), Instant(0))
    assert [moment(next(slots)).year for _ in range(4)] == [1972, 1976, 1980, 1984]
