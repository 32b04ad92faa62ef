"""One connection to the broker. Law: the one file that reaches through aiomqtt into the paho client below it, and why.

- aiomqtt acknowledges a publication when it has queued it; a process that dies then has lost it. paho can leave that to us
  (`manual_ack_set`, `ack`), but aiomqtt does not hand it on.
- aiomqtt throws away what its queue has no room for, and does not say whether a delivery is a repetition (DUP) or whether
  the broker had a session: so those callbacks are ours; and that of an end of subscription, which would be logged as
  unexpected when nobody waits for it any more.
- The window (`receive maximum`) is what bounds us: the broker sends no more than that without an acknowledgement, which
  comes after the commit. That is the back-pressure.
- `retain handling 1`: what is retained comes once, when the broker makes the subscription, and not at each connection.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress

from aiomqtt import Client, MqttError, ProtocolVersion
from paho.mqtt.client import ConnectFlags
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from reactor.sources.mqtt import trouble
from reactor.sources.mqtt.messages import Packet
from reactor.sources.mqtt.settings import MqttSettings
from reactor.sources.mqtt.window import WINDOW

KEEPALIVE = 15
CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 5.0
REFUSED = 128
"""From here on a reason code is a refusal."""


def identifier(settings: MqttSettings, source: str) -> str:
    """The name of this source's session: the same after a restart."""
    return f"{settings.client_id}-{hashlib.sha256(source.encode()).hexdigest()[:16]}"


class Link:
    """`begun` is told, before anything is delivered, whether the broker had kept our session; `deliver` is given each
    publication. Both are called on the loop, and may not raise.
    """

    def __init__(
        self, settings: MqttSettings, source: str, begun: Callable[[bool], None], deliver: Callable[[Packet], None]
    ) -> None:
        self._settings, self._begun = settings, begun
        host, port = settings.address
        self._client = Client(
            host,
            port,
            identifier=identifier(settings, source),
            username=settings.user,
            password=None if settings.password is None else settings.password.get_secret_value(),
            protocol=ProtocolVersion.V5,
            tls_context=settings.ssl_context(),
            keepalive=KEEPALIVE,
            timeout=ANSWER_SECONDS,
            clean_start=False,
            properties=_session(settings),
        )
        self._paho = self._client._client
        self._paho.connect_timeout = CONNECT_SECONDS
        self._paho.manual_ack_set(True)
        self._paho.on_connect = self._on_connect
        self._answered = asyncio.Event()
        self._paho.on_unsubscribe = lambda *_: self._answered.set()
        self._paho.on_message = lambda _client, _data, message: deliver(message)

    async def open(self, topic_filter: str) -> None:
        """Connects and subscribes. Raises MqttError, or trouble.NotGranted."""
        entering = asyncio.ensure_future(self._client.__aenter__())
        try:
            await asyncio.shield(entering)
        except asyncio.CancelledError:
            with suppress(MqttError):  # it is in a thread, which nothing can interrupt, but for a short while
                await entering
            raise
        for answer in await self._subscribe(topic_filter):
            code = answer.value if isinstance(answer, ReasonCode) else answer
            if code >= REFUSED:
                raise trouble.NotGranted(trouble.not_granted(self._settings, topic_filter, str(answer)))
            if code == 0:
                raise trouble.NotGranted(trouble.only_qos_0(self._settings, topic_filter))

    async def _subscribe(self, topic_filter: str) -> Sequence[int | ReasonCode]:
        """aiomqtt would wait for the answer although the connection is gone."""
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        asked = asyncio.ensure_future(self._client.subscribe(topic_filter, options=options))
        gone = asyncio.ensure_future(self.lost())
        try:
            await asyncio.wait([asked, gone], return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                await gone
            return await asked
        finally:
            asked.cancel(), gone.cancel()
            await asyncio.gather(asked, gone, return_exceptions=True)

    async def lost(self) -> None:
        """Raises MqttError when the connection is gone."""
        await anext(aiter(self._client.messages))  # nothing is ever put there: our own callback takes it

    async def confirm(self) -> None:
        """Returns when the broker has read what was sent before: it is asked for the end of a subscription that there never
        was, and answers. Not for two at once.
        """
        self._answered.clear()
        self._paho.unsubscribe(f"{self._client.identifier}/none")
        await self._answered.wait()

    def acknowledge(self, packet: int) -> bool:
        """The broker may forget it. False where there is no connection to say it on."""
        return self._paho.is_connected() and self._paho.ack(packet, 1) == 0

    async def close(self) -> None:
        """In good order where the broker answers; whatever state it is in."""
        if self._paho.is_connected():
            with suppress(MqttError):
                await self._client.__aexit__(None, None, None)
        if self._paho.socket() is not None:  # aiomqtt gave up on it, and would leave it open
            self._paho.disconnect()
            with suppress(OSError, ValueError):
                self._paho.loop_write()

    def _on_connect(
        self, _paho: object, data: object, flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if not code.is_failure:
            self._begun(bool(flags.session_present))
        self._client._on_connect(self._paho, data, flags, code, properties)


def _session(settings: MqttSettings) -> Properties:
    asked = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's
    asked.SessionExpiryInterval = settings.session_seconds
    asked.ReceiveMaximum = WINDOW
    return asked
