"""`sources.json`: how old the newest row of each source was, when `dbt source freshness` looked."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from reactor.model.events import Status
from reactor.schemas.dbt.artifact import Artifact, Source, named, read, short


class _Result(msgspec.Struct, frozen=True):
    unique_id: str
    status: str
    max_loaded_at: datetime | None = None
    snapshotted_at: datetime | None = None
    max_loaded_at_time_ago_in_s: float | None = None
    error: str | int | None = None


class _Sources(Artifact, frozen=True):
    results: list[_Result]


class Freshness(msgspec.Struct, frozen=True):
    """How fresh one source is."""

    unique_id: str
    word: str
    """dbt's own word: `pass`, `warn`, `error`, or `runtime error` where it could not look."""
    age: float | None
    """Seconds between the newest row and the look."""
    newest: datetime | None
    looked: datetime | None
    error: str

    @property
    def name(self) -> str:
        """`raw.orders`"""
        return short(self.unique_id)

    @property
    def status(self) -> Status:
        return Status.OK if self.word in ("pass", "warn") else Status.FAILED


class Freshnesses(msgspec.Struct, frozen=True):
    """What one look found."""

    sources: Mapping[str, Freshness]
    """By unique id."""

    def of(self, name: str) -> Freshness:
        """A source by its unique id, or as `raw.orders`. Raises NotFound: dbt leaves out a source that it could not look at."""
        return self.sources[
            named(name, self.sources, "the freshness of sources; dbt leaves out what it could not look at")
        ]


def sources(source: Source) -> Freshnesses:
    """The `sources.json` at a path, or its bytes. Raises SchemaError."""
    found = read(source, "sources", _Sources)
    return Freshnesses({r.unique_id: _freshness(r) for r in found.results})


def _freshness(found: _Result) -> Freshness:
    return Freshness(
        found.unique_id,
        found.status,
        found.max_loaded_at_time_ago_in_s,
        found.max_loaded_at,
        found.snapshotted_at,
        str(found.error or ""),
    )
