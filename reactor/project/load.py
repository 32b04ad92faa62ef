"""The definitions of a project: what stands in its `sensors/` and `workflows/`, collected, checked and indexed.

Law: a module's values are its registrations. There is no registry: what a file of the definitions folders holds at
its top (an `Asset`, a sensor, a gate, a `Workflow`, or a list or dict of them) is what the project defines.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from reactor.core.build import build
from reactor.core.graph import Graph
from reactor.model.asset import Asset
from reactor.model.errors import DefinitionError, NotFound, nearest
from reactor.model.gate import Gate
from reactor.model.ids import TaskName
from reactor.model.sensor import AnySensor, Sensor
from reactor.model.workflow import Task, Workflow
from reactor.project.importing import files_of, fresh, import_all
from reactor.project.lint import warnings_of
from reactor.schemas.declared import declared


@dataclass(frozen=True)
class Definitions:
    """What was loaded. `digests`: the code version of each file, by its absolute path."""

    root: Path
    folders: tuple[str, ...]
    graph: Graph
    digests: Mapping[str, str]
    files: tuple[Path, ...]
    warnings: tuple[str, ...] = ()


def load(root: Path, folders: Sequence[str] = ("sensors", "workflows")) -> Definitions:
    """Imports the definition files of the project anew and checks them.

    Raises:
        DefinitionError: every reason that can be told at once, each with its file and line. What was loaded before
        stays importable.
    """
    root = root.resolve()
    files = files_of(root, folders)
    if not files:
        raise DefinitionError(
            f"There are no definitions in {root}: no Python file in {' or '.join(f'{f}/' for f in folders)}. Go to a "
            "project's folder, "
            "name it with --project, or begin one with `reactor init DIR`."
        )
    versions = digests(files)
    with fresh(folders):
        graph = _graph(root, import_all(root, folders, files), versions)
    warnings = (*graph.warnings, *_missing(root, folders), *warnings_of(graph))
    return Definitions(root, tuple(folders), graph, versions, tuple(files), warnings)


def digests(files: Iterable[Path]) -> dict[str, str]:
    """The code version of each file, by its path. One that cannot be read has none: importing it says why."""
    found: dict[str, str] = {}
    for file in files:
        with suppress(OSError):
            found[str(file)] = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    return found


def _graph(root: Path, modules: Iterable[ModuleType], digests: Mapping[str, str]) -> Graph:
    try:
        assets, sensors, workflows, gates = _collect(modules)
        return build(assets, sensors, workflows, digests, gates, declared)
    except DefinitionError as error:
        raise DefinitionError(str(error).replace(f"{root}/", "")) from error


def resolve(root: str, *folders: str) -> Callable[[TaskName], Task]:
    """For worker processes: the project's tasks by their names, loaded in the same way."""
    nodes = load(Path(root), folders).graph.nodes

    def find(name: TaskName) -> Task:
        if name not in nodes:
            raise NotFound(f"There is no task {name!r} in the definitions of this worker.{nearest(name, nodes)}")
        return nodes[name].task

    return find


def _collect(modules: Iterable[ModuleType]) -> tuple[list[Asset], list[AnySensor], list[Workflow], list[Gate]]:
    assets: list[Asset] = []
    sensors: dict[int, AnySensor] = {}  # by identity: a sensor that another file imports is still one
    workflows: dict[int, Workflow] = {}
    gates: dict[int, Gate] = {}
    for value in (v for module in modules for v in _values(module)):
        if isinstance(value, Asset):
            assets.append(value)
        elif isinstance(value, Sensor):
            sensors[id(value)] = value
        elif isinstance(value, Workflow):
            workflows[id(value)] = value
        elif isinstance(value, Gate):
            gates[id(value)] = value
    return assets, list(sensors.values()), list(workflows.values()), list(gates.values())


def _values(module: ModuleType) -> Iterator[object]:
    for name, value in list(vars(module).items()):
        if name.startswith("__"):
            continue
        if isinstance(value, dict):
            yield from value.values()
        elif isinstance(value, (list, tuple, set, frozenset)):
            yield from value
        else:
            yield value


def _missing(root: Path, folders: Sequence[str]) -> Iterator[str]:
    for folder in folders:
        if not (root / folder).is_dir():
            yield f"The folder {folder}/ of the setting `definitions` is not there."
