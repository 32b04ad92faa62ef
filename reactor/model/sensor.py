"""Sensors: the user's functions that turn raw events into readiness."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, ParamSpec, TypeVar

from reactor.model.duration import Duration, micros
from reactor.model.errors import DefinitionError
from reactor.model.events import Json, Ready
from reactor.model.ids import SensorName
from reactor.model.source import SourceSpec

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
Answer = Ready | Sequence[Ready] | None


class State(dict[str, Json]):
    """What a sensor remembers from one event to the next: JSON values, at most 256 KiB.

    A sensor that wants it names it as a second parameter. It is saved in the same transaction as the readiness and the position
    of the events that led to it, so it is never ahead of them and never behind.
    """

    LIMIT = 256 * 1024


@dataclass(frozen=True)
class Sensor(Generic[P, R_co]):
    """A function on one source. Calling it calls the function."""

    function: Callable[P, R_co]
    source: SourceSpec
    name: SensorName
    timeout: int
    """Microseconds that one call may take."""
    module: str = field(default="", compare=False)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return self.function(*args, **kwargs)


AnySensor = Sensor[..., object]  # type: ignore[explicit-any]  # what it is given is said by its annotations


def sensor(
    source: SourceSpec, *, name: str | None = None, timeout: Duration = "10s"
) -> Callable[[Callable[P, R_co]], Sensor[P, R_co]]:
    """Makes a function the sensor of a source.

    What it is given is said by its first parameter's annotation: `Record`, `File`, `CloudEvent`, `Row`, `Tick`, `Message`, a pydantic
    model (the payload is checked against it first), or a `list[...]` of one of these (called once per batch). A second parameter annotated `State`
    is its memory. It returns a `Ready`, a list of them, or None.
    """
    if not isinstance(source, SourceSpec):
        raise DefinitionError(
            f'@sensor({source!r}): give it a source, such as Kafka("topic") or Files("landing/*.csv").'
        )

    def wrap(function: Callable[P, R_co]) -> Sensor[P, R_co]:
        parameters = list(inspect.signature(function).parameters.values())
        if not 1 <= len(parameters) <= 2:
            raise DefinitionError(
                f"Sensor {function.__name__!r} takes {len(parameters)} parameters. A sensor takes the event, and if it has a memory, "
                "a second one annotated State."
            )
        return Sensor(
            function,
            source,
            SensorName(name or function.__name__),
            micros(timeout),
            getattr(function, "__module__", ""),
        )

    return wrap
