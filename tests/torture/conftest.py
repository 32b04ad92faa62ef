"""What the tests of the torture share: one fork server, the two kinds of topics, and the tables at the end of the tests' output."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.kafka import Kafka
from tests.torture.lives import Zygote
from tests.torture.tables import Tables
from tests.torture.topics import Embedded, KafkaTopic, Topic

TABLES = pytest.StashKey[Tables]()


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
def tables(request: pytest.FixtureRequest) -> Tables:
    return request.config.stash.setdefault(TABLES, Tables())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tables = config.stash.get(TABLES, Tables())
    for title, lines in (("kill -9", tables.kills), ("kill -9: seeded defects", sorted(tables.defects))):
        if lines:
            terminalreporter.section(title)
            for line in lines:
                terminalreporter.write_line(line)
