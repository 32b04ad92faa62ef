"""A Kafka with more doors than one: plain, behind a proxy, and two that ask who is there (SASL, one of them with
TLS).
"""

import subprocess
from pathlib import Path

from tests.services.certificates import authority
from tests.services.kafka import KafkaBroker, _java
from tests.services.process import free_ports

USER, PASSWORD = "alice", "wonder-land-9"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


class Doors(KafkaBroker):
    """Clients of the door behind the proxy are told to come back through `proxy_port`."""

    def __init__(self, folder: Path) -> None:
        self.proxy_port, self.behind_proxy_port, self._sasl, self._tls = free_ports(4)
        self.sasl, self.tls = f"localhost:{self._sasl}", f"localhost:{self._tls}"
        self.certificates = _certificates(folder)
        super().__init__(folder)

    def add_scram_user(self) -> None:
        """The brokers keep salted hashes of SCRAM passwords in the cluster itself, so they are set once it runs."""
        for kind in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            who = [
                "--alter",
                "--add-config",
                f"{kind}=[password={PASSWORD}]",
                "--entity-type",
                "users",
                "--entity-name",
                USER,
            ]
            command = _java("kafka.admin.ConfigCommand", "--bootstrap-server", self.bootstrap, *who)
            subprocess.run(command, check=True, capture_output=True, timeout=60)

    def _properties(self) -> dict[str, str]:
        mine = super()._properties()
        doors = {
            "PROXIED": (self.behind_proxy_port, self.proxy_port, "PLAINTEXT"),
            "KNOCK": (self._sasl, self._sasl, "SASL_PLAINTEXT"),
            "VAULT": (self._tls, self._tls, "SASL_SSL"),
        }
        for name, (port, told, protocol) in doors.items():
            mine["listeners"] += f",{name}://127.0.0.1:{port}"
            mine["advertised.listeners"] += f",{name}://localhost:{told}"
            mine["listener.security.protocol.map"] += f",{name}:{protocol}"
        mechanisms = {"sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"}
        for door in ("knock", "vault"):
            at = f"listener.name.{door}"
            mechanisms[f"{at}.plain.sasl.jaas.config"] = f'{PLAIN} user_{USER}="{PASSWORD}";'
            mechanisms |= {f"{at}.scram-sha-{n}.sasl.jaas.config": SCRAM for n in (256, 512)}
        return mine | mechanisms | {
            "listener.name.vault.ssl.keystore.type": "PEM",
            "listener.name.vault.ssl.keystore.location": str(self.certificates / "server-both.pem"),
            "listener.name.vault.ssl.truststore.type": "PEM",
            "listener.name.vault.ssl.truststore.location": str(self.certificates / "ca.pem"),
            "listener.name.vault.ssl.client.auth": "requested",
            "message.max.bytes": "20000000",
        }  # fmt: skip


def _certificates(folder: Path) -> Path:
    home = authority(folder)
    both = (home / "server.key").read_text() + (home / "server.pem").read_text()
    (home / "server-both.pem").write_text(both)
    return home
