"""Calling a sensor: what its parameters ask for, and what its answer may be."""

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence

import msgspec
from pydantic import BaseModel, TypeAdapter, ValidationError

from reactor.core.graph import Graph
from reactor.model.errors import DefinitionError, nearest
from reactor.model.events import (
    SHAPE,
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
    Tick,
    evidence_json,
)
from reactor.model.sensor import AnySensor, State
from reactor.model.source import (
    Bucket,
    Files,
    Http,
    Kafka,
    Map,
    Mqtt,
    PostgresSchema,
    RegistrySchema,
    Schedule,
    SourceSpec,
    Table,
    Webhook,
)

PAYLOADS: Mapping[type[SourceSpec], type[Payload]] = {
    Kafka: Record,
    Files: File,
    Bucket: File,
    Http: CloudEvent,
    Table: Row,
    Schedule: Tick,
    Mqtt: Message,
    PostgresSchema: SchemaChange,
    RegistrySchema: SchemaChange,
    Webhook: CloudEvent,
}
"""What each kind of source gives."""


class BadAnswer(Exception):
    """The event does not fit the sensor's annotation, or the sensor's answer is no answer."""


class Call:
    """One sensor, ready to be called."""

    def __init__(
        self, sensor: AnySensor, convert: Callable[[RawEvent], Json], whole_batch: bool, state: bytes | None
    ) -> None:
        """`convert` makes of an event what the function takes; None: the function is not asked."""
        self.sensor = sensor
        self.whole_batch = whole_batch
        self.is_async = inspect.iscoroutinefunction(sensor.function)
        self.wants_state = len(inspect.signature(sensor.function).parameters) == 2
        self.digest = ""
        self._convert = convert
        self._kept = state or b"{}"
        self._state = State(msgspec.json.decode(self._kept))

    def ask(self, event: RawEvent) -> object:
        value = self._convert(event)
        return None if value is None else self._asked(value)

    async def ask_async(self, event: RawEvent) -> object:
        answer = self.ask(event)
        return await answer if inspect.isawaitable(answer) else answer

    def ask_batch(self, events: Sequence[RawEvent]) -> object:
        values = [value for e in events if (value := self._convert(e)) is not None]
        return self._asked(values) if values else None

    async def ask_async_batch(self, events: Sequence[RawEvent]) -> object:
        answer = self.ask_batch(events)
        return await answer if inspect.isawaitable(answer) else answer

    def _asked(self, value: Json) -> object:
        return self.sensor.function(value, self._state) if self.wants_state else self.sensor.function(value)

    def keep_state(self) -> None:
        """The call was good: what it remembered stays. Raises BadAnswer where that is no JSON, or too much of it."""
        if not self.wants_state:
            return
        try:
            kept = msgspec.json.encode(self._state)
        except (TypeError, ValueError) as error:
            raise BadAnswer(f"what the sensor wants to remember is no JSON: {error}") from error
        if len(kept) > State.LIMIT:
            raise BadAnswer(f"the sensor wants to remember {len(kept)} bytes; {State.LIMIT} are allowed")
        self._kept = kept

    def restore_state(self) -> None:
        """The call failed: what it half remembered is forgotten."""
        if self.wants_state:
            self._state = State(msgspec.json.decode(self._kept))

    def state_bytes(self) -> bytes:
        return self._kept

    def renewed(self) -> "Call":
        """A twin that remembers what was kept last. A thread that was left behind holds the old one, and can spoil nothing any more."""
        twin = Call(self.sensor, self._convert, self.whole_batch, self._kept)
        twin.digest = self.digest
        return twin


def bind(sensor: AnySensor, state: bytes | None) -> Call:
    """The sensor, ready to be called.

    Raises:
        DefinitionError: its annotations ask for something that its source does not give.
    """
    expected = PAYLOADS[type(sensor.source)]
    try:
        hints = typing.get_type_hints(sensor.function)
    except (NameError, TypeError) as error:
        raise DefinitionError(f"Sensor {sensor.name!r}: its annotations cannot be read ({error}).") from error
    parameters = list(inspect.signature(sensor.function).parameters)
    wanted = hints.get(parameters[0], expected)
    whole = typing.get_origin(wanted) in (list, Sequence)
    if whole:
        wanted = typing.get_args(wanted)[0]
    if len(parameters) == 2 and hints.get(parameters[1]) is not State:
        raise DefinitionError(
            f"Sensor {sensor.name!r}: its second parameter {parameters[1]!r} is its memory; annotate it State (from reactor)."
        )
    convert = _converter(sensor, wanted, expected)
    if isinstance(sensor.source, Webhook) and sensor.source.map is not None:
        convert = _mapped(sensor.source.map, convert)
    return Call(sensor, convert, whole, state)


def _mapped(map: Map, convert: Callable[[RawEvent], Json]) -> Callable[[RawEvent], Json]:
    """What the user's function makes of a delivery, in the delivery's place."""

    def mapped(event: RawEvent) -> Json:
        assert isinstance(event.payload, CloudEvent)
        found = map(event.payload)
        if found is None:
            return None
        if not isinstance(found, CloudEvent):
            raise BadAnswer(
                f"the webhook's map gave {type(found).__name__}; it gives a CloudEvent, or None to leave the delivery out"
            )
        return convert(RawEvent(found, event.position, event.id, event.traceparent))

    return mapped


def _converter(sensor: AnySensor, wanted: Json, expected: type) -> Callable[[RawEvent], Json]:
    if wanted is expected:
        return lambda event: event.payload
    if isinstance(wanted, type) and issubclass(wanted, BaseModel):
        return _model(wanted)
    raise DefinitionError(
        f"Sensor {sensor.name!r} asks for {getattr(wanted, '__name__', wanted)}, but {sensor.source.name} gives {expected.__name__}. "
        f"Annotate it {expected.__name__}, or a pydantic model of its payload."
    )


def _model(model: type[BaseModel]) -> Callable[[RawEvent], BaseModel]:
    adapter = TypeAdapter(model)

    def convert(event: RawEvent) -> BaseModel:
        payload = event.payload
        try:
            if isinstance(payload, Record):
                return adapter.validate_json(payload.body or b"null")
            if isinstance(payload, Message):
                return adapter.validate_json(payload.body or b"null")
            if isinstance(payload, CloudEvent):
                return adapter.validate_python(payload.data)
            if isinstance(payload, Row):
                return adapter.validate_python(dict(payload.values))
            return adapter.validate_python(
                dict(payload.fields) if isinstance(payload, File) else msgspec.structs.asdict(payload)
            )
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'payload'}: {e['msg']}" for e in error.errors()[:5])
            raise BadAnswer(f"the payload is no {model.__name__}: {faults}") from error

    return convert


def ready_of(graph: Graph, answer: object) -> Sequence[Ready]:
    """The sensor's answer as a list of readiness. Raises BadAnswer where it is none, or names what does not exist."""
    if answer is None:
        return ()
    if isinstance(answer, Ready):
        return (_checked(graph, answer),)
    if isinstance(answer, (list, tuple)):
        wrong = next((one for one in answer if not isinstance(one, Ready)), None)
        if wrong is not None:
            raise BadAnswer(
                f"the sensor answered a list with {type(wrong).__name__} in it; each entry is made with Asset.ready(...)"
            )
        return _merged([_checked(graph, one) for one in answer])
    raise BadAnswer(
        f"the sensor answered {type(answer).__name__}; it answers None, or what Asset.ready(...) gives, or a list of these"
    )


def _merged(answers: Sequence[Ready]) -> Sequence[Ready]:
    """One answer that names a slot twice announces it once: the last one counts."""
    return tuple({(r.asset, r.partition): r for r in answers}.values())


def _checked(graph: Graph, ready: Ready) -> Ready:
    """The answer with nothing in it that could stop the engine later, whoever made it."""
    asset = graph.assets.get(ready.asset)
    if asset is None and ready.asset in graph.schedules:
        return ready
    if ready.asset.startswith(SHAPE) and ready.asset.removeprefix(SHAPE) in graph.schemas:
        return ready
    if ready.asset.startswith(SHAPE):
        raise BadAnswer(
            f"the sensor says that the schema of {ready.asset.removeprefix(SHAPE)} changed, but that asset has none to compare with. Give it "
            "schema=..., or schema=accepted for the last one."
        )
    if asset is None:
        raise BadAnswer(
            f"the sensor announced {ready.asset!r}, but no asset is called so.{nearest(ready.asset, graph.assets)}"
        )
    try:
        key = asset.partition(ready.partition or None)
        if not key.isprintable():
            key.encode()  # half a character, as in the name of a file that is no UTF-8, has no place in a database
        if ready.body:
            return ready if key == ready.partition else msgspec.structs.replace(ready, partition=key)
        return msgspec.convert(
            msgspec.structs.asdict(ready) | {"partition": key, "body": evidence_json(ready.evidence)}, Ready
        )  # made by hand, not by Asset.ready
    except (ValueError, msgspec.ValidationError) as error:
        raise BadAnswer(str(error)) from error
