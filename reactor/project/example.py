"""The running example, daily revenue: where its files are, in a checkout and in an installed wheel."""

import shutil
from pathlib import Path

import reactor
from reactor.model.errors import ConfigError

FOLDERS = ("sensors", "workflows")


def example_root() -> Path:
    """The folder that holds the example's `sensors/` and `workflows/`."""
    package = Path(reactor.__file__).parent
    for root in (package / "project" / "scaffold_files", package.parent):
        if all((root / folder).is_dir() for folder in FOLDERS):
            return root
    raise ConfigError("The example's files are not in this installation. Install reactor-orchestrator anew.")


def copy_example(into: Path) -> None:
    """Copies the definitions of the example into a project's folder."""
    for folder in FOLDERS:
        shutil.copytree(example_root() / folder, into / folder, ignore=shutil.ignore_patterns("__pycache__"))
