"""The pytest plugin: the fixture `reactor_sim`. Loaded by its entry point."""

from collections.abc import Callable, Iterator
from typing import Any  # Any: options are handed on to Simulator, which checks them

import pytest

from reactor.testing.simulator import Simulator


@pytest.fixture
def reactor_sim() -> Iterator[Callable[..., Simulator]]:
    """Makes simulators: `sim = reactor_sim(daily, start="2026-11-20T00:00")`. When the test is over, each is drained and its promises checked."""
    made: list[Simulator] = []

    def make(*definitions: Any, **options: Any) -> Simulator:
        made.append(Simulator(*definitions, **options))
        return made[-1]

    yield make
    for sim in made:
        sim.drain().check()
