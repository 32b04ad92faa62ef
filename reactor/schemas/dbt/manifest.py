"""`manifest.json`: models, seeds, snapshots and sources with their columns, and which tests belong to them."""

from collections.abc import Mapping

import msgspec

from reactor.model.schema import Basis, Diff, Schema, diff
from reactor.model.schema.types import Field, names_of
from reactor.schemas.dbt.artifact import Artifact, Source, named, read, short
from reactor.schemas.sql import sql_type

_WITH_COLUMNS = ("model", "seed", "snapshot", "source")
_NOT_NULL = ("not_null", "primary_key")


class _Constraint(msgspec.Struct, frozen=True):
    type: str


class _Column(msgspec.Struct, frozen=True):
    name: str = ""
    data_type: str | None = None
    constraints: list[_Constraint] | None = None


class _Needs(msgspec.Struct, frozen=True):
    nodes: list[str] | None = None


class _Node(msgspec.Struct, frozen=True):
    resource_type: str
    relation_name: str | None = None
    columns: dict[str, _Column] | None = None
    attached_node: str | None = None
    depends_on: _Needs | None = None


class _Manifest(Artifact, frozen=True):
    nodes: dict[str, _Node]
    sources: dict[str, _Node] = msgspec.field(default_factory=dict)


class Model(msgspec.Struct, frozen=True):
    """A model, seed, snapshot or source."""

    unique_id: str
    relation: str
    """What it is called in the database; empty where it is not there, such as an ephemeral model."""
    schema: Schema | None
    """Its columns as the project describes them: names alone where one of them has no data type, None where there are none."""
    tests: tuple[str, ...]
    """The unique ids of the tests on it."""

    @property
    def name(self) -> str:
        return short(self.unique_id)


class Manifest(msgspec.Struct, frozen=True):
    """What a project consists of."""

    models: Mapping[str, Model]
    """By unique id."""

    def of(self, name: str) -> Model:
        """A model by its unique id or its name. Raises NotFound."""
        return self.models[named(name, self.models, "the manifest")]


class Changes(msgspec.Struct, frozen=True):
    """What is different between two manifests."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: Mapping[str, Diff]
    """The models in both, whose columns are described in both and are not identical."""


def manifest(source: Source) -> Manifest:
    """The `manifest.json` at a path, or its bytes. Raises SchemaError."""
    found = read(source, "manifest", _Manifest)
    nodes = {**found.nodes, **found.sources}
    tests: dict[str, list[str]] = {}
    for unique_id, node in nodes.items():
        for target in _tested(node) if node.resource_type == "test" else ():
            tests.setdefault(target, []).append(unique_id)
    return Manifest(
        {
            unique_id: Model(unique_id, node.relation_name or "", _schema(node), tuple(tests.get(unique_id, ())))
            for unique_id, node in nodes.items()
            if node.resource_type in _WITH_COLUMNS
        }
    )


def changes(old: Manifest, new: Manifest) -> Changes:
    """What is different, model by model."""
    diffs = dict[str, Diff]()
    for unique_id, model in new.models.items():
        before = old.models[unique_id].schema if unique_id in old.models else None
        if before is not None and model.schema is not None:
            found = diff(before, model.schema)
            if found.changes:
                diffs[unique_id] = found
    added, removed = set(new.models) - set(old.models), set(old.models) - set(new.models)
    return Changes(tuple(sorted(added)), tuple(sorted(removed)), diffs)


def _tested(node: _Node) -> list[str]:
    """What a test is on: the node that it is attached to, else all that it reads."""
    if node.attached_node is not None:
        return [node.attached_node]
    return list(node.depends_on.nodes or ()) if node.depends_on is not None else []


def _schema(node: _Node) -> Schema | None:
    if not node.columns:
        return None
    columns = {c.name or key: c for key, c in node.columns.items()}
    if any(c.data_type is None for c in columns.values()):
        return names_of(*columns)
    return Schema(tuple(_field(name, c) for name, c in columns.items()), basis=Basis.LANDED)


def _field(name: str, column: _Column) -> Field:
    required = any(c.type in _NOT_NULL for c in column.constraints or ())
    return Field(name, sql_type(column.data_type or ""), nullable=not required)
