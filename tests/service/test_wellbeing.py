"""What the log says of sources: once when they fall ill, once when they are well again."""

import asyncio
import logging

import pytest

from reactor.model.ids import Instant, SourceName
from reactor.service.wellbeing import EVERY, watch_over
from reactor.sources.base import Condition, Health
from tests.clock import VirtualClock

NAME = SourceName("kafka:orders")


async def test_a_trouble_is_said_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    clock, errors = VirtualClock(), {NAME: ""}

    def health() -> dict[SourceName, Health]:
        condition = Condition.CONNECTING if errors[NAME] else Condition.CONNECTED
        return {NAME: Health(condition, Instant(0), error=errors[NAME] or None)}

    watching = asyncio.create_task(watch_over(health, clock))
    with caplog.at_level(logging.INFO):
        for error in ("", "silent for 1 s", "silent for 2 s", "no such topic", "", ""):
            errors[NAME] = error
            await clock.advance(EVERY)
    watching.cancel()
    assert [record.getMessage() for record in caplog.records] == [
        "Source kafka:orders is not well (connecting): silent for 1 s",
        "Source kafka:orders is not well (connecting): no such topic",
        "Source kafka:orders is well again.",
    ]
