"""Where the brokers are and how to speak to them. Law: values and their checks; it opens nothing but certificate
files.
"""

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from reactor.model.errors import ConfigError

EMBEDDED = "embedded"
"""In the place of servers: the topics are read from the project's own database, without a broker."""

_SERVER = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):(\d{1,5})")


class KafkaSettings(BaseModel):  # type: ignore[explicit-any]  # pydantic's own constructor
    """How to reach a cluster. Secrets are never printed, neither here nor in the message of a setting that is wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    servers: str = "localhost:9092"
    """`host:port` of one broker or, with commas, of several: the others are found through them. Or `embedded`."""
    group: str = Field(default="reactor", min_length=1, max_length=200)
    """The consumer group that offsets are committed to, for lag tools. The ledger's own positions are what counts."""
    client_id: str = Field(default="reactor", pattern=r"^[A-Za-z0-9._-]{1,100}$")
    """This node's name. Nodes that share a group have different ones: a second node of the same name takes the
    partitions of the first.
    """
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_cafile: Path | None = None
    """The authority that signed the brokers' certificates, as PEM. Without one: those that the system trusts."""
    ssl_certfile: Path | None = None
    """The certificate that this client shows, as PEM, where the brokers ask for one."""
    ssl_keyfile: Path | None = None
    fetch_max_wait_ms: int = Field(default=100, ge=1, le=10_000)
    """How long a broker may hold an empty answer back. Low: some brokers wake nobody early, and the wait is then the
    latency.
    """
    discover_ms: int = Field(default=10_000, ge=100)
    """How soon a new partition is noticed."""
    out_of_range: Literal["fail", "skip"] = "fail"
    """What to do when a topic no longer keeps the records at which the ledger stands: stop the lane, or record the
    hole and go on.
    """
    max_record_bytes: int = Field(default=5_000_000, ge=1)
    """A record whose key and value are longer is dead-lettered with its size and digest, without its body."""

    @property
    def embedded(self) -> bool:
        return self.servers == EMBEDDED

    @property
    def tls(self) -> bool:
        return self.security_protocol.endswith("SSL")

    @property
    def sasl(self) -> bool:
        return self.security_protocol.startswith("SASL")

    @field_validator("servers")
    @classmethod
    def _servers(cls, text: str) -> str:
        if text == EMBEDDED:
            return text
        servers = [part.strip() for part in text.split(",")]
        for server in servers:
            match = _SERVER.fullmatch(server)
            if match is None or not 0 < int(match[2]) < 65536:
                raise ValueError(
                    f"kafka.servers: {server!r} is not host:port. Write for example 'broker-1:9092,broker-2:9092', "
                    f"or '{EMBEDDED}' for "
                    "topics without a broker."
                )
        return ",".join(servers)

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        for wrong in (*self._sasl_problems(), *self._tls_problems()):
            raise ValueError(wrong)
        return self

    def _sasl_problems(self) -> list[str]:
        given = [n for n in ("sasl_mechanism", "sasl_username", "sasl_password") if getattr(self, n) is not None]
        if not self.sasl:
            return [
                f"kafka.{name} is set, but security_protocol is {self.security_protocol}, which sends no "
                "credentials. Set "
                "security_protocol to SASL_SSL (or SASL_PLAINTEXT in a network that you trust), or leave it out."
                for name in given
            ]
        missing = [n for n in ("sasl_mechanism", "sasl_username", "sasl_password") if n not in given]
        return [
            f"kafka.{name} is missing, but security_protocol is {self.security_protocol}, which needs it."
            + (" One of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512." if name == "sasl_mechanism" else "")
            for name in missing
        ]

    def _tls_problems(self) -> list[str]:
        given = [n for n in ("ssl_cafile", "ssl_certfile", "ssl_keyfile") if getattr(self, n) is not None]
        if not self.tls:
            return [
                f"kafka.{name} is set, but security_protocol is {self.security_protocol}, which does not encrypt. "
                "Set it to "
                f"{'SASL_SSL' if self.sasl else 'SSL'}, or leave {name} out."
                for name in given
            ]
        if (self.ssl_certfile is None) != (self.ssl_keyfile is None):
            return ["kafka.ssl_certfile and kafka.ssl_keyfile belong together: set both, or none."]
        return []

    def ssl_context(self) -> ssl.SSLContext | None:
        """Certificates and host names are always checked.

        Raises:
            ConfigError: a file is not there, cannot be read, or is not what it should be.
        """
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile)
        except OSError as error:
            raise ConfigError(_unreadable("kafka.ssl_cafile", self.ssl_cafile, error)) from error
        if self.ssl_certfile is not None:
            try:
                # An encrypted key would otherwise be asked for on the terminal, where nobody sits.
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile, password=_no_password)
            except (OSError, ValueError) as error:
                files = f"{self.ssl_certfile} and {self.ssl_keyfile}"
                raise ConfigError(_unreadable("kafka.ssl_certfile / ssl_keyfile", files, error)) from error
        return context


def kafka_settings(values: Mapping[str, object]) -> KafkaSettings:
    """The settings, or in sentences what is wrong with them.

    Raises:
        ConfigError: a value cannot be right, or two of them do not belong together.
    """
    try:
        return KafkaSettings.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(_wrong(dict(each)) for each in error.errors())) from error


def _wrong(problem: Mapping[str, object]) -> str:
    """What we wrote ourselves names its setting; what pydantic wrote is given its name."""
    message, place = str(problem["msg"]), problem["loc"]
    if message.startswith("Value error, "):
        return message.removeprefix("Value error, ")
    name = ".".join(map(str, place)) if isinstance(place, tuple) else ""
    return f"The setting kafka.{name} cannot be right: {message}"


def _no_password() -> str:
    raise ValueError("the key is encrypted; give one without a passphrase, readable by this service alone")


def _unreadable(name: str, file: object, error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{name}: {file} cannot be used: {reason}. Give the path of a PEM file that this service may read."
