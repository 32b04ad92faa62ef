"""`sources.json`: how old the newest row of each source was, when `dbt source freshness` looked."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from reactor.model.events import Status
from reactor.schemas.dbt.artifact import Artifact, Source, read, short


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


def sources(source: Source) -> Mapping[str, Freshness]:
    """The `sources.json` at a path, or its bytes, by unique id. Raises SchemaError."""
    found = read(source, "sources", _Sources)
    return {
        r.unique_id: Freshness(
            r.unique_id, r.status, r.max_loaded_at_time_ago_in_s, r.max_loaded_at, r.snapshotted_at, str(r.error or "")
        )
        for r in found.results
    }
