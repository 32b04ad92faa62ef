"""`run_results.json`: how each node of one invocation ended."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from reactor.model.events import Json, Status
from reactor.schemas.dbt.artifact import Artifact, Source, named, read, short
from reactor.schemas.dbt.manifest import Manifest

_ENDED: Mapping[str, Status] = {
    "success": Status.OK,
    "pass": Status.OK,
    "warn": Status.OK,
    "skipped": Status.SKIPPED,
    "no-op": Status.SKIPPED,
}
"""Every other word, also one that dbt does not have yet, is a failure."""


class _Timing(msgspec.Struct, frozen=True):
    started_at: datetime | None = None
    completed_at: datetime | None = None


class _Result(msgspec.Struct, frozen=True):
    unique_id: str
    status: str
    timing: list[_Timing] = []
    execution_time: float = 0.0
    message: str | None = None
    failures: int | None = None
    adapter_response: dict[str, Json] = {}


class _Results(Artifact, frozen=True):
    results: list[_Result]
    elapsed_time: float = 0.0
    args: dict[str, Json] = msgspec.field(default_factory=dict)


class Result(msgspec.Struct, frozen=True):
    """How one model or test ended."""

    unique_id: str
    word: str
    """dbt's own word for it."""
    seconds: float
    started: datetime | None
    completed: datetime | None
    message: str
    failures: int | None
    """Rows that a test found to be wrong."""
    rows: int | None
    """Rows that were written, where the database says so."""

    @property
    def name(self) -> str:
        return short(self.unique_id)

    @property
    def status(self) -> Status:
        return _ENDED.get(self.word, Status.FAILED)


class RunResults(msgspec.Struct, frozen=True):
    """One invocation of dbt."""

    invocation: str
    command: str
    """`build`, `run`, `test`, ...; empty where it is not said."""
    generated: datetime | None
    seconds: float
    results: Mapping[str, Result]
    """By unique id: what was executed, and nothing else."""

    def of(self, name: str) -> Result:
        """A result by its unique id or name. Raises NotFound: dbt writes down only what it executed."""
        models = [i for i in self.results if not i.startswith(("test.", "unit_test."))]
        return self.results[name] if name in self.results else self.results[named(name, models, "the run results")]

    def tests(self, manifest: Manifest, name: str) -> tuple[Result, ...]:
        """The results of the tests on a model, of those that were executed. Raises NotFound: the manifest has no such model."""
        return tuple(self.results[t] for t in manifest.of(name).tests if t in self.results)


def run_results(source: Source) -> RunResults:
    """The `run_results.json` at a path, or its bytes. Raises SchemaError."""
    found = read(source, "run-results", _Results)
    return RunResults(
        found.metadata.invocation_id or "",
        str(found.args.get("which") or ""),
        found.metadata.generated_at,
        found.elapsed_time,
        {r.unique_id: _result(r) for r in found.results},
    )


def _result(found: _Result) -> Result:
    rows = found.adapter_response.get("rows_affected")
    return Result(
        found.unique_id,
        found.status,
        found.execution_time,
        min((t.started_at for t in found.timing if t.started_at is not None), default=None),
        max((t.completed_at for t in found.timing if t.completed_at is not None), default=None),
        found.message or "",
        found.failures,
        rows if isinstance(rows, int) and not isinstance(rows, bool) and rows >= 0 else None,
    )
