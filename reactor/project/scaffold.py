"""`reactor init`: a project to begin with. The example's own `sensors/` and `workflows/`, with what stands around them.

Law: it writes into a folder that is empty or not there yet, and nowhere else.
"""

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from reactor.model.errors import ConfigError

FILES = Path(__file__).parent / "scaffold_files"
CHECKOUT = Path(__file__).parents[2]
FOLDERS = ("sensors", "workflows")
TEMPLATE = ".template"
"""Files that end so are copied without it, with `{{name}}` filled in."""
SHOP = """
create table if not exists closings (id integer primary key, day text not null);
create table if not exists subscriptions (day text not null, customer text not null, amount text not null);
"""


def scaffold(folder: Path) -> list[Path]:
    """Makes the project and returns its files.

    Raises:
        ConfigError: the folder holds something, or cannot be written.
    """
    target = folder.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{folder} is there and not empty, so nothing was written. Name a new folder.")
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name in FOLDERS:
            _copy(name, target)
        for template in sorted(FILES.rglob(f"*{TEMPLATE}")):
            _fill(template, target)
        (target / "landing").mkdir()
        make_shop(target / "shop.db")
    except OSError as error:
        raise ConfigError(
            f"{error.filename or folder} cannot be written: {error.strerror}. Name a folder that this user may make."
        ) from error
    return sorted(p for p in target.rglob("*") if p.is_file())


def _copy(name: str, target: Path) -> None:
    """From the wheel, else from the checkout that this file lies in."""
    place = next((p for p in (FILES / name, CHECKOUT / name) if p.is_dir()), None)
    if place is None:
        raise ConfigError(
            f"The example's {name}/ is missing from this installation. Install reactor-orchestrator again."
        )
    shutil.copytree(place, target / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))


def make_shop(path: Path) -> None:
    """The table that the example polls, empty."""
    with closing(sqlite3.connect(path)) as shop:
        shop.executescript(SHOP)


def _fill(template: Path, target: Path) -> None:
    place = target / template.relative_to(FILES).with_suffix("")
    place.parent.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", target.name.lower()).strip("-") or "project"
    place.write_text(template.read_text("utf-8").replace("{{name}}", name), "utf-8")
