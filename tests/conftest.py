"""What all tests share: the real services."""

import pytest

pytest_plugins = ["tests.services.fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--scenarios", default=None, metavar="DIR", help="play the scenarios (*.yaml) of this folder instead of our own"
    )
