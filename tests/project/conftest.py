"""Projects made of a few lines, and the interpreter's imports put back afterwards."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """`make(sensors__inputs="...", workflows__daily="...")` writes these files and gives the project's folder."""
    modules, path = dict(sys.modules), list(sys.path)
    root = tmp_path / "a project"

    def write(**files: str) -> Path:
        for name, text in files.items():
            file = root / (name.replace("__", "/") + ".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return root

    yield write
    for name in [n for n in sys.modules if n not in modules]:
        if name.partition(".")[0] in ("sensors", "workflows", "email", "rules"):
            del sys.modules[name]
    sys.modules.update({n: m for n, m in modules.items() if n.partition(".")[0] in ("sensors", "workflows")})
    sys.path[:] = path
