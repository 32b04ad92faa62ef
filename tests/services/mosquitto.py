"""A real Mosquitto: a broker of MQTT with a plain listener, one with TLS, a password file and persistence, which tests may
stop, kill, freeze and start again.

`REACTOR_TEST_MQTT=host:port` names a broker that is already there, open to anybody; it serves the tests that need no
control over it.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.services.cache import Unavailable
from tests.services.certificates import authority
from tests.services.process import Server, free_ports, listening

EAGER = ("autosave_interval 1", "autosave_on_changes true")
"""It writes all that it keeps soon after each change: slow, and the best that it can do against `kill -9`."""
USER, PASSWORD = "alice", "wonder-land-9"
SETTINGS = (
    "persistence true",
    "max_queued_messages 0",
    "max_inflight_messages 0",  # up to what the client allows
    "sys_interval 0",
    "per_listener_settings false",
    "allow_anonymous false",
)


class Mqtt:
    """A broker that answers at `server`, to this user or, without one, to anybody."""

    def __init__(self, server: str, user: str | None = None, password: str | None = None) -> None:
        self.server = server
        self.user, self.password = user, password

    def client(self, **options: Any) -> aiomqtt.Client:
        """A publisher, or a subscriber, of the tests' own."""
        host, _, port = self.server.rpartition(":")
        given = {"username": self.user, "password": self.password, "protocol": aiomqtt.ProtocolVersion.V5} | options
        return aiomqtt.Client(host, int(port), **given)

    async def publish(self, topic: str, *bodies: bytes, qos: int = 1, retain: bool = False, **properties: str) -> None:
        """Each body is with the broker when it returns. `properties` are user properties."""
        async with self.client() as client:
            for body in bodies:
                await client.publish(topic, body, qos=qos, retain=retain, properties=user_properties(properties))

    async def answers(self) -> bool:
        """True where the broker lets us in."""
        try:
            async with self.client(timeout=2):
                return True
        except aiomqtt.MqttError:
            return False


class Mosquitto(Mqtt):
    """A broker of the tests' own. Stopped and started again it has the same ports, sessions and queues."""

    def __init__(self, folder: Path, *settings: str) -> None:
        program = _program()
        self._port, self._tls_port = free_ports(2)
        super().__init__(f"127.0.0.1:{self._port}", USER, PASSWORD)
        self.address = ("127.0.0.1", self._port)
        self.tls = f"localhost:{self._tls_port}"
        self.certificates = authority(folder)
        self._folder, self._settings = folder, settings
        self._server = Server([program, "-c", str(folder / "mosquitto.conf")], folder / "broker.log")

    @property
    def pid(self) -> int | None:
        return self._server.pid

    async def start(self) -> None:
        """Returns when the broker lets a client in."""
        self._write()
        await self._server.start(self._itself_answers, 20.0)

    async def stop(self) -> None:
        """SIGTERM: it writes down what it keeps."""
        await self._server.stop()

    async def kill(self) -> None:
        """SIGKILL."""
        await self._server.kill()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing answers, until `thaw`."""
        self._server.freeze()

    def thaw(self) -> None:
        self._server.thaw()

    def forget(self) -> None:
        """What it kept is gone, sessions and queues and all. Only while it does not run."""
        (self._folder / "mosquitto.db").unlink(missing_ok=True)

    async def _itself_answers(self) -> bool:
        return listening(*self.address) and await self.answers()

    def _write(self) -> None:
        passwords = self._folder / "passwords"
        if not passwords.exists():
            argv = ["mosquitto_passwd", "-b", "-c", str(passwords), USER, PASSWORD]
            subprocess.run(argv, check=True, capture_output=True, timeout=20)
        lines = [
            *SETTINGS,
            *self._settings,
            f"persistence_location {self._folder}/",
            f"password_file {passwords}",
            f"listener {self._port} 127.0.0.1",
            f"listener {self._tls_port} 127.0.0.1",
            f"cafile {self.certificates / 'ca.pem'}",
            f"certfile {self.certificates / 'server.pem'}",
            f"keyfile {self.certificates / 'server.key'}",
        ]
        if os.geteuid() == 0:
            lines.append("user root")  # else it would give up its rights, and with them this folder
        (self._folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")


def user_properties(given: Mapping[str, str], content_type: str = "") -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
    if given:
        properties.UserProperty = list(given.items())
    if content_type:
        properties.ContentType = content_type
    return properties


def prepare() -> None:
    """Unavailable where it is not installed."""
    _program()


def _program() -> str:
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise Unavailable("the program 'mosquitto' is not installed: the Debian package mosquitto has it")
    return program


def external() -> Mqtt | None:
    """The broker that REACTOR_TEST_MQTT names."""
    address = os.environ.get("REACTOR_TEST_MQTT")
    return Mqtt(address) if address else None
