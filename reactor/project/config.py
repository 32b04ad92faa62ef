"""Settings: flag > `REACTOR_*` > `reactor.toml` > default, each value with its origin.

Law: it reads the environment, `reactor.toml` and files of secrets, and nothing else. What a setting leads to is
decided in `wiring`.

    loaded = load_settings(Path.cwd(), mode="dev", flags={"port": 0})
    loaded.settings.port, loaded.origins["port"]

Names for others: `settings.root`, `.state_dir`, `.database`, `.service_file`, `.log_dir`, `.host`, `.port`, `.hosts`,
`.token`, `.definitions`, `.stop_seconds`, `.body_seconds`, `.retention_micros`, `.log_format`, `.log_level`, `.kafka` (the fields of
`reactor.sources.kafka.settings.KafkaSettings`: `kafka_settings(settings.kafka.model_dump())`), `.mqtt` (likewise, of
`reactor.sources.mqtt.settings.MqttSettings`), `.s3` (the fields of `reactor.sources.bucket.Access`), `.executors.threads`,
`.executors.processes`, `.alerts.fallback`.
"""

import difflib
import operator
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from reactor.model.duration import micros
from reactor.model.errors import ConfigError, DefinitionError, nearest

FILE = "reactor.toml"
PREFIX = "REACTOR_"
Mode = Literal["dev", "run"]
"""Where topics are read when nothing says so: `dev` reads the embedded ones, `run` a broker on this machine."""


class _Group(BaseModel):  # type: ignore[explicit-any]  # pydantic's own
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Kafka(_Group):  # type: ignore[explicit-any]  # pydantic's own
    """How to reach the brokers. What belongs together is judged where the client is made; here are names and types."""

    servers: str = "localhost:9092"
    """`host:port`, several with commas, or `embedded`: topics in the project's own database."""
    group: str = "reactor"
    client_id: str = "reactor"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    fetch_max_wait_ms: int = 100
    discover_ms: int = 10_000
    out_of_range: Literal["fail", "skip"] = "fail"
    max_record_bytes: int = 5_000_000


class Postgres(_Group):  # type: ignore[explicit-any]  # pydantic's own
    dsn: SecretStr | None = None
    """The database that `Table("postgres:", ...)` polls and whose schema changes are followed: `postgresql://user@host:5432/name`."""


class Registry(_Group):  # type: ignore[explicit-any]  # pydantic's own
    url: str | None = None
    """Where the schema registry answers: `https://registry.example.com`."""
    user: str | None = None
    password: SecretStr | None = None


class Mqtt(_Group):  # type: ignore[explicit-any]  # pydantic's own
    """How to reach the broker of MQTT. What belongs together is judged where the client is made."""

    server: str = "localhost:1883"
    user: str | None = None
    password: SecretStr | None = None
    tls: bool = False
    tls_cafile: Path | None = None
    tls_certfile: Path | None = None
    tls_keyfile: Path | None = None
    client_id: str = "reactor"
    session_expiry: str | float = "7d"
    max_message_bytes: int = 1_000_000


class S3(_Group):  # type: ignore[explicit-any]  # pydantic's own
    """How to reach an S3 server. What is not set comes from the environment (`AWS_*`) or the machine's role."""

    endpoint: str | None = Field(default=None, pattern=r"^https?://[^/\s]+/?$")
    """`https://host:port` of a server that is not Amazon's."""
    region: str | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None


class Executors(_Group):  # type: ignore[explicit-any]  # pydantic's own
    threads: int = Field(default=8, ge=1, le=512)
    """Plain functions that run at once."""
    processes: int = Field(default=2, ge=1, le=128)
    """Warm worker processes, started when the first task asks for one."""


class Alerts(_Group):  # type: ignore[explicit-any]  # pydantic's own
    fallback: str = ""
    """Who is told where an asset and its tasks name nobody."""
    smtp_server: str | None = None
    """`host:port` of a mail server. None: no mails."""
    smtp_security: Literal["none", "starttls", "tls"] = "starttls"
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_sender: str = "reactor@localhost"
    webhook_url: str | None = None
    """Where alerts are posted as JSON. None: nowhere."""
    webhook_secret: SecretStr | None = None
    """What the posts are signed with (Standard Webhooks)."""

    @field_validator("smtp_server")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        host, _, port = (value or "x:1").rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"{value!r} is no `host:port`, such as 'mail.example.com:587'.")
        return value

    @field_validator("webhook_url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError("a webhook's address begins with https:// (or http://, within a network of your own).")
        return value


class Settings(_Group):  # type: ignore[explicit-any]  # pydantic's own
    """Everything that can be set. Frozen: a change of settings is a new start."""

    root: Path
    """The project: where `reactor.toml` is. Absolute."""
    state: Path = Path(".reactor")
    """Where the ledger, the logs and the token are kept; relative to the project."""
    host: str = "127.0.0.1"
    port: int = Field(default=8420, ge=0, le=65535)
    """0: any free one; `.reactor/service.json` says which."""
    hosts: tuple[str, ...] = ()
    """Names, besides those of the loopback, under which the service may be spoken to."""
    token: SecretStr | None = None
    """What callers show. None: made anew at each start and written into `.reactor/service.json`."""
    definitions: tuple[str, ...] = ("sensors", "workflows")
    """The folders of the definitions, relative to the project."""
    stop_timeout: str | float = "30s"
    """How long running attempts may finish when the service is told to stop."""
    body_timeout: str | float = "30s"
    """How long the body of a request may take to come in."""
    retention: str | float = "90d"
    """How long the history is kept. The ledger's open part stays for as long as it is open."""
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    kafka: Kafka = Kafka()
    postgres: Postgres = Postgres()
    registry: Registry = Registry()
    mqtt: Mqtt = Mqtt()
    s3: S3 = S3()
    executors: Executors = Executors()
    alerts: Alerts = Alerts()

    @field_validator("stop_timeout", "body_timeout", "retention")
    @classmethod
    def _is_a_length(cls, value: str | float) -> str | float:
        try:
            micros(value)
        except DefinitionError as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("definitions")
    @classmethod
    def _are_folders(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not name.isidentifier():
                raise ValueError(
                    f"{name!r} cannot be a folder of definitions: its files are imported as `{name}.file`, so it is "
                    "one "
                    "word of letters, digits and '_', directly in the project."
                )
        if not value:
            raise ValueError("name at least one folder, such as 'workflows'.")
        return value

    @property
    def state_dir(self) -> Path:
        return self.root / self.state

    @property
    def database(self) -> Path:
        return self.state_dir / "reactor.db"

    @property
    def service_file(self) -> Path:
        """Address and token of the running service, for the command line."""
        return self.state_dir / "service.json"

    @property
    def log_dir(self) -> Path:
        """What attempts printed, one file an attempt."""
        return self.state_dir / "logs"

    def postgres_dsn(self, who: str) -> str:
        """The address of the database that `who` reads. Raises ConfigError where none is set."""
        if self.postgres.dsn is None:
            raise ConfigError(
                f"{who} reads PostgreSQL, but the setting postgres.dsn is not set. Put it into a file and name that: postgres.dsn_file in "
                "reactor.toml, or REACTOR_POSTGRES_DSN_FILE."
            )
        return self.postgres.dsn.get_secret_value()

    @property
    def stop_seconds(self) -> float:
        return micros(self.stop_timeout) / 1e6

    @property
    def body_seconds(self) -> float:
        return micros(self.body_timeout) / 1e6

    @property
    def retention_micros(self) -> int:
        return micros(self.retention)


@dataclass(frozen=True)
class Loaded:
    settings: Settings
    origins: Mapping[str, str]
    """By dotted key: `default`, `reactor.toml`, `REACTOR_PORT`, `--port`, or the file that a secret was read from."""


def find_root(start: Path) -> Path | None:
    """The nearest folder at or above `start` that holds a `reactor.toml`."""
    here = start.resolve()
    return next((folder for folder in (here, *here.parents) if (folder / FILE).is_file()), None)


def keys(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Every setting by its dotted key, and whether it is a secret."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from keys(kind, f"{prefix}{name}.")
        elif name != "root":
            yield prefix + name, kind == (SecretStr | None)


def secrets_of(settings: Settings) -> Iterator[str]:
    """What must never be seen: the value of every secret that is set, and the password inside an address."""
    for key, secret in keys():
        value: object = operator.attrgetter(key)(settings) if secret else None
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
    dsn = settings.postgres.dsn
    password = urlsplit(dsn.get_secret_value()).password if dsn is not None else None
    if password:
        yield password


def env_name(key: str) -> str:
    return PREFIX + key.upper().replace(".", "_")


def load_settings(
    start: Path,
    *,
    mode: Mode = "dev",
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """The settings of the project at or above `start`; a folder without `reactor.toml` is a project of defaults.

    `flags`: by dotted key; None stands for a flag that was not given.

    Raises:
        ConfigError: a setting that is not known or cannot be right, a file that cannot be read.
    """
    env = os.environ if environ is None else environ
    root = find_root(start) or start.resolve()
    values: dict[str, object] = {"kafka.servers": "embedded"} if mode == "dev" else {}
    origins = {key: "default" for key, _ in keys()}
    for found in (_from_file(root / FILE), _from_env(env), _from_flags(flags or {})):
        for key, (value, origin) in found.items():
            values[key], origins[key] = value, origin
    return Loaded(_validate(root, values, origins), origins)


_Found = dict[str, tuple[object, str]]


def _from_file(path: Path) -> _Found:
    try:
        table: dict[str, object] = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML: {error}. Correct the line that it names.") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. Let this user read it.") from error
    found: _Found = {}
    secrets = dict(keys())
    for key, value in _flat(table):
        whole = key.removesuffix("_file")
        if key not in secrets and secrets.get(whole):
            found[whole] = (_secret(path.parent / str(value), key), str(value))
        elif key in secrets:
            found[key] = (value, FILE)
        else:
            raise ConfigError(
                f"{path}: there is no setting {key!r}.{nearest(key, secrets)} `reactor config show` lists them all."
            )
    return found


def _flat(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _from_env(env: Mapping[str, str]) -> _Found:
    found: _Found = {}
    names = {env_name(key): (key, secret) for key, secret in keys()}
    for name in sorted(n for n in env if n.startswith(PREFIX)):
        whole = name.removesuffix("_FILE")
        if name in names:
            key, _ = names[name]
            found[key] = (env[name].split(",") if key in ("definitions", "hosts") else env[name], name)
        elif whole in names and names[whole][1]:
            found[names[whole][0]] = (_secret(Path(env[name]), name), name)
        elif near := _slip(name, names):
            # Others use the prefix too (a run's own environment does), so only what looks like a slip is refused.
            raise ConfigError(f"{name} is set in the environment, but there is no such setting. Did you mean {near!r}?")
    return found


def _slip(name: str, names: Iterable[str]) -> str | None:
    bare = difflib.get_close_matches(name.removeprefix(PREFIX), [n.removeprefix(PREFIX) for n in names], 1, 0.8)
    return PREFIX + bare[0] if bare else None


def _from_flags(flags: Mapping[str, object]) -> _Found:
    known = dict(keys())
    for key in flags:
        if key not in known:
            raise ConfigError(f"There is no setting {key!r}.{nearest(key, known)}")
    return {
        key: (value, "--" + key.replace(".", "-").replace("_", "-"))
        for key, value in flags.items()
        if value is not None
    }


def _secret(path: Path, name: str) -> str:
    try:
        return path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(
            f"{name}: the secret in {path} cannot be read: {reason}. Name a file that this service may read."
        ) from error


def _validate(root: Path, values: Mapping[str, object], origins: Mapping[str, str]) -> Settings:
    tree: dict[str, object] = {"root": root}
    for key, value in values.items():
        group, _, name = key.rpartition(".")
        if group:
            part = tree.setdefault(group, {})
            assert isinstance(part, dict)
            part[name] = value
        else:
            tree[name] = value
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("\n".join(_wrong(dict(e), origins) for e in error.errors())) from error


def _wrong(problem: Mapping[str, object], origins: Mapping[str, str]) -> str:
    place = problem["loc"]
    assert isinstance(place, tuple)
    key = ".".join(str(p) for p in place[:2] if not isinstance(p, int))
    key = next((k for k in (key, str(place[0])) if k in origins), key)
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"The setting {key} (from {origins.get(key, 'default')}) cannot be right: {message}"
