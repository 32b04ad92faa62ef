"""The outbox: every alert of the ledger reaches every channel, in order, also after a crash.

How far a channel has come is a note in the ledger, written after it has taken an alert. So an alert may be sent twice after a crash, and is
never left out. A channel that is down is asked again, ever more seldom; its alerts wait, those of other channels do not.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from reactor.alerts.base import Channel, Undeliverable
from reactor.model.errors import Unreachable
from reactor.model.ids import Instant
from reactor.model.ports import Clock, Redact
from reactor.store.base import TOLD, AlertRow, Reader, Transaction, Undelivered

log = logging.getLogger(__name__)

PAGE = 100
SEND_AT_MOST = 30.0
"""Seconds for one alert on one channel."""
FIRST_PAUSE, LONGEST_PAUSE = 1_000_000, 300_000_000
"""Microseconds until a channel that failed is asked again: doubled each time."""
Write = Callable[[Transaction], Awaitable[object]]


class Outbox:
    """See the file's head. `open`, then `run` until cancelled; `ring` when an alert was written."""

    def __init__(
        self,
        channels: Sequence[Channel],
        reader: Callable[[], Awaitable[Reader]],
        write: Write,
        clock: Clock,
        redact: Redact,
    ) -> None:
        self._channels, self._reader, self._write, self._clock, self._redact = channels, reader, write, clock, redact
        self._told: dict[str, int] = {}
        self._bells = {c.name: asyncio.Event() for c in channels}
        self.troubles: dict[str, str] = {}
        """Why a channel cannot be reached at present, by its name."""

    async def open(self, meta: dict[str, str]) -> Transaction | None:
        """Where each channel stands. One that is new tells what comes from now on, not what was long ago: what has to be noted for that. Nothing
        is kept for one that is gone."""
        named = {TOLD + c.name for c in self._channels}
        fresh = {name: "" for name, note in meta.items() if name.startswith(TOLD) and note and name not in named}
        for channel in self._channels:
            note = meta.get(TOLD + channel.name)
            self._told[channel.name] = int(note) if note else await self._newest()
            if not note:
                fresh[TOLD + channel.name] = str(self._told[channel.name])
        return Transaction(meta=fresh) if fresh else None

    async def _newest(self) -> int:
        reader, last = await self._reader(), 0
        while page := await reader.alerts(last, PAGE * 10):
            last = page[-1].id
        return last

    def ring(self) -> None:
        """There is something to tell."""
        for bell in self._bells.values():
            bell.set()

    async def run(self) -> None:
        self.ring()
        async with asyncio.TaskGroup() as group:
            for channel in self._channels:
                group.create_task(self._serve(channel), name=f"alerts by {channel.name}")

    async def _serve(self, channel: Channel) -> None:
        bell = self._bells[channel.name]
        while True:
            await bell.wait()
            bell.clear()
            while page := await (await self._reader()).alerts(self._told[channel.name], PAGE):
                for row in page:
                    failed = await self._tell(channel, row)
                    try:
                        await self._note(channel, row, failed)
                    except Unreachable:
                        return  # the service stops; the next one tells it again

    async def _tell(self, channel: Channel, row: AlertRow) -> str | None:
        """Returns when the channel has taken it; or why it never will."""
        pause = FIRST_PAUSE
        while True:
            try:
                async with asyncio.timeout(SEND_AT_MOST):
                    await channel.send(row.alert)
                break
            except Undeliverable as error:
                log.error(
                    "Alert %s (%s) cannot be delivered by %s: %s.", row.id, row.alert.subject, channel.name, error
                )
                return self._redact(str(error))
            except Exception as error:  # noqa: BLE001 - a channel's trouble costs nobody else anything
                self._trouble(channel, error)
            await self._clock.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        if self.troubles.pop(channel.name, None) is not None:
            log.warning("Alerts are told by %s again.", channel.name)
        return None

    def _trouble(self, channel: Channel, error: Exception) -> None:
        why = f"it did not answer within {SEND_AT_MOST:g} s" if isinstance(error, TimeoutError) else ""
        why = why or self._redact(f"{type(error).__name__}: {error}")
        if channel.name not in self.troubles:
            log.error("Alerts cannot be told by %s: %s. They wait, and are sent when it answers.", channel.name, why)
        self.troubles[channel.name] = why

    async def _note(self, channel: Channel, row: AlertRow, failed: str | None) -> None:
        note = Transaction(meta={TOLD + channel.name: str(row.id)})
        if failed is not None:
            note.undelivered.append(Undelivered(row.id, channel.name, failed, Instant(self._clock.now())))
        await self._write(note)
        self._told[channel.name] = row.id
