"""How an asset is cut: which keys there are, and what stretch of time a key stands for.

Keys are text and sort by time: `2026-11` (month), `2026-11-20` (day), `2026-11-20T07` (hour). An hour that the clock goes
through twice, in autumn, carries its UTC offset, and only there: `2026-10-25T02+0200` and `2026-10-25T02+0100`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import ClassVar
from zoneinfo import ZoneInfo

from reactor.model.errors import DefinitionError, nearest
from reactor.model.ids import Instant, PartitionKey

KEY_LIMIT = 256
FIRST_YEAR, LAST_YEAR = 2, 9998
"""In the years beside these, a day's end or its time zone can lie outside what a date can say."""
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f]")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise DefinitionError(
            f"There is no time zone {name!r}. Use a name such as 'Europe/Berlin' or 'UTC'."
        ) from error


def instant(moment: datetime) -> Instant:
    """An aware datetime as microseconds since 1970, exactly."""
    gone = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return Instant((gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds)


def moment(at: Instant, zone: tzinfo = UTC) -> datetime:
    """The instant as an aware datetime in `zone`."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(zone)


def local(wall: datetime, zone: ZoneInfo) -> Instant:
    """The instant of a wall-clock time: in a spring gap the first instant after it, in an autumn overlap the first of the two."""
    aware = wall.replace(tzinfo=zone, fold=0)
    back = moment(instant(aware), zone)
    if back.replace(tzinfo=None) == wall:
        return instant(aware)
    before = wall.replace(tzinfo=zone, fold=0).utcoffset()
    after = wall.replace(tzinfo=zone, fold=1).utcoffset()
    assert before is not None and after is not None
    jump = abs(after - before)
    low = instant((wall - jump).replace(tzinfo=zone))
    high = instant((wall + jump).replace(tzinfo=zone))
    while low < high:  # the first instant whose wall clock is past the gap
        middle = Instant((low + high) // 2)
        if moment(middle, zone).replace(tzinfo=None) < wall:
            low = Instant(middle + 1)
        else:
            high = middle
    return low


@dataclass(frozen=True)
class Partitions:
    """The base of every way to cut. Two assets meet in one rule by equal keys where their partitions are equal."""

    unit: ClassVar[str] = ""

    def refuse(self, key: str) -> str | None:
        """Why `key` is not one of these partitions; None where it is."""
        raise NotImplementedError

    def describe(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class _Time(Partitions):
    start: str
    timezone: str = "UTC"
    pattern: ClassVar[str] = ""
    shape: ClassVar[re.Pattern[str]]

    def __post_init__(self) -> None:
        _zone(self.timezone)
        if self.refuse_shape(self.start):
            raise DefinitionError(
                f"{type(self).__name__}(start={self.start!r}): {self.refuse_shape(self.start)} "
                f"Write the first key, such as {self.example()!r}."
            )

    @property
    def zone(self) -> ZoneInfo:
        return _zone(self.timezone)

    def example(self) -> str:
        return datetime(2026, 1, 1).strftime(self.pattern)

    def parse(self, key: str) -> datetime:
        """The local start of the period, without a zone. Raises ValueError."""
        found = self.shape.fullmatch(key)
        if found is None:
            raise ValueError("not in its canonical form")
        parts = [int(part) for part in found.groups()]
        year, month, day, hour = parts + [1, 1, 1, 0][len(parts) :]
        if not FIRST_YEAR <= year <= LAST_YEAR:
            raise ValueError("outside the years that the calendar can count in")
        return datetime(year, month, day, hour)

    def refuse_shape(self, key: str) -> str | None:
        try:
            self.parse(key)
        except ValueError:
            return f"{key!r} is not {self.article()} {self.unit} such as {self.example()!r}."
        return None

    def article(self) -> str:
        return "an" if self.unit[0] in "aeiouh" else "a"

    def refuse(self, key: str) -> str | None:
        wrong = self.refuse_shape(key)
        if wrong is None and self.is_early(key):
            return f"{key!r} is before the first partition, {self.start!r}."
        return wrong

    def is_early(self, key: str) -> bool:
        """Keys sort by time."""
        return key < self.start

    def describe(self) -> str:
        return f"{type(self).__name__.lower()} from {self.start}, {self.timezone}"

    def begin(self, key: PartitionKey) -> Instant:
        """When the period starts."""
        return local(self.parse(key), self.zone)

    def next_wall(self, wall: datetime) -> datetime:
        raise NotImplementedError

    def end(self, key: PartitionKey) -> Instant:
        """When the period is over; not part of it."""
        return local(self.next_wall(self.parse(key)), self.zone)

    def key_of(self, at: Instant) -> PartitionKey:
        """The period that the instant lies in."""
        return PartitionKey(moment(at, self.zone).strftime(self.pattern))

    def following(self, key: PartitionKey) -> PartitionKey:
        return self.key_of(self.end(key))

    def previous(self, key: PartitionKey) -> PartitionKey:
        return self.key_of(Instant(self.begin(key) - 1))

    def newest_finished(self, at: Instant) -> PartitionKey:
        """The last period that ended at or before the instant."""
        return self.previous(self.key_of(at))

    def between(self, first: Instant, last: Instant) -> Iterable[PartitionKey]:
        """The periods that begin in [first, last), in order."""
        key = self.key_of(first)
        if self.begin(key) < first:
            key = self.following(key)
        while self.begin(key) < last:
            yield key
            key = self.following(key)


@dataclass(frozen=True)
class Daily(_Time):
    """One partition a local day, `2026-11-20`: 23 or 25 hours long where the clock changes."""

    unit: ClassVar[str] = "day"
    pattern: ClassVar[str] = "%Y-%m-%d"
    shape: ClassVar[re.Pattern[str]] = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)

    def next_wall(self, wall: datetime) -> datetime:
        return wall + timedelta(days=1)


@dataclass(frozen=True)
class Monthly(_Time):
    """One partition a local month, `2026-11`."""

    unit: ClassVar[str] = "month"
    pattern: ClassVar[str] = "%Y-%m"
    shape: ClassVar[re.Pattern[str]] = re.compile(r"(\d{4})-(\d\d)", re.ASCII)

    def next_wall(self, wall: datetime) -> datetime:
        first = date(wall.year + wall.month // 12, wall.month % 12 + 1, 1)
        return datetime(first.year, first.month, 1)


_HOUR = re.compile(r"(\d{4}-\d\d-\d\dT\d\d)([+-]\d{4})?", re.ASCII)


@dataclass(frozen=True)
class Hourly(_Time):
    """One partition an hour of the local clock, `2026-11-20T07`. Where a clock changes by half an hour, one of them is half as long."""

    unit: ClassVar[str] = "hour"
    pattern: ClassVar[str] = "%Y-%m-%dT%H"
    shape: ClassVar[re.Pattern[str]] = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d)", re.ASCII)

    def refuse_shape(self, key: str) -> str | None:
        try:
            self.begin(PartitionKey(key))
        except ValueError:
            return f"{key!r} is not {self.article()} {self.unit} such as {self.example()!r}."
        return None

    def is_early(self, key: str) -> bool:
        """Within the hour that comes twice, keys do not sort by time."""
        if key[:13] != self.start[:13]:
            return key < self.start
        return self.begin(PartitionKey(key)) < self.begin(PartitionKey(self.start))

    def begin(self, key: PartitionKey) -> Instant:
        found = _HOUR.fullmatch(key)
        if found is None:
            raise ValueError("not an hour")
        passes = _passes(self.parse(found[1]), self.zone)
        if not passes:
            raise ValueError("an hour that the clock skips")
        if found[2] is None:
            if len(passes) > 1:
                raise ValueError("an hour that comes twice, without its UTC offset")
            return next(iter(passes.values()))
        if len(passes) > 1 and found[2] in passes:
            return passes[found[2]]
        raise ValueError("an offset that this hour does not have, or does not need")

    def end(self, key: PartitionKey) -> Instant:
        begin = self.begin(key)
        for end in range(begin + _QUARTER, begin + 8 * _QUARTER, _QUARTER):
            if self.key_of(Instant(end)) != key:
                return Instant(end)
        raise AssertionError("an hour of the clock ends within two that pass")

    def key_of(self, at: Instant) -> PartitionKey:
        here = moment(at, self.zone)
        passes = _passes(here.replace(tzinfo=None, minute=0, second=0, microsecond=0, fold=0), self.zone)
        return PartitionKey(here.strftime(self.pattern) + (here.strftime("%z") if len(passes) > 1 else ""))


_QUARTER = 900_000_000


@lru_cache(maxsize=8192)
def _passes(wall: datetime, zone: ZoneInfo) -> dict[str, Instant]:
    """The times that the clock goes through an hour, by UTC offset: none, one, or two of them, each with its first instant.

    Looked at by the quarter of an hour: there are clocks that change by half an hour, so that an hour may be half as long.
    """
    found: dict[str, Instant] = {}
    for minute in (0, 15, 30, 45):
        part = wall.replace(minute=minute)
        for fold in (0, 1):
            at = instant(part.replace(tzinfo=zone, fold=fold))
            back = moment(at, zone)
            if back.replace(tzinfo=None, fold=0) == part:
                found.setdefault(back.strftime("%z"), at)
    return found


@dataclass(frozen=True, init=False)
class Static(Partitions):
    """A fixed list of keys: regions, customers, sites."""

    keys: tuple[str, ...]
    unit: ClassVar[str] = "key"

    def __init__(self, *keys: str | Iterable[str]) -> None:
        flat: list[str] = []
        for key in keys:
            flat.extend([key] if isinstance(key, str) else key)
        if not flat:
            raise DefinitionError("Static() needs at least one key.")
        if len(set(flat)) != len(flat):
            raise DefinitionError(f"Static() names a key twice: {sorted({k for k in flat if flat.count(k) > 1})}.")
        object.__setattr__(self, "keys", tuple(flat))

    def refuse(self, key: str) -> str | None:
        if key in self.keys:
            return None
        return f"{key!r} is none of the {len(self.keys)} keys ({', '.join(self.keys[:8])}).{nearest(key, self.keys)}"

    def describe(self) -> str:
        return f"one of {len(self.keys)}: {', '.join(self.keys[:8])}"


@dataclass(frozen=True)
class Dynamic(Partitions):
    """Any key that arrives: an order id, a file's name. Up to 256 characters, none of them a control character."""

    name: str = "key"
    unit: ClassVar[str] = "key"

    def refuse(self, key: str) -> str | None:
        if not key:
            return "an empty key is no partition."
        if len(key) > KEY_LIMIT:
            return f"the key has {len(key)} characters; {KEY_LIMIT} are allowed."
        if key.isprintable():
            return None
        return "the key has a control character in it." if _FORBIDDEN.search(key) else None

    def describe(self) -> str:
        return f"any {self.name}"


TimePartitions = Daily | Hourly | Monthly


def time_of(partitions: Partitions | None) -> TimePartitions | None:
    """The same partitions where they are cut by time; None where they are not."""
    return partitions if isinstance(partitions, (Daily, Hourly, Monthly)) else None
