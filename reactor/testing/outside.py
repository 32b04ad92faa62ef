"""What comes from outside, in a simulation: records, files, rows, posts, messages, as their sources would hand them over."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from reactor.core.graph import Graph
from reactor.model.errors import DefinitionError, nearest
from reactor.model.events import (
    CloudEvent,
    File,
    Json,
    Message,
    Payload,
    RawEvent,
    Ready,
    Record,
    Row,
    SchemaChange,
)
from reactor.model.ids import SourceName
from reactor.model.source import Http, Kafka, Mqtt, PostgresSchema, RegistrySchema, SourceSpec, Table, Webhook
from reactor.testing.arrivals import Arrival
from reactor.testing.faults import Dice
from reactor.testing.landings import landed, patterns
from reactor.testing.people import People

TEST = SourceName("test")
S = TypeVar("S", bound=SourceSpec)


class Outside(People):
    """The part of a `Simulator` that events come from."""

    graph: Graph
    _dice: Dice
    _folder: Path | None
    _positions: dict[SourceName, int]
    _files: dict[str, int]
    _together: list[Arrival] | None

    def ready(self, *ready: Ready, id: str = "") -> Self:
        """One event that announces these, as a sensor would have said. An `id` that was seen before is a
        duplicate.
        """
        for one in ready:
            if one.asset not in self.graph.assets:
                raise DefinitionError(f"No asset is called {one.asset!r}.{nearest(one.asset, self.graph.assets)}")
        self._send(TEST, Row({}, None), id, tuple({(r.asset, r.partition): r for r in ready}.values()))
        return self

    def publish(
        self, topic: str, value: Json, *, key: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Self:
        """A record of a topic, read by the sensors of `Kafka(topic)`. `value` is sent as JSON; bytes as they
        are; None is a tombstone.
        """
        spec = self._spec(Kafka, topic, lambda s: s.topic)
        body = value if isinstance(value, bytes) or value is None else msgspec.json.encode(value)
        position = self._next_position(spec.name)
        wire = tuple((k, v.encode()) for k, v in (headers or {}).items())
        record = Record(topic, 0, position, self._machine.now, None if key is None else key.encode(), body, wire)
        self._send(spec.name, record, "", position=position)
        return self

    def land(self, name: str, text: str | None = "") -> Self:
        """A file, complete, under a name relative to the project; read by every `Files` pattern that matches it.
        With a `folder`, it is really written there; without a text (None) it lies there already. An object is landed by its URL, and read
        by every `Bucket`.
        """
        base, remote = self._folder or Path("/simulated"), "://" in name
        if self._folder is not None and text is not None and not remote:
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            (base / name).write_text(text, "utf-8")
        size = (base / name).stat().st_size if text is None else len(text.encode())
        version = self._files[name] = self._files.get(name, 0) + 1
        specs = self._machine.senses.specs()
        readers = {spec.name: found for spec in specs if (found := landed(spec, name, base)) is not None}
        if not readers:
            raise DefinitionError(f"No sensor reads a file called {name!r}. Patterns: {patterns(specs)}.")
        for source, found in readers.items():
            file = File(*found, size, self._machine.now, version, f"simulated-{version}" if remote else "")
            self._send(source, file, f"{found.name}#{version}")
        return self

    def row(self, table: str, **values: Json) -> Self:
        """A new row of the polled table of this label (or path), read by the sensors of `Table`."""
        spec = self._spec(Table, table, lambda s: s.name.removeprefix("table:"))
        self._send(spec.name, Row(values, values[spec.cursor]), "")
        return self

    def post(self, type: str, data: Json = None, *, id: str = "", subject: str | None = None) -> Self:
        """A CloudEvent, read by the sensors of every `Http` whose type it is."""
        number = id or f"event-{self._next_position(SourceName('http'))}"
        event = CloudEvent(number, "/simulated", type, subject, self._machine.now, "application/json", None, data)
        specs = [s for s in self._machine.senses.specs() if isinstance(s, Http) and _covers(s.type, type)]
        if not specs:
            raise DefinitionError(f"No sensor reads events of type {type!r}.")
        for spec in specs:
            self._send(spec.name, event, f"/simulated {number}")
        return self

    def deliver(self, path: str, data: Mapping[str, Json], *, id: str = "", type: str = "") -> Self:
        """A delivery to the webhook at this path, rightly signed. `id` and `type` stand where its style puts them; without
        them those of `data` are taken, or a number.
        """
        spec = self._spec(Webhook, path, lambda s: s.path)
        number = id or str(data.get("id", f"delivery-{self._next_position(SourceName('deliveries'))}"))
        kind = type or str(data.get("type", ""))
        event = CloudEvent(number, path, kind, None, self._machine.now, "application/json", None, dict(data))
        self._send(spec.name, event, f"{path} {number}")
        return self

    def message(
        self,
        topic: str,
        value: Json = None,
        *,
        id: str = "",
        retained: bool = False,
        properties: Mapping[str, str] | None = None,
    ) -> Self:
        """A publication of MQTT with QoS 1, read by the sensors of every `Mqtt` whose filter covers the topic. `value` is
        sent as JSON; bytes as they are. One with an `id` that its topic has had is a duplicate.
        """
        body = value if isinstance(value, bytes) else msgspec.json.encode(value)
        given = ((("id", id),) if id else ()) + tuple((properties or {}).items())
        specs = [s for s in self._machine.senses.specs() if isinstance(s, Mqtt)]
        met = [(s, fields) for s in specs if (fields := s.match(topic)) is not None]
        if not met:
            filters = ", ".join(s.topic for s in specs) or "none"
            raise DefinitionError(f"No sensor reads the MQTT topic {topic!r}. Filters: {filters}.")
        for spec, fields in met:
            message = Message(topic, fields, body, 1, retained, self._machine.now, properties=given)
            self._send(spec.name, message, f"{topic} {id}" if id else "")
        return self

    def changed(self, source: str, change: SchemaChange) -> Self:
        """A schema that is another one than before, read by the sensors of the source of this name (`registry:*-value`)."""
        known = [s.name for s in self._machine.senses.specs() if isinstance(s, (PostgresSchema, RegistrySchema))]
        if source not in known:
            raise DefinitionError(f"No sensor reads changes of schemas from {source!r}.{nearest(source, known)}")
        self._send(SourceName(source), change, "")
        return self

    @contextmanager
    def together(self) -> Iterator[None]:
        """What arrives inside is one transaction, as events that come at the same instant can be."""
        self._together = []
        try:
            yield
            self._machine.arrive(*self._together)
        finally:
            self._together = None
        self._machine.play(self._machine.now)

    def _spec(self, kind: type[S], name: str, of: Callable[[S], str]) -> S:
        known = {of(s): s for s in self._machine.senses.specs() if isinstance(s, kind)}
        if name not in known:
            raise DefinitionError(f"No sensor reads the {kind.__name__.lower()} {name!r}.{nearest(name, known)}")
        return known[name]

    def _next_position(self, source: SourceName) -> int:
        self._positions[source] = self._positions.get(source, -1) + 1
        return self._positions[source]

    def _send(
        self,
        source: SourceName,
        payload: Payload,
        id: str,
        ready: Sequence[Ready] | None = None,
        position: int | None = None,
    ) -> None:
        place = self._next_position(source) if position is None else position
        arrival = Arrival(source, RawEvent(payload, place, id), ready)
        if self._together is not None:
            self._together.append(arrival)
            return
        for delay in self._dice.delays():
            self._machine.deliver(arrival, delay)
        self._machine.play(self._machine.now)


def _covers(pattern: str, type: str) -> bool:
    return type.startswith(pattern[:-1]) if pattern.endswith("*") else type == pattern
