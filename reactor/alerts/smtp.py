"""Alerts by mail: one message to the owner, over SMTP. The standard library speaks it; a thread waits for it."""

import asyncio
import hashlib
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal

from reactor.alerts.base import Undeliverable
from reactor.model.commands import Alert
from reactor.model.partitions import moment

SECONDS = 20.0
"""How long one message may take on the wire."""


@dataclass(frozen=True)
class SmtpSettings:
    """`security`: `starttls` and `tls` check the server's certificate; `none` is for a relay on this machine."""

    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    sender: str
    fallback: str
    """The address of those who are told where an owner is none."""
    user: str | None = None
    password: str | None = None


class SmtpAlerts:
    """See the file's head."""

    name = "smtp"

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings

    async def send(self, alert: Alert) -> None:
        message = message_of(alert, self._settings)
        await asyncio.to_thread(self._deliver, message)

    def _deliver(self, message: EmailMessage) -> None:  # type: ignore[explicit-any]  # the standard library's own
        try:
            with self._connect() as server:
                if self._settings.security == "starttls":
                    server.starttls(context=ssl.create_default_context())
                if self._settings.user is not None:
                    server.login(self._settings.user, self._settings.password or "")
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            raise _refused(code, said) from error
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise _refused(error.smtp_code, error.smtp_error) from error

    def _connect(self) -> smtplib.SMTP:
        at = self._settings
        if at.security == "tls":
            return smtplib.SMTP_SSL(at.host, at.port, timeout=SECONDS, context=ssl.create_default_context())
        return smtplib.SMTP(at.host, at.port, timeout=SECONDS)


def _refused(code: int, said: bytes | str) -> Exception:
    """A refusal of the 500s is for good (RFC 5321, section 4.2.1), one of the 400s for now."""
    text = f"the mail server answered {code} {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"
    return Undeliverable(text) if code >= 500 else ConnectionError(text)


def message_of(alert: Alert, settings: SmtpSettings) -> EmailMessage:  # type: ignore[explicit-any]  # the standard library's own
    """The alert as a mail. A message that is sent twice has one Message-ID.

    Raises:
        Undeliverable: neither the owner nor the fallback is an address.
    """
    to = next((a for a in (alert.owner, settings.fallback) if "@" in a and "\n" not in a), None)
    if to is None:
        raise Undeliverable(
            f"{alert.owner!r} is no mail address, and the setting alerts.fallback names none. Name the owner by an address, or set it."
        )
    message = EmailMessage()
    message["Subject"] = _line(f"[{alert.kind}] {alert.subject}")
    message["From"], message["To"] = settings.sender, to
    message["Date"] = format_datetime(moment(alert.at))
    message["Message-ID"] = f"<{hashlib.sha256(alert.key.encode()).hexdigest()[:32]}@reactor>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notices come back
    message.set_content(f"{alert.text}\n\nOwner: {alert.owner or '(none)'}\nSince: {moment(alert.at).isoformat()}\n")
    return message


def _line(text: str) -> str:
    """A header is one line, whatever a partition is called."""
    return "".join(c if c.isprintable() else " " for c in text)[:200]
