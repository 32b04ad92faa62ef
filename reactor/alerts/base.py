"""The contract of a channel by which alerts reach people. `tests/alerts/` holds one suite that every channel passes."""

from typing import Protocol

from reactor.model.commands import Alert


class Undeliverable(Exception):
    """This one alert can never be delivered by this channel (its text says why); the next one may be. Anything else that `send` raises is
    taken for trouble of the channel, and the alert is sent again later."""


class Channel(Protocol):
    """One way to people. It is handed one alert at a time, in order, and may be handed one again after a crash: `Alert.key` tells."""

    @property
    def name(self) -> str:
        """Short and stable: the ledger's note of how far this channel has come is kept under it."""

    async def send(self, alert: Alert) -> None:
        """Returns when whoever carries it on has taken it. Raises Undeliverable, or what went wrong."""
