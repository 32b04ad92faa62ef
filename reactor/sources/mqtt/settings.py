"""Where the broker is and how to speak to it. Law: values and their checks; it opens nothing but certificate files."""

import re
import ssl
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from reactor.model.duration import SECOND, micros
from reactor.model.errors import ConfigError

_SERVER = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):(\d{1,5})")


class MqttSettings(BaseModel):  # type: ignore[explicit-any]  # pydantic's own constructor
    """How to reach a broker. Secrets are never printed, neither here nor in the message of a setting that is wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    server: str = "localhost:1883"
    """`host:port`."""
    user: str | None = None
    password: SecretStr | None = None
    tls: bool = False
    """The broker's certificate and name are always checked."""
    tls_cafile: Path | None = None
    """The authority that signed the broker's certificate, as PEM. Without one: those that the system trusts."""
    tls_certfile: Path | None = None
    """The certificate that this client shows, as PEM, where the broker asks for one."""
    tls_keyfile: Path | None = None
    client_id: str = Field(default="reactor", pattern=r"^[A-Za-z0-9._-]{1,40}$")
    """This node's name: the broker keeps the sessions of its sources under it. Two nodes of one name throw each other
    out.
    """
    session_expiry: str | float = "7d"
    """How long the broker keeps what comes while this service is away."""
    max_message_bytes: int = Field(default=1_000_000, ge=1)
    """A publication whose body is longer is dead-lettered with its size and digest, without its body."""

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.server.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def session_seconds(self) -> int:
        return min(micros(self.session_expiry) // SECOND, 2**32 - 1)

    @field_validator("server")
    @classmethod
    def _server(cls, text: str) -> str:
        match = _SERVER.fullmatch(text.strip())
        if match is None or not 0 < int(match[2]) < 65536:
            raise ValueError(
                f"mqtt.server: {text!r} is not host:port. Write for example 'broker:1883', or 'broker:8883'."
            )
        return text.strip()

    @field_validator("session_expiry")
    @classmethod
    def _is_a_length(cls, value: str | float) -> str | float:
        if micros(value) < 60 * SECOND:
            raise ValueError(
                "mqtt.session_expiry: at least a minute, or a restart of the service loses what comes meanwhile."
            )
        return value

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.password is not None and self.user is None:
            raise ValueError("mqtt.password is set, but mqtt.user is not: set it too.")
        given = [n for n in ("tls_cafile", "tls_certfile", "tls_keyfile") if getattr(self, n) is not None]
        if given and not self.tls:
            raise ValueError(
                f"mqtt.{given[0]} is set, but mqtt.tls is false, which does not encrypt. Set mqtt.tls = true."
            )
        if (self.tls_certfile is None) != (self.tls_keyfile is None):
            raise ValueError("mqtt.tls_certfile and mqtt.tls_keyfile belong together: set both, or none.")
        return self

    def ssl_context(self) -> ssl.SSLContext | None:
        """None where TLS is off.

        Raises:
            ConfigError: a file is not there, cannot be read, or is not what it should be.
        """
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.tls_cafile)
        except OSError as error:
            raise ConfigError(_unreadable("mqtt.tls_cafile", self.tls_cafile, error)) from error
        if self.tls_certfile is not None:
            try:
                # An encrypted key would otherwise be asked for on the terminal, where nobody sits.
                context.load_cert_chain(self.tls_certfile, self.tls_keyfile, password=_no_password)
            except (OSError, ValueError) as error:
                files = f"{self.tls_certfile} and {self.tls_keyfile}"
                raise ConfigError(_unreadable("mqtt.tls_certfile / tls_keyfile", files, error)) from error
        return context


def _no_password() -> str:
    raise ValueError("the key is encrypted; give one without a passphrase, readable by this service alone")


def _unreadable(name: str, file: object, error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{name}: {file} cannot be used: {reason}. Give the path of a PEM file that this service may read."
