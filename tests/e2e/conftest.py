"""The projects of these tests: each has its own folder, and nothing that it started outlives the test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.project import Project

NewProject = Callable[..., Project]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[NewProject]:
    """`project(settings)`: an empty project with these lines in its reactor.toml."""
    made: list[Project] = []

    def make(settings: str = "") -> Project:
        made.append(Project(tmp_path / "project", settings))
        return made[-1]

    yield make
    for each in made:
        each.end()
