"""What the tests of the torture share: one fork server, the two kinds of topics, and the tables at the end of the tests' output."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.kafka import Kafka
from tests.torture.lives import Zygote
from tests.torture.topics import Embedded, KafkaTopic, Topic

LINES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    made = Zygote()
    yield made
    made.close()


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> Iterator[Topic]:
    """By its parameter: `kafka` or `embedded`."""
    made: Topic = Embedded()
    if request.param == "kafka":
        broker: Kafka = request.getfixturevalue("kafka")
        made = KafkaTopic(broker.bootstrap)
    yield made
    made.close()


@pytest.fixture
def say(request: pytest.FixtureRequest) -> list[str]:
    """Lines for the tables in the tests' output."""
    return request.config.stash.setdefault(LINES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(LINES, [])
    if lines:
        terminalreporter.section("torture: kill -9")
        for line in lines:
            terminalreporter.write_line(line)
