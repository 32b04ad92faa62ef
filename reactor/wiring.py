"""The one file that names concrete parts: from settings and definitions to a service that runs."""

import asyncio
import hashlib
import importlib
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version

from reactor.alerts.base import Channel
from reactor.alerts.log import LogAlerts
from reactor.alerts.smtp import SmtpAlerts, SmtpSettings
from reactor.alerts.webhook import WebhookAlerts
from reactor.executors.base import Executor
from reactor.executors.command import Command
from reactor.executors.frames import Loader
from reactor.executors.inline import Inline
from reactor.executors.logs import FileLogs
from reactor.executors.process import Process
from reactor.executors.thread import Thread
from reactor.model.commands import Alert
from reactor.model.errors import ConfigError, ReactorError
from reactor.model.ids import Lane, SourceName
from reactor.model.ports import Clock, Ids, Redact
from reactor.model.source import (
    POSTGRES,
    Bucket,
    Files,
    Http,
    Kafka,
    Mqtt,
    PostgresSchema,
    RegistrySchema,
    Schedule,
    SourceSpec,
    Sqs,
    Table,
    Webhook,
)
from reactor.project.config import Settings, secrets_of
from reactor.project.load import Definitions
from reactor.service.clock import SystemClock, SystemIds
from reactor.service.commands import Commands
from reactor.service.service import Parts, Service
from reactor.service.topics import EmbeddedLog
from reactor.service.views.numbers import Counting
from reactor.service.work import Labels, nothing
from reactor.sources.base import Condition, LaneStart, Source
from reactor.sources.bucket import Access, TopicChannel, open_bucket, open_queue
from reactor.sources.bucket import Webhook as BucketHook
from reactor.sources.bucket.channels import PositionOf as StandsAt
from reactor.sources.bucket.hints import Channel as BucketChannel
from reactor.sources.embedded import EmbeddedTopic
from reactor.sources.files import FileSource
from reactor.sources.http import HttpIntake
from reactor.sources.kafka.settings import kafka_settings
from reactor.sources.kafka.setup import Ports, PositionOf
from reactor.sources.kafka.source import KafkaSource
from reactor.sources.mqtt.settings import MqttSettings
from reactor.sources.mqtt.source import MqttSource
from reactor.sources.postgres.changes import SchemaSource
from reactor.sources.postgres.rows import over_postgres
from reactor.sources.registry.client import RegistryAt
from reactor.sources.registry.source import RegistrySource
from reactor.sources.schedule import ScheduleSource
from reactor.sources.table import TableSource, over_db_api
from reactor.sources.webhooks.keys import secrets_of as keys_of
from reactor.store.sqlite import SqliteReader, SqliteStore
from reactor.telemetry.metrics import Both, Metrics
from reactor.telemetry.redact import Redactor


class Sources:
    """Makes a project's sources. Those of HTTP share one intake, which the web feeds."""

    def __init__(self, settings: Settings, store: SqliteStore, log: EmbeddedLog, clock: Clock, ids: Ids) -> None:
        self._settings, self._store, self._log, self._clock, self._ids = settings, store, log, clock, ids
        self.kafka = kafka_settings(settings.kafka.model_dump())
        self.mqtt = MqttSettings(**settings.mqtt.model_dump())
        self.access = Access(**dict(settings.s3))
        self.http = HttpIntake([], clock)
        self.bucket_hook = BucketHook()
        self.position_of: PositionOf = _no_position

    def make(self, specs: Sequence[SourceSpec]) -> dict[SourceName, Source]:
        """A source for each spec, by its name."""
        self.http = HttpIntake([s for s in specs if isinstance(s, (Http, Webhook))], self._clock)
        self.bucket_hook = BucketHook()
        self._look_at_secrets(specs)
        made: dict[SourceName, Source] = {s.name: s for s in self.http.sources}
        for spec in specs:
            if not isinstance(spec, (Http, Webhook)):
                made[spec.name] = self._one(spec)
        return made

    def _look_at_secrets(self, specs: Sequence[SourceSpec]) -> None:
        """A webhook without its secret says so from the start, and not when the first delivery comes."""
        for spec in specs:
            if isinstance(spec, Webhook):
                try:
                    keys_of(spec, self._settings.root)
                except ConfigError as error:
                    self.http.trouble(spec, str(error))

    def _one(self, spec: SourceSpec) -> Source:
        root = self._settings.root
        match spec:
            case Kafka() if self.kafka.embedded:
                return EmbeddedTopic(spec, self._log, self._clock)
            case Kafka():
                return KafkaSource(spec, self.kafka, Ports(self._clock, self._ids, self.position_of))
            case Mqtt():
                return MqttSource(spec, self.mqtt, self._clock, self._ids)
            case Files():
                return FileSource(spec, root, self._store, self._clock)
            case Table() if spec.connect == POSTGRES:
                return TableSource(spec, over_postgres(spec, self._settings.postgres_dsn(spec.name)), self._clock)
            case Bucket():
                return open_bucket(spec, self.access, self._store, self._clock, self._channel(spec))
            case Table():
                return TableSource(spec, over_db_api(spec, root), self._clock)
            case PostgresSchema():
                return SchemaSource(spec, self._settings.postgres_dsn(spec.name), self._clock)
            case RegistrySchema():
                return RegistrySource(spec, registry_at(self._settings, spec), self._clock)
            case Schedule():
                return ScheduleSource(spec, self._clock)
            case _:
                raise ReactorError(f"There is no source for {spec!r}.")

    def _channel(self, spec: Bucket) -> BucketChannel | None:
        match spec.notify:
            case Kafka() as topic:
                return TopicChannel(partial(self._notifications, topic, spec.name))
            case Sqs() as queue:
                return open_queue(queue, self.access, self._clock)
            case "webhook":
                return self.bucket_hook
            case None:
                return None

    def _notifications(self, topic: Kafka, reader: SourceName, position_of: StandsAt) -> Source:
        """A topic that one bucket reads for itself: in a group of its own, so that no sensor on the same topic misses a record for it."""
        spec = replace(topic, start="latest")
        if self.kafka.embedded:
            return EmbeddedTopic(spec, self._log, self._clock)
        mark = hashlib.sha256(reader.encode()).hexdigest()[:12]
        own = {
            "group": f"{self.kafka.group[:180]}.{mark}",
            "client_id": f"{self.kafka.client_id[:80]}.{mark}",
            "out_of_range": "skip",
        }

        async def stands(lane: Lane) -> LaneStart | None:
            return position_of(lane)

        return KafkaSource(spec, self.kafka.model_copy(update=own), Ports(self._clock, self._ids, stands))


def registry_at(settings: Settings, spec: SourceSpec) -> RegistryAt:
    """Where the schema registry is. Raises ConfigError where no setting says so."""
    at = settings.registry
    if at.url is None:
        raise ConfigError(
            f"{spec.name} reads a schema registry, but the setting registry.url is not set. Name it in reactor.toml, or by "
            "REACTOR_REGISTRY_URL."
        )
    return RegistryAt(at.url.rstrip("/"), at.user, at.password.get_secret_value() if at.password else "")


def _has_processes(definitions: Definitions) -> bool:
    """Workers are warm before the first task only where there is one for them."""
    return any(node.task.executor == "process" for node in definitions.graph.nodes.values())


async def _no_position(_: Lane) -> LaneStart | None:
    return None


class Assembly:
    """A service and the parts of it that its door needs too. Nothing runs yet."""

    def __init__(
        self, settings: Settings, definitions: Definitions, labels: Labels = nothing, clock: Clock | None = None
    ) -> None:
        self.settings, self.definitions = settings, definitions
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.store = SqliteStore(settings.database)
        self.redact = redactor(settings)
        self.telemetry, self._metrics = make_telemetry(self.redact, _group_of(settings))
        self.ids = SystemIds(traces=self.telemetry.traces)
        self.logs = FileLogs(settings.log_dir, self.clock, redact=self.redact)
        self.process = Process(
            self.clock,
            self.logs,
            self._loader(),
            workers=settings.executors.processes,
            warm=_has_processes(definitions),
        )
        self._log = EmbeddedLog(self.reader)
        self.sources = Sources(settings, self.store, self._log, self.clock, self.ids)
        self.service = Service(self._parts(labels), retention=settings.retention_micros)
        self.service.engine.on_append = self._log.rang
        self.sources.position_of = self._position_of
        self.commands = Commands(self.service, self.reader, self.clock)
        self._counting = Counting(self.reader, lambda: self.service.graph, self.clock)
        self._reader: SqliteReader | None = None
        self._opening = asyncio.Lock()

    def _parts(self, labels: Labels) -> Parts:
        settings, clock, logs = self.settings, self.clock, self.logs
        executors: dict[str, Executor] = {
            "inline": Inline(clock, logs),
            "thread": Thread(clock, logs, threads=settings.executors.threads),
            "process": self.process,
            "command": Command(clock, logs, settings.state_dir / "evidence"),
        }
        return Parts(
            graph=self.definitions.graph,
            writer=self.store,
            clock=clock,
            ids=self.ids,
            executors=executors,
            make_sources=self.sources.make,
            telemetry=self.telemetry,
            tell=self._tell,
            reader=self.reader,
            channels=make_channels(settings, clock),
            forget_logs=logs.forget,
            labels=labels,
            redact=self.redact,
        )

    def _tell(self, alert: Alert) -> None:
        self._metrics.alerted(alert)

    def refused_webhook(self, source: SourceName, reason: str) -> None:
        """Counts a delivery that was turned away."""
        self._metrics.refused(source, reason)

    async def metrics(self, loop_lag: float) -> tuple[bytes, str]:
        """The page for Prometheus, and its content type."""
        numbers, now = await self._counting.numbers(), self.clock.now()
        fresh = {asset: max(now - at, 0) / 1e6 for asset, at in numbers.newest.items()}
        health = self.service.health()
        sources = {str(n): (h.condition is Condition.CONNECTED, h.lag) for n, h in health.items()}
        runs, dropped = len(self.service.engine.state.runs), self.telemetry.dropped
        return self._metrics.render(sources, runs, loop_lag, dropped, numbers.partitions, fresh)

    def _loader(self) -> Loader:
        return Loader("reactor.project.load:resolve", (str(self.definitions.root), *self.definitions.folders))

    async def _position_of(self, lane: Lane) -> LaneStart | None:
        for (_, name), at in self.service.engine.lanes.items():
            if name == lane:
                return LaneStart(at.position, at.cursor)
        return None

    async def reader(self) -> SqliteReader:
        """The reading side of the ledger, opened when it is asked for first."""
        async with (
            self._opening
        ):  # two that ask at once get one; a second one would never be closed, and its thread never end
            if self._reader is None:
                self._reader = await SqliteReader.open(self.settings.database)
            return self._reader

    async def reload(self, definitions: Definitions) -> None:
        """New definitions for the same service."""
        self.definitions = definitions
        self.process.reload(self._loader())
        await self.service.reload(definitions.graph)

    async def close(self) -> None:
        """Drains, within the setting `stop_timeout`."""
        await self.service.close(self.settings.stop_seconds)
        if self._reader is not None:
            await self._reader.close()


def _group_of(settings: Settings) -> str | None:
    """The group by which Kafka knows this service; None where topics are embedded."""
    return None if kafka_settings(settings.kafka.model_dump()).embedded else settings.kafka.group


def make_telemetry(redact: Redact, group: str | None) -> tuple[Both, Metrics]:
    """Metrics always; traces where the environment names a collector, and their libraries are loaded only then. `group`: the service's
    own among Kafka's consumer groups, where it has one.
    """
    release = version("reactor-orchestrator")
    metrics = Metrics(release)
    if not (os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        return Both(metrics, None), metrics
    otel = importlib.import_module("reactor.telemetry.otel")
    traces = otel.from_environment(os.environ, release, redact, group) if otel.wanted(os.environ) else None
    return Both(metrics, traces), metrics


def redactor(settings: Settings) -> Redactor:
    """Knows the secrets of the settings."""
    return Redactor(secrets_of(settings))


def make_channels(settings: Settings, clock: Clock) -> list[Channel]:
    """How people are told: always in the log, and by what the settings name."""
    alerts = settings.alerts
    found: list[Channel] = [LogAlerts(alerts.fallback)]
    if alerts.smtp_server is not None:
        host, _, port = alerts.smtp_server.rpartition(":")
        password = alerts.smtp_password.get_secret_value() if alerts.smtp_password else None
        how = (alerts.smtp_security, alerts.smtp_sender, alerts.fallback, alerts.smtp_user, password)
        found.append(SmtpAlerts(SmtpSettings(host, int(port), *how)))
    if alerts.webhook_url is not None:
        secret = alerts.webhook_secret.get_secret_value() if alerts.webhook_secret else None
        found.append(WebhookAlerts(alerts.webhook_url, secret, clock))
    return found
