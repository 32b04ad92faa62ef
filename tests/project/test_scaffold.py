"""`reactor init`: a project that works as it is, and nothing overwritten."""

import subprocess
import sys
from pathlib import Path

import pytest

from reactor.model.errors import ConfigError
from reactor.project.config import load_settings
from reactor.project.scaffold import scaffold


def test_the_new_project_passes_its_own_tests(tmp_path: Path) -> None:
    root = tmp_path / "My Project"
    scaffold(root)
    load_settings(root, environ={})
    assert 'name = "my-project"' in (root / "pyproject.toml").read_text()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(ConfigError, match="not empty, so nothing was written"):
        scaffold(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        scaffold(tmp_path / "file" / "project")
