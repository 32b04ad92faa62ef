"""Telemetry that tells nobody: for tests, simulation, and a service without an exporter's price."""

from collections.abc import Sequence

from reactor.model.commands import Announced, Noted
from reactor.telemetry.base import Counted, Sensed


class Nothing:
    """See `reactor.telemetry.base.Telemetry`."""

    traces = False

    def flagged(self, context: str, incoming: str | None) -> str:  # noqa: ARG002 - the contract's
        return context

    def sensed(self, found: Sequence[Sensed]) -> None: ...
    def counted(self, counts: Sequence[Counted]) -> None: ...
    def announced(self, made: Sequence[Announced]) -> None: ...
    def noted(self, ended: Sequence[Noted]) -> None: ...
    async def close(self, timeout: float) -> None: ...
