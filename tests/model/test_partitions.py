"""Partitions: keys, the stretch of time that each stands for, and the days on which the clock changes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor import Daily, DefinitionError, Dynamic, Hourly, Monthly, Static
from reactor.model.ids import Instant, PartitionKey
from reactor.model.partitions import KEY_LIMIT, TimePartitions, instant, local, moment

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "America/Sao_Paulo",
)
HOUR = 3_600_000_000


def wall(*parts: int) -> datetime:
    """A time on the clock on the wall: it has no zone."""
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001 - that is the point


zones = st.sampled_from(ZONES)
instants = st.datetimes(wall(2000, 1, 2), wall(2037, 12, 30)).map(lambda d: instant(d.replace(tzinfo=UTC)))
near_changes = st.builds(
    lambda base, minutes: Instant(base + minutes * 60_000_000),
    st.sampled_from(
        [
            instant(datetime.fromisoformat(t))
            for t in (
                "2026-03-29T01:00Z",
                "2026-10-25T01:00Z",
                "2026-03-08T07:00Z",
                "2026-11-01T06:00Z",
                "2026-04-04T15:00Z",
                "2026-10-03T15:30Z",
                "2011-12-30T10:00Z",
                "2018-11-04T03:00Z",
            )
        ]
    ),
    st.integers(-300, 300),
)
moments = st.one_of(instants, near_changes)


def cuts(zone: str) -> list[TimePartitions]:
    return [Daily("2000-01-01", zone), Hourly("2000-01-01T00", zone), Monthly("2000-01", zone)]


@given(at=moments, zone=zones)
def test_an_instant_lies_in_the_period_of_its_key(at: Instant, zone: str) -> None:
    for cut in cuts(zone):
        key = cut.key_of(at)
        assert cut.refuse(key) is None
        assert cut.begin(key) <= at < cut.end(key)


@given(at=moments, zone=zones)
def test_a_period_begins_with_its_own_key_and_ends_with_the_next(at: Instant, zone: str) -> None:
    for cut in cuts(zone):
        key = cut.key_of(at)
        assert cut.key_of(cut.begin(key)) == key
        assert cut.key_of(Instant(cut.end(key) - 1)) == key
        following = cut.following(key)
        assert cut.begin(following) == cut.end(key)
        assert cut.previous(following) == key
        assert cut.newest_finished(cut.end(key)) == key


@given(at=moments, zone=zones)
def test_hours_tile_days_and_days_tile_months_exactly(at: Instant, zone: str) -> None:
    day, hour, month = cuts(zone)
    for big, small in ((day, hour), (month, day)):
        key = big.key_of(at)
        at_ = big.begin(key)
        for part in small.between(big.begin(key), big.end(key)):
            assert small.begin(part) >= at_
            at_ = small.end(part)
        assert at_ >= big.end(key) - HOUR


@given(at=moments)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo"])
def test_where_clocks_change_by_whole_hours_no_hour_is_left_out(at: Instant, zone: str) -> None:
    day, hour, _ = cuts(zone)
    key = day.key_of(at)
    parts = list(hour.between(day.begin(key), day.end(key)))
    assert day.end(key) - day.begin(key) == len(parts) * HOUR
    assert [hour.begin(p) for p in parts] == [day.begin(key) + n * HOUR for n in range(len(parts))]


@given(first=moments, second=moments, zone=zones)
def test_days_and_months_sort_by_time(first: Instant, second: Instant, zone: str) -> None:
    day, hour, month = cuts(zone)
    for cut in (day, month):
        a, b = cut.key_of(first), cut.key_of(second)
        assert (a < b) == (cut.begin(a) < cut.begin(b))
    a, b = hour.key_of(first), hour.key_of(second)
    if a[:13] != b[:13]:
        assert (a < b) == (hour.begin(a) < hour.begin(b)) or abs(first - second) < 3 * HOUR  # a clock that is set back


@pytest.mark.parametrize(
    ("zone", "day", "hours", "some"),
    [
        ("Europe/Berlin", "2026-03-29", 23, ["2026-03-29T01", "2026-03-29T03"]),
        (
            "Europe/Berlin",
            "2026-10-25",
            25,
            ["2026-10-25T01", "2026-10-25T02+0200", "2026-10-25T02+0100", "2026-10-25T03"],
        ),
        ("America/New_York", "2026-03-08", 23, ["2026-03-08T01", "2026-03-08T03"]),
        ("America/New_York", "2026-11-01", 25, ["2026-11-01T01-0400", "2026-11-01T01-0500", "2026-11-01T02"]),
        ("America/Sao_Paulo", "2018-11-04", 23, ["2018-11-04T01"]),  # midnight itself is skipped
        ("UTC", "2026-03-29", 24, ["2026-03-29T02"]),
    ],
)
def test_the_hours_of_a_day(zone: str, day: str, hours: int, some: list[str]) -> None:
    days, hourly = Daily("2000-01-01", zone), Hourly("2000-01-01T00", zone)
    keys = list(hourly.between(days.begin(PartitionKey(day)), days.end(PartitionKey(day))))
    assert len(keys) == hours
    at = keys.index(PartitionKey(some[0]))
    assert keys[at : at + len(some)] == some


@pytest.mark.parametrize(
    "key", ["2026-03-29T02", "2026-10-25T02", "2026-10-25T03+0100", "2026-10-25T02+0300", "2026-1-2T03", "x", ""]
)
def test_hours_that_do_not_exist_are_refused(key: str) -> None:
    assert Hourly("2026-01-01T00", "Europe/Berlin").refuse(key) is not None


@pytest.mark.parametrize(
    "key",
    [
        "2026-02-29",
        "2026-2-3",
        "2026-02-03 ",
        "20260203",
        "2026-13-01",
        "0000-01-01",
        "0001-01-01",
        "9999-12-31",
        "２０２６-01-01",
        "2025-12-31",
    ],
)
def test_days_that_are_none_are_refused(key: str) -> None:
    assert Daily("2026-01-01").refuse(key) is not None


def test_refusals_say_what_a_key_looks_like() -> None:
    assert Daily("2026-01-01").refuse("20.11.2026") == "'20.11.2026' is not a day such as '2026-01-01'."
    assert Hourly("2026-01-01T00").refuse("x") == "'x' is not an hour such as '2026-01-01T00'."
    assert Daily("2026-01-01").refuse("2025-12-31") == "'2025-12-31' is before the first partition, '2026-01-01'."
    assert (
        Static("berlin", "madrid").refuse("madird")
        == "'madird' is none of the 2 keys (berlin, madrid). Did you mean 'madrid'?"
    )


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Daily("2026-02-30"), "is not a day"),
        (lambda: Daily("2026-01-01", "Europe/Belrin"), "There is no time zone 'Europe/Belrin'"),
        (lambda: Daily("2026-01-01", "../etc/passwd"), "There is no time zone"),
        (Static, "at least one key"),
        (lambda: Static("a", "b", "a"), "names a key twice: ['a']"),
    ],
)
def test_partitions_that_cannot_be_are_refused(make: Any, reason: str) -> None:
    with pytest.raises(DefinitionError) as error:
        make()
    assert reason in str(error.value)


def test_static_takes_lists_and_words() -> None:
    assert Static("a", "b") == Static(["a", "b"])


def test_dynamic_keys_are_any_text_that_can_be_shown() -> None:
    assert Dynamic().refuse("order/7 ü") is None
    for wrong in ("", "a\nb", "a\x00", "x" * (KEY_LIMIT + 1)):
        assert Dynamic().refuse(wrong) is not None


def test_wall_times_in_a_gap_are_the_first_instant_after_it() -> None:
    zone = Daily("2026-01-01", "Europe/Berlin").zone
    assert moment(local(wall(2026, 3, 29, 2, 30), zone)).hour == 1
    assert local(wall(2026, 3, 29, 2, 30), zone) == local(wall(2026, 3, 29, 3, 0), zone)
    assert local(wall(2026, 10, 25, 3, 0), zone) - local(wall(2026, 10, 25, 2, 0), zone) == 2 * HOUR


@given(st.datetimes(wall(1970, 1, 1), wall(2100, 1, 1)))
def test_instants_are_exact(when: datetime) -> None:
    aware = when.replace(tzinfo=UTC)
    assert moment(instant(aware)) == aware
    assert instant(aware + timedelta(microseconds=1)) == instant(aware) + 1
