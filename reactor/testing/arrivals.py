"""Arrivals: what comes in from outside, put before the user's own sensors."""

import asyncio
import threading
import traceback
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from reactor.core.admit import Judged
from reactor.core.graph import Graph
from reactor.model.events import DeadLetter, RawEvent, Ready, encode_payload
from reactor.model.ids import Instant, Lane, SensorName, SourceName
from reactor.model.source import SourceSpec
from reactor.service.call import BadAnswer, Call, bind, ready_of

T = TypeVar("T")
LANE = Lane("0")


@dataclass
class Arrival:
    """One event of one source, at its position. `ready` is set where a test announces readiness without a
    sensor.
    """

    source: SourceName
    event: RawEvent
    ready: Sequence[Ready] | None = None
    sensor: str = "test"


class Senses:
    """The sensors of a project, bound to what they remember."""

    def __init__(self, graph: Graph, states: dict[SensorName, bytes]) -> None:
        self._graph = graph
        self._calls: dict[SourceName, list[Call]] = {}
        for sensor in graph.sensors:
            self._calls.setdefault(sensor.source.name, []).append(bind(sensor, states.get(sensor.name)))

    def specs(self) -> list[SourceSpec]:
        """Each source once."""
        return list({s.source.name: s.source for s in self._graph.sensors}.values())

    def judge(self, arrival: Arrival, now: Instant) -> Judged:
        """What the sensors of its source make of it."""
        if arrival.ready is not None:
            return Judged(arrival.event, [(arrival.sensor, r, arrival.event.traceparent) for r in arrival.ready])
        ready: list[tuple[str, Ready, str | None]] = []
        dead: list[DeadLetter] = []
        for call in self._calls.get(arrival.source, ()):
            try:
                ready += [
                    (call.sensor.name, r, arrival.event.traceparent)
                    for r in ready_of(self._graph, _ask(call, arrival.event))
                ]
                call.keep_state()
            except Exception as error:  # noqa: BLE001 - it costs its event, as in production
                call.restore_state()
                dead.append(_dead(call, arrival, error, now))
        return Judged(arrival.event, ready, dead)

    def memories(self, source: SourceName) -> list[tuple[SensorName, bytes]]:
        """What the sensors of this source remember now."""
        return [(c.sensor.name, c.state_bytes()) for c in self._calls.get(source, ()) if c.wants_state]


def _ask(call: Call, event: RawEvent) -> object:
    answer = call.ask_batch([event]) if call.whole_batch else call.ask(event)
    return finish(cast("Coroutine[object, object, object]", answer)) if call.is_async and answer is not None else answer


def _dead(call: Call, arrival: Arrival, error: Exception, now: Instant) -> DeadLetter:
    wrong = isinstance(error, BadAnswer)
    return DeadLetter(
        arrival.source,
        LANE,
        arrival.event.position,
        call.sensor.name,
        str(error) if wrong else f"{type(error).__name__}: {error}",
        "" if wrong else "".join(traceback.format_exception(error)),
        encode_payload(arrival.event.payload),
        now,
    )


def finish(coroutine: Coroutine[object, object, T]) -> T:
    """Runs a user's async function to its end, on a loop of its own: the test may stand on one already."""
    found: list[T] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            found.append(asyncio.run(coroutine))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failed.append(error)

    thread = threading.Thread(target=work, name="simulated")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]
