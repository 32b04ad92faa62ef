"""Alerts by mail, to a real SMTP server."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from reactor.alerts.base import Undeliverable
from reactor.alerts.smtp import SmtpAlerts, SmtpSettings
from reactor.model.commands import Alert, AlertKind
from reactor.model.ids import Instant, Owner
from tests.services.process import free_ports


@dataclass
class Post:
    """What the server does with a recipient, and the mails that it took."""

    answers: dict[str, str] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802 - its name
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - its name
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 taken"


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def server(post: Post) -> Iterator[Controller]:
    controller = Controller(post, hostname="127.0.0.1", port=free_ports(1)[0])
    controller.start()
    yield controller
    controller.stop()


def channel(server: Controller, fallback: str = "") -> SmtpAlerts:
    return SmtpAlerts(SmtpSettings("127.0.0.1", server.port, "none", "reactor@example.com", fallback))


def alert(owner: str = "ana@example.com", subject: str = "orders 2026-11-20") -> Alert:
    at = Instant(1_795_000_000_000_000)
    return Alert("late/orders/2026-11-20", AlertKind.LATE, Owner(owner), subject, "orders are late: é", at)


async def test_the_owner_gets_one_mail_with_what_happened(server: Controller, post: Post) -> None:
    await channel(server).send(alert())
    (mail,) = post.mails
    assert (mail["Subject"], mail["To"], mail["From"]) == (
        "[late] orders 2026-11-20",
        "ana@example.com",
        "reactor@example.com",
    )
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "orders are late: é" in mail.get_content()


async def test_a_mail_that_is_sent_twice_says_so_by_its_id(server: Controller, post: Post) -> None:
    await channel(server).send(alert())
    await channel(server).send(alert())
    assert len(post.mails) == 2
    assert len({m["Message-ID"] for m in post.mails}) == 1


async def test_a_partition_cannot_forge_a_header(server: Controller, post: Post) -> None:
    await channel(server).send(alert(subject="x\r\nBcc: eve@example.com"))
    (mail,) = post.mails
    assert mail["Bcc"] is None
    assert mail["Subject"] == "[late] x  Bcc: eve@example.com"


async def test_where_the_owner_is_no_address_the_fallback_hears(server: Controller, post: Post) -> None:
    await channel(server, "ops@example.com").send(alert(owner="the shop"))
    assert post.mails[0]["To"] == "ops@example.com"
    with pytest.raises(
        Undeliverable, match=r"'the shop' is no mail address, and the setting alerts\.fallback names none"
    ):
        await channel(server).send(alert(owner="the shop"))


async def test_a_refusal_for_good_is_told_from_one_for_now(server: Controller, post: Post) -> None:
    post.answers["ana@example.com"] = "550 no such user"
    with pytest.raises(Undeliverable, match="the mail server answered 550 no such user"):
        await channel(server).send(alert())
    post.answers["ana@example.com"] = "451 come back later"
    with pytest.raises(ConnectionError, match="451 come back later"):
        await channel(server).send(alert())
    assert post.mails == []


async def test_a_server_that_is_not_there_is_trouble_of_the_channel() -> None:
    nobody = SmtpSettings("127.0.0.1", free_ports(1)[0], "none", "reactor@example.com", "")
    with pytest.raises(ConnectionRefusedError):
        await SmtpAlerts(nobody).send(alert())
