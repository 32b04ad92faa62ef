"""Where events come from, as a user declares it. These are values: who connects is in `reactor.sources`."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

from reactor.model.condition import SCHEDULE
from reactor.model.duration import Duration, micros
from reactor.model.errors import DefinitionError
from reactor.model.events import CloudEvent, Json
from reactor.model.ids import SourceName


@dataclass(frozen=True)
class SourceSpec:
    """The base of every declared source. Two sensors on equal specs share one connection."""

    @property
    def name(self) -> SourceName:
        raise NotImplementedError


def _placeholders(said: str, pattern: str) -> None:
    names = re.findall(r"\{([^}]*)\}", pattern)
    wrong = [n for n in names if not n.isidentifier()]
    if wrong or "{" in re.sub(r"\{[^{}]*\}", "", pattern):
        raise DefinitionError(f"{said}: a placeholder is a name in braces, such as {{day}}.")
    if len(set(names)) != len(names):
        raise DefinitionError(f"{said}: each placeholder may stand once.")


@dataclass(frozen=True)
class Kafka(SourceSpec):
    """A topic. Where its broker is, is a setting (`kafka.servers`), so that definitions run unchanged in another place.

    `start` is where reading begins when the topic is read for the first time.
    """

    topic: str
    start: Literal["earliest", "latest"] = "earliest"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", self.topic):
            raise DefinitionError(f"{self.topic!r} is no name of a topic: 1 to 249 letters, digits, '.', '_' and '-'.")

    @property
    def name(self) -> SourceName:
        return SourceName(f"kafka:{self.topic}")


@dataclass(frozen=True)
class Files(SourceSpec):
    """Files that land in a folder, by a pattern such as `landing/refunds-{day}.csv`, relative to the project.

    `{name}` matches any characters but `/` and is handed on in `File.fields`; `*` matches without a name. A file is complete:

    - `ready="settled"`: when its size and time have not changed for `settle`;
    - `ready="named"`: as soon as it is there, where the producer writes elsewhere and renames into place;
    - `ready="marker"`: when a file of the same name with `marker` appended is there (`refunds-1.csv.done`).
    """

    pattern: str
    ready: Literal["settled", "named", "marker"] = "settled"
    settle: Duration = "1s"
    marker: str = ".done"
    rescan: Duration = "30s"

    def __post_init__(self) -> None:
        micros(self.settle), micros(self.rescan)
        if self.ready not in ("settled", "named", "marker"):
            raise DefinitionError(f"Files(ready={self.ready!r}): one of 'settled', 'named', 'marker'.")
        _placeholders(f"Files({self.pattern!r})", self.pattern)

    @property
    def name(self) -> SourceName:
        return SourceName(f"files:{self.pattern}")


@dataclass(frozen=True)
class Sqs:
    """A queue of Amazon's, by its URL, into which a bucket's notifications go: `https://sqs.eu-west-1.amazonaws.com/123/s3-events`."""

    queue: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"https?://[^/@\s]+/\S+", self.queue):
            raise DefinitionError(
                f"Sqs({self.queue!r}): give the queue's URL, such as 'https://sqs.eu-west-1.amazonaws.com/123/s3-events'."
            )


@dataclass(frozen=True)
class Bucket(SourceSpec):
    """Objects that land in a bucket, by a URL with a pattern such as `s3://landing/refunds-{day}.csv`.

    Patterns and payloads are those of `Files`: `File.path` is the object's URL. `s3`, `gs` (Google), `az` (Azure) and `file`
    (`file:///data/landing/*.csv`) are known; where a server is, is a setting (`s3.endpoint`). An object that is overwritten is the next
    version, one that is deleted is forgotten. The bucket is listed every `every`.

    `notify` says where the server of an `s3` bucket tells what happens in it, so that an object is read at once: a topic, a queue, or posts
    to `/buckets` ("webhook"). It only shortens the wait: the listing finds what no notification told, and neither acts twice. A topic is
    read from its end, whatever its `start` says: what is older, the listing at the start finds.
    """

    url: str
    every: Duration = "30s"
    notify: Kafka | Sqs | Literal["webhook"] | None = None

    def __post_init__(self) -> None:
        micros(self.every)
        scheme, _, rest = self.url.partition("://")
        bucket, slash, pattern = rest.partition("/")
        if scheme not in ("s3", "gs", "az", "file") or not slash:
            raise DefinitionError(
                f"Bucket({self.url!r}): a URL such as 's3://bucket/folder/name-{{day}}.csv'; s3, gs, az or file."
            )
        if (scheme == "file") == bool(bucket):
            wanted = (
                "three slashes and an absolute path: file:///data/*.csv"
                if bucket
                else "the bucket's name after the two slashes"
            )
            raise DefinitionError(f"Bucket({self.url!r}): write {wanted}.")
        if re.search(r"[{}*]", bucket):
            raise DefinitionError(
                f"Bucket({self.url!r}): the bucket's own name holds no placeholder. One Bucket for each."
            )
        if self.notify is not None and not (
            scheme == "s3" and (isinstance(self.notify, Kafka | Sqs) or self.notify == "webhook")
        ):
            raise DefinitionError(
                f"Bucket({self.url!r}, notify={self.notify!r}): of an s3 bucket a Kafka(...), an Sqs(...) or 'webhook'."
            )
        _placeholders(f"Bucket({self.url!r})", pattern)

    @property
    def name(self) -> SourceName:
        return SourceName(f"bucket:{self.url}")


@dataclass(frozen=True)
class Http(SourceSpec):
    """CloudEvents 1.0 that are posted to `/events`, by their type: `Http("com.shop.order.closed")`; `*` at the end matches any rest."""

    type: str

    @property
    def name(self) -> SourceName:
        return SourceName(f"http:{self.type}")


Style = Literal["stripe", "github", "standard"]
Map = Callable[[CloudEvent], CloudEvent | None]


@dataclass(frozen=True)
class Webhook(SourceSpec):
    """What a service elsewhere posts to us, signed: `Webhook("/hooks/stripe", secret_file="secrets/stripe", style="stripe")`.

    `secret_file` (relative to the project) holds the secret that both know; while it is changed, the new one and the old one, a line each.
    `style` is how the sender signs, and where it says what it calls the event: `stripe`, `github`, or `standard` (Standard Webhooks).

    A sensor is given a `CloudEvent`: its `id` and `type` are the sender's, its `source` is the path, its `data` the body. `map` is a small
    function from that to the event that the sensors want; None: they are not asked. It runs as a part of the sensor, so that what it
    fails of is a dead letter, to be retried when it is mended.

    A delivery is answered when it is durable. One whose id is known is answered alike and has no effect, for seven days; one that was
    signed more than five minutes ago is refused. GitHub signs neither time nor id, so who got hold of a delivery could send it again.
    Others reach the service under a name of its own: `hosts` has to list it.
    """

    path: str
    secret_file: str
    style: Style
    map: Map | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"/hooks(/[A-Za-z0-9._-]{1,64}){1,4}", self.path):
            raise DefinitionError(
                f"Webhook({self.path!r}): the path is one such as '/hooks/stripe': below /hooks, of letters, digits, '.', '_' and '-'."
            )
        if self.style not in get_args(Style):
            raise DefinitionError(f"Webhook(style={self.style!r}): one of 'stripe', 'github', 'standard'.")
        if not self.secret_file:
            raise DefinitionError(f"Webhook({self.path!r}): secret_file names the file with the secret.")

    @property
    def name(self) -> SourceName:
        return SourceName(f"webhook:{self.path}")


@dataclass(frozen=True)
class Schedule(SourceSpec):
    """A clock: a cron text of five fields, or `every` a length of time.

    Slots that passed while the service was down: `missed="last"` fires the newest of them, `"all"` each, `"none"` no one.
    """

    cron: str = ""
    every: Duration | None = None
    timezone: str = "UTC"
    missed: Literal["last", "all", "none"] = "last"

    def __post_init__(self) -> None:
        if bool(self.cron) == (self.every is not None):
            raise DefinitionError("Schedule takes either a cron text or every=, and exactly one of them.")
        if self.every is not None and micros(self.every) < 1_000:
            raise DefinitionError("Schedule(every=...): at least one millisecond.")
        if self.missed not in ("last", "all", "none"):
            raise DefinitionError(f"Schedule(missed={self.missed!r}): one of 'last', 'all', 'none'.")

    @property
    def name(self) -> SourceName:
        return SourceName(f"schedule:{self.cron or f'every {self.every}'}@{self.timezone}")


@dataclass(frozen=True)
class Mqtt(SourceSpec):
    """Publications of MQTT, by a topic filter such as `plant/{site}/closed`. Where the broker is, is a setting (`mqtt.server`).

    A level that is `{name}` matches any one level and is handed on in `Message.fields`; `+` matches without a name, `#` at the end any
    rest. What is retained under the filter when it is first subscribed to comes first, marked `Message.retained`.

    Subscribed at QoS 1, in a session that the broker keeps while the service is away, and acknowledged once the effects are durable:
    what was published with QoS 1 or 2 is neither lost nor, where it can be told apart, announced twice. It is told apart

    - by its identity, where its publisher gave one: `source` and `id` of a CloudEvent, or a user property `id` (within its topic). Of two
      with the same identity the second has no effect, for seven days, however it came;
    - else, when the broker delivers it again (marked DUP), by its packet identifier and its content; two equal publications are two
      events. A broker that is seen to use identifiers again soon is not believed in this: what it delivers again, because a connection
      broke or the service was killed between the commit and the acknowledgement, is announced again.

    Can be lost: QoS 0, whenever nobody listens or the engine is slower than it comes (counted, as gaps of the ledger); what the broker itself
    drops, by a limit of its own such as Mosquitto's `max_queued_messages` or a session that expires (`mqtt.session_expiry`).
    """

    topic: str

    def __post_init__(self) -> None:
        levels = self.topic.split("/")
        wrong = [
            level
            for number, level in enumerate(levels, start=1)
            if re.search(r"[+#{}\0]", level)
            and not (level == "+" or _name_of(level) or (level == "#" and number == len(levels)))
        ]
        if not self.topic or wrong or len(self.topic.encode()) > 65_535:
            raise DefinitionError(
                f"Mqtt({self.topic[:200]!r}) is no topic filter: a level is a text, '+' or a name in braces such as {{site}}; '#' may be the last."
            )
        if levels[0] == "$share":
            raise DefinitionError(
                f"Mqtt({self.topic!r}): of a shared subscription others get what comes while the service is away, and it would be "
                "missed here. Leave '$share' and the group's name out."
            )
        names = [name for level in levels if (name := _name_of(level))]
        if len(set(names)) != len(names):
            raise DefinitionError(f"Mqtt({self.topic!r}): each placeholder may stand once.")

    @property
    def name(self) -> SourceName:
        return SourceName(f"mqtt:{self.topic}")

    @property
    def filter(self) -> str:
        """As MQTT writes it."""
        return "/".join("+" if _name_of(level) else level for level in self.topic.split("/"))

    def match(self, topic: str) -> dict[str, str] | None:
        """What the placeholders are in this topic; None where the filter does not cover it."""
        wanted, given = self.topic.split("/"), topic.split("/")
        rest = wanted[-1] == "#"
        wanted = wanted[:-1] if rest else wanted
        if len(given) < len(wanted) or (len(given) > len(wanted) and not rest):
            return None
        if topic.startswith("$") and not self.topic.startswith("$"):
            return None
        pairs = list(zip(wanted, given, strict=False))
        if any(level not in ("+", found) and not _name_of(level) for level, found in pairs):
            return None
        return {name: found for level, found in pairs if (name := _name_of(level))}


def _name_of(level: str) -> str:
    """The name that a level of a topic filter gives; empty where it gives none."""
    inner = level[1:-1] if level.startswith("{") and level.endswith("}") else ""
    return inner if inner.isidentifier() else ""


class Cursor(Protocol):
    """The part of a DB-API 2.0 cursor that a polled table needs."""

    @property
    def description(self) -> Json: ...
    def execute(self, operation: str, parameters: Json = ..., /) -> object: ...
    def fetchmany(self, size: int = ..., /) -> Json: ...


class Connection(Protocol):
    """The part of a DB-API 2.0 connection that a polled table needs."""

    def cursor(self) -> Cursor: ...
    def close(self) -> None: ...


POSTGRES = "postgres:"
"""The database of the setting `postgres.dsn`, as a `connect` of a polled table."""


@dataclass(frozen=True)
class Table(SourceSpec):
    """A query that is asked again and again for rows beyond the last one seen.

    `connect` is the path of a SQLite file (relative to the project), `"postgres:"` for the database of the setting `postgres.dsn` (the
    parameter is `$1` there), or a function that opens any DB-API 2.0 connection. The query
    names the cursor column's last value in the connection's own parameter style and is ordered by that column:
    `"select id, day from closings where id > :cursor order by id"`. `begin` is the value before the first row.
    """

    connect: str | Callable[[], Connection]
    query: str
    cursor: str
    begin: Json = 0
    every: Duration = "5s"
    label: str = ""

    def __post_init__(self) -> None:
        micros(self.every)

    @property
    def name(self) -> SourceName:
        where = self.connect if isinstance(self.connect, str) else getattr(self.connect, "__qualname__", "function")
        return SourceName(f"table:{self.label or where}")


@dataclass(frozen=True)
class PostgresSchema(SourceSpec):
    """Changes of tables in the database of the setting `postgres.dsn`, by a pattern over `schema.table` such as `public.*`.

    Where `reactor schema install` was run there, a change is told at once; else the catalogue is compared `every` so often.
    """

    tables: str
    every: Duration = "30s"

    def __post_init__(self) -> None:
        micros(self.every)
        if "." not in self.tables:
            raise DefinitionError(
                f"PostgresSchema({self.tables!r}): name the schema and the table, such as 'public.orders' or 'public.*'."
            )

    @property
    def name(self) -> SourceName:
        return SourceName(f"postgres-schema:{self.tables}")


@dataclass(frozen=True)
class RegistrySchema(SourceSpec):
    """Versions of subjects in the schema registry of the setting `registry.url` (Confluent's REST interface), by a pattern such as
    `orders-value` or `*-value`. The registry is asked `every` so often.
    """

    subjects: str
    every: Duration = "10s"

    def __post_init__(self) -> None:
        micros(self.every)
        if not self.subjects:
            raise DefinitionError(
                "RegistrySchema(''): name a subject, such as 'orders-value', or a pattern, such as '*-value'."
            )

    @property
    def name(self) -> SourceName:
        return SourceName(f"registry:{self.subjects}")


def schedule_of(asset: str) -> Schedule:
    """A schedule that stands inside a condition, from the name of its hidden asset: `schedule:0 6 * * *@UTC`."""
    text, _, timezone = asset.removeprefix(SCHEDULE).rpartition("@")
    every = text.removeprefix("every ")
    return Schedule(every=every, timezone=timezone) if every != text else Schedule(text, timezone=timezone)
