"""The alert channel that is always there: a line in the log, at a level that fits. The ledger keeps each alert besides."""

import logging

from reactor.model.commands import Alert, AlertKind

log = logging.getLogger("reactor.alert")


class LogAlerts:
    """Tells alerts by logging them. `fallback`: who is named where a thing has no owner."""

    name = "log"

    def __init__(self, fallback: str) -> None:
        self._fallback = fallback

    async def send(self, alert: Alert) -> None:
        level = logging.WARNING if alert.kind is AlertKind.LATE else logging.ERROR
        log.log(level, "[%s] %s -> %s", alert.kind, alert.text, alert.owner or self._fallback or "(no owner)")
