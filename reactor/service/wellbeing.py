"""How the sources are, as lines in the log: one when a source falls ill or its trouble turns into another, one when it is well again.

Law: it reads `health`, which is there for whoever asks; this is for those who only read the log.
"""

import logging
import re
from collections.abc import Callable, Mapping

from reactor.model.duration import SECOND
from reactor.model.ids import SourceName
from reactor.model.ports import Clock
from reactor.sources.base import Health

log = logging.getLogger(__name__)

EVERY = SECOND
NUMBERS = re.compile(r"\d+")


async def watch_over(health: Callable[[], Mapping[SourceName, Health]], clock: Clock) -> None:
    """Looks once a second, until it is cancelled."""
    told: dict[SourceName, str] = {}
    while True:
        await clock.sleep(EVERY)
        for name, one in health().items():
            _tell(name, one, told)


def _tell(name: SourceName, health: Health, told: dict[SourceName, str]) -> None:
    """A trouble whose text only counts on ("silent for 5 s") is the same trouble."""
    if health.error is None:
        if told.pop(name, None) is not None:
            log.info("Source %s is well again.", name)
        return
    trouble = f"{health.condition}: {NUMBERS.sub('', health.error)}"
    if told.get(name) != trouble:
        told[name] = trouble
        log.warning("Source %s is not well (%s): %s", name, health.condition, health.error)
