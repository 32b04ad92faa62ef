"""Judging: a batch of raw events is put before the sensors of its source.

Plain sensors get one thread hop per batch, async ones run on the loop under their time limit. What a sensor is given is said by its
annotation; see `reactor.model.sensor.sensor`.
"""

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from reactor.core.admit import Judged
from reactor.core.graph import Graph
from reactor.core.runs import new_span
from reactor.executors.pool import DaemonPool
from reactor.model.events import DeadLetter, RawEvent, Ready, encode_payload
from reactor.model.ids import Instant, SensorName
from reactor.model.ports import Clock, Ids, Redact
from reactor.model.sensor import AnySensor
from reactor.service.call import BadAnswer, Call, bind, ready_of
from reactor.service.redaction import clear_letter
from reactor.sources.base import Batch
from reactor.store.base import SensorState
from reactor.telemetry.base import Sensed, Telemetry

T = TypeVar("T")
TRIES = 3
"""How often a sensor that raises is asked about the same event, at once, before it goes to the dead letters."""
BODY_LIMIT = 1024 * 1024
USERS_ERRORS = (Exception, SystemExit, asyncio.CancelledError)
"""What a user's code may raise: it costs the event and never the service."""
STUCK_AT_MOST = 4
"""Threads that may hang in one sensor before its source stops."""


class SensorStuck(Exception):
    """A plain sensor hangs so often that its source cannot go on without leaking threads."""


class _Result(msgspec.Struct, gc=False):
    """What one sensor said of one event."""

    ready: Sequence[Ready] = ()
    dead: DeadLetter | None = None
    began: Instant = Instant(0)
    ended: Instant = Instant(0)


_NOTHING = _Result()
"""The answer to most events: one for all of them."""


class _Work(Generic[T]):
    """A call in a thread that may be left behind. The loop's own way into threads is used, so that a simulation can stand in for it."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self.over = False

    def __call__(self) -> T:
        try:
            return self._call()
        finally:
            self.over = True


class SourceJudge:
    """The sensors of one source."""

    def __init__(
        self,
        graph: Graph,
        sensors: Sequence[AnySensor],
        states: dict[SensorName, bytes],
        clock: Clock,
        ids: Ids,
        telemetry: Telemetry,
        redact: Redact,
    ) -> None:
        self._graph, self._clock, self._ids, self._telemetry = graph, clock, ids, telemetry
        self._redact = redact
        self.calls = [bind(s, states.get(s.name)) for s in sensors]
        self._threads = DaemonPool(1, "sensor")
        self._left_behind: list[_Work[Any]] = []  # type: ignore[explicit-any]  # whatever they would answer

    @property
    def has_memory(self) -> bool:
        return any(c.wants_state for c in self.calls)

    async def judge(self, batch: Batch, known: set[str]) -> tuple[list[Judged], list[SensorState]]:
        """What the sensors make of the batch. Events whose id is in `known` are not shown to them: the engine counts them as duplicates."""
        fresh = [e for e in batch.events if e.id not in known] if known else batch.events
        good = [e for e in (self._first_of_each(fresh) if self.has_memory else fresh) if e.error is None]
        results = [await self._ask(number, batch, good) for number in range(len(self.calls))]
        shown = {e.position for e in good}
        rows = iter(zip(*results, strict=True)) if results else iter(() for _ in good)
        judged: list[Judged] = []
        sensed: list[Sensed] = []
        for event in batch.events:
            if event.error is not None:
                judged.append(Judged(event, (), [self._dead(batch, event, "", event.error, "", None)]))
            elif event.position not in shown:
                judged.append(Judged(event))
            else:
                judged.append(self._row(batch, event, next(rows), sensed))
        if sensed:
            self._telemetry.sensed(sensed)
        return judged, [SensorState(c.sensor.name, c.state_bytes()) for c in self.calls if c.wants_state and good]

    @staticmethod
    def _first_of_each(events: Sequence[RawEvent]) -> list[RawEvent]:
        """An event that a batch holds twice is shown once: a memory would count it twice."""
        return list({e.id or str(e.position): e for e in reversed(events)}.values())[::-1]

    async def judge_again(self, batch: Batch, sensor: str) -> tuple[Judged, list[SensorState]] | None:
        """One event before one sensor, as when its dead letter is retried. None: that sensor does not read this source any more."""
        number = next((n for n, c in enumerate(self.calls) if c.sensor.name == sensor), None)
        if number is None:
            return None
        result = (await self._ask(number, batch, batch.events))[0]
        call = self.calls[number]
        sensed: list[Sensed] = []
        ready = self._traced(batch, batch.events[0], call, result, sensed) if result.ready else []
        if sensed:
            self._telemetry.sensed(sensed)
        states = [SensorState(call.sensor.name, call.state_bytes())] if call.wants_state else []
        return Judged(batch.events[0], ready, [result.dead] if result.dead is not None else []), states

    def _row(self, batch: Batch, event: RawEvent, row: Sequence[_Result], sensed: list[Sensed]) -> Judged:
        judged = Judged(event)
        for call, result in zip(self.calls, row, strict=True):
            if result is _NOTHING:
                continue
            if result.dead is not None:
                judged.dead = [*judged.dead, result.dead]
            elif result.ready:
                judged.ready = [*judged.ready, *self._traced(batch, event, call, result, sensed)]
        return judged

    def _traced(
        self, batch: Batch, event: RawEvent, call: Call, result: _Result, sensed: list[Sensed]
    ) -> list[tuple[str, Ready, str | None]]:
        """The spans' ids are fixed now; the spans themselves are written later, by whoever wants them."""
        name = call.sensor.name
        if not self._telemetry.traces:
            return [(name, r, event.traceparent) for r in result.ready]
        process = self._telemetry.flagged(new_span(event.traceparent, self._ids), event.traceparent)
        span = new_span(process, self._ids)
        found = [(name, r, new_span(span, self._ids)) for r in result.ready]
        sensed.append(
            Sensed(
                batch.source,
                batch.lane,
                event,
                name,
                result.began,
                result.ended,
                process,
                span,
                tuple((r.asset, r.partition, t) for _, r, t in found),
            )
        )
        return [(n, r, t) for n, r, t in found]

    # --- asking

    async def _ask(self, number: int, batch: Batch, events: list[RawEvent]) -> list[_Result]:
        call = self.calls[number]
        if not events:
            return []
        if call.whole_batch:
            return await self._ask_batch(number, batch, events)
        if call.is_async:
            return [await self._ask_async(call, batch, e) for e in events]
        return await self._ask_thread(number, batch, events)

    async def _ask_async(self, call: Call, batch: Batch, event: RawEvent) -> _Result:
        result = _Result(began=self._clock.now())
        for attempt in range(1, TRIES + 1):
            limit = asyncio.timeout(call.sensor.timeout / 1e6)
            try:
                async with limit:
                    ready = ready_of(self._graph, await call.ask_async(event))
                call.keep_state()
                result.ready = ready
                break
            except USERS_ERRORS as error:
                call.restore_state()
                if _is_ours(error):
                    raise
                if limit.expired():
                    result.dead = self._dead(batch, event, call.sensor.name, _late(call), _trace(error), call)
                    break
                if attempt == TRIES or not _worth_trying_again(error):
                    result.dead = self._dead(batch, event, call.sensor.name, _reason(error), _trace(error), call)
                    break
        result.ended = self._clock.now()
        return result

    def _ask_plain(self, call: Call, batch: Batch, event: RawEvent) -> _Result:
        traced = self._telemetry.traces
        result = _Result(began=self._clock.now()) if traced else _Result()
        for attempt in range(1, TRIES + 1):
            try:
                ready = ready_of(self._graph, call.ask(event))
                if call.wants_state:
                    call.keep_state()
                if not ready:
                    return _NOTHING
                result.ready = ready
                break
            except USERS_ERRORS as error:
                call.restore_state()
                if attempt == TRIES or not _worth_trying_again(error):
                    result.dead = self._dead(batch, event, call.sensor.name, _reason(error), _trace(error), call)
                    break
        if traced:
            result.ended = self._clock.now()
        return result

    async def _ask_thread(self, number: int, batch: Batch, events: list[RawEvent]) -> list[_Result]:
        """One hop for the whole batch. Where a single call overruns, its event dies, its thread is left behind, and the rest goes on."""
        results: list[_Result] = []
        loop = asyncio.get_running_loop()
        while len(results) < len(events):
            call = self.calls[number]
            work = _Progress(self, call, batch, events[len(results) :], loop.time)
            job = _Work(work.run)
            waiting = loop.run_in_executor(self._threads, job)
            done: list[_Result] | None = None
            while done is None and not waiting.done():
                await asyncio.wait([waiting], timeout=work.left())
                done = None if waiting.done() else work.give_up()
            if done is None:
                results.extend(await waiting)
                continue
            results.extend(done)
            event, reason = events[len(results)], f"{_late(call)} and was left behind"
            results.append(_Result(dead=self._dead(batch, event, call.sensor.name, reason, work.stack(), call)))
            self._new_thread(number, job)
        return results

    def _new_thread(self, number: int, job: _Work[T]) -> None:
        """The call in the old thread goes on, unheard. One that comes back after all costs nothing any more."""
        call = self.calls[number]
        self.calls[number] = call.renewed()
        self._left_behind = [j for j in self._left_behind if not j.over] + [job]
        self._threads.shutdown(wait=False)
        self._threads = DaemonPool(1, "sensor")
        if len(self._left_behind) > STUCK_AT_MOST:
            raise SensorStuck(
                f"{len(self._left_behind)} calls of sensor {call.sensor.name!r} hang; each costs a thread that nothing can stop. Its source "
                "was stopped, and its position stays where it is. Mend the sensor, then restart."
            )

    async def _ask_batch(self, number: int, batch: Batch, events: list[RawEvent]) -> list[_Result]:
        """A sensor that takes a list answers once for all of it; its answer is booked on the last event. If it fails, all of them die."""
        call, began = self.calls[number], self._clock.now()
        limit = asyncio.timeout(call.sensor.timeout / 1e6)
        job = _Work(lambda: call.ask_batch(events))
        try:
            async with limit:
                if call.is_async:
                    answer = await call.ask_async_batch(events)
                else:
                    answer = await asyncio.get_running_loop().run_in_executor(self._threads, job)
                ready = ready_of(self._graph, answer)
            call.keep_state()
        except USERS_ERRORS as error:
            call.restore_state()
            if _is_ours(error):
                raise
            if limit.expired() and not call.is_async:
                self._new_thread(number, job)
            reason = _late(call) if limit.expired() else _reason(error)
            return [_Result(dead=self._dead(batch, e, call.sensor.name, reason, _trace(error), call)) for e in events]
        results = [_Result(began=began, ended=self._clock.now()) for _ in events]
        results[-1].ready = ready
        return results

    def _dead(
        self, batch: Batch, event: RawEvent, sensor: str, reason: str, detail: str, call: Call | None
    ) -> DeadLetter:
        try:
            body = encode_payload(event.payload)
        except (TypeError, ValueError) as error:
            body = msgspec.json.encode({"no JSON": str(error)})
        if len(body) > BODY_LIMIT:
            body = msgspec.json.encode({"too large to keep": len(body)})
        digest = call.digest if call is not None else ""
        letter = DeadLetter(
            batch.source, batch.lane, event.position, sensor, reason, detail, body, self._clock.now(), digest
        )
        return clear_letter(letter, self._redact)

    def close(self) -> None:
        self._threads.shutdown(wait=False)


class _Progress:
    """A batch on its way through a plain sensor, watched from the loop."""

    def __init__(
        self, judge: SourceJudge, call: Call, batch: Batch, events: list[RawEvent], time: Callable[[], float]
    ) -> None:
        self._judge, self._call, self._batch, self._events, self._time = judge, call, batch, events, time
        self._results: list[_Result] = []
        self._lock = threading.Lock()
        self._abandoned = self._begun = False
        self._thread = 0
        self._since = self._time()

    def run(self) -> list[_Result]:
        self._thread = threading.get_ident()
        with self._lock:
            self._since, self._begun = self._time(), True
        for event in self._events:
            result = self._judge._ask_plain(self._call, self._batch, event)
            with self._lock:
                if self._abandoned:
                    return []
                self._results.append(result)
                self._since = self._time()
        return self._results

    def left(self) -> float:
        return max(0.01, self._since + self._call.sensor.timeout / 1e6 - self._time())

    def give_up(self) -> list[_Result] | None:
        """Where the call under way is overdue: what the calls before it came to; from now on its thread is nobody's. Else None."""
        with self._lock:
            late = self._time() - self._since > self._call.sensor.timeout / 1e6
            if not self._begun or not late or len(self._results) == len(self._events):
                return None
            self._abandoned = True
            return list(self._results)

    def stack(self) -> str:
        frame = sys._current_frames().get(self._thread)
        return "".join(traceback.format_stack(frame)) if frame is not None else ""


def _is_ours(error: BaseException) -> bool:
    """The service cancelled it, not the user's code itself."""
    current = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and current is not None and current.cancelling() > 0


def _late(call: Call) -> str:
    return f"the sensor took longer than {call.sensor.timeout / 1e6:g} s"


def _worth_trying_again(error: BaseException) -> bool:
    """What is wrong with the event itself is wrong the next time too."""
    return not isinstance(
        error, (SystemExit, BadAnswer, msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError)
    )


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, BadAnswer) else f"{type(error).__name__}: {error}"


def _trace(error: BaseException) -> str:
    return "" if isinstance(error, BadAnswer) else "".join(traceback.format_exception(error))
