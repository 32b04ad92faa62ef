"""What the tests of the sources share."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.services.cache import Unavailable
from tests.sources.doors import Doors


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """A broker that listens plainly, behind a proxy, and with SASL and TLS."""
    try:
        broker = Doors(tmp_path_factory.mktemp("kafka"))
    except Unavailable as reason:
        pytest.skip(str(reason))
    asyncio.run(broker.start())
    yield broker
    asyncio.run(broker.kill())
