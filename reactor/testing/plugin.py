"""The pytest plugin: the fixture `reactor_sim`. Loaded by its entry point."""

from collections.abc import Iterator
from functools import partial

import pytest

from reactor.testing.simulator import Simulator


@pytest.fixture
def reactor_sim() -> "Iterator[partial[Simulator]]":
    """Makes simulators: `sim = reactor_sim(daily, start="2026-11-20T00:00")`. When the test is over, each is
    drained and checked.
    """
    made: list[Simulator] = []
    yield partial(Simulator, keep=made)
    for sim in made:
        sim.drain().check()
