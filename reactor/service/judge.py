"""Judging: a batch of raw events is put before the sensors of its source.

Plain sensors get one thread hop per batch, async ones run on the loop under their time limit. What a sensor is given is said by its
annotation; see `reactor.model.sensor.sensor`.
"""

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec

from reactor.core.admit import Judged
from reactor.core.graph import Graph
from reactor.core.runs import child
from reactor.model.events import DeadLetter, RawEvent, Ready, encode_payload
from reactor.model.ids import Instant, SensorName
from reactor.model.ports import Clock, Ids
from reactor.model.sensor import AnySensor
from reactor.service.call import BadAnswer, Call, bind, ready_of
from reactor.sources.base import Batch
from reactor.store.base import SensorState
from reactor.telemetry.base import Sensed, Telemetry

TRIES = 3
"""How often a sensor that raises is asked about the same event, at once, before it goes to the dead letters."""
BODY_LIMIT = 1024 * 1024
STUCK_AT_MOST = 4
"""Threads that may hang in one sensor before its source stops."""


class SensorStuck(Exception):
    """A plain sensor hangs so often that its source cannot go on without leaking threads."""


@dataclass
class _Result:
    """What one sensor said of one event."""

    ready: Sequence[Ready] = ()
    dead: DeadLetter | None = None
    began: Instant = Instant(0)
    ended: Instant = Instant(0)


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
    ) -> None:
        self._graph, self._clock, self._ids, self._telemetry = graph, clock, ids, telemetry
        self.calls = [bind(s, states.get(s.name)) for s in sensors]
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="sensor")
        self._stuck = 0

    @property
    def has_memory(self) -> bool:
        return any(c.wants_state for c in self.calls)

    async def judge(self, batch: Batch, known: set[str]) -> tuple[list[Judged], list[SensorState]]:
        """What the sensors make of the batch. Events whose id is in `known` are not shown to them: the engine counts them as duplicates."""
        fresh = [e for e in batch.events if e.id not in known] if known else batch.events
        good = [e for e in fresh if e.error is None]
        results = [await self._ask(call, batch, good) for call in self.calls]
        rows = iter(zip(*results, strict=True)) if results else iter(() for _ in good)
        judged: list[Judged] = []
        sensed: list[Sensed] = []
        for event in batch.events:
            if event.error is not None:
                judged.append(Judged(event, (), [self._dead(batch, event, "", event.error, "", None)]))
            elif known and event.id in known:
                judged.append(Judged(event))
            else:
                judged.append(self._row(batch, event, next(rows), sensed))
        if sensed:
            self._telemetry.sensed(sensed)
        return judged, [SensorState(c.sensor.name, c.state_bytes()) for c in self.calls if c.wants_state and good]

    async def judge_again(self, batch: Batch, sensor: str) -> Judged | None:
        """One event before one sensor, as when its dead letter is retried. None: that sensor does not read this source any more."""
        call = next((c for c in self.calls if c.sensor.name == sensor), None)
        if call is None:
            return None
        result = (await self._ask(call, batch, batch.events))[0]
        ready = [(call.sensor.name, r, batch.events[0].traceparent) for r in result.ready]
        return Judged(batch.events[0], ready, [result.dead] if result.dead is not None else [])

    def _row(self, batch: Batch, event: RawEvent, row: Sequence[_Result], sensed: list[Sensed]) -> Judged:
        ready: list[tuple[str, Ready, str | None]] = []
        dead: list[DeadLetter] = []
        for call, result in zip(self.calls, row, strict=True):
            if result.dead is not None:
                dead.append(result.dead)
            elif result.ready:
                ready.extend(self._traced(batch, event, call, result, sensed))
        return Judged(event, ready, dead)

    def _traced(
        self, batch: Batch, event: RawEvent, call: Call, result: _Result, sensed: list[Sensed]
    ) -> list[tuple[str, Ready, str | None]]:
        """The spans' ids are fixed now; the spans themselves are written later, by whoever wants them."""
        name = call.sensor.name
        if not self._telemetry.traces:
            return [(name, r, event.traceparent) for r in result.ready]
        process = child(event.traceparent, self._ids)
        span = child(process, self._ids)
        found = [(name, r, child(span, self._ids)) for r in result.ready]
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

    async def _ask(self, call: Call, batch: Batch, events: list[RawEvent]) -> list[_Result]:
        if not events:
            return []
        if call.whole_batch:
            return await self._ask_batch(call, batch, events)
        if call.is_async:
            return [await self._ask_async(call, batch, e) for e in events]
        return await self._ask_thread(call, batch, events)

    async def _ask_async(self, call: Call, batch: Batch, event: RawEvent) -> _Result:
        result = _Result(began=self._clock.now())
        for attempt in range(1, TRIES + 1):
            try:
                async with asyncio.timeout(call.sensor.timeout / 1e6):
                    result.ready = ready_of(self._graph, await call.ask_async(event))
                call.keep_state()
                break
            except TimeoutError:
                call.restore_state()
                reason = f"the sensor took longer than {call.sensor.timeout / 1e6:g} s"
                result.dead = self._dead(batch, event, call.sensor.name, reason, "", call)
                break
            except Exception as error:  # noqa: BLE001 - whatever a user's code raises
                call.restore_state()
                if attempt == TRIES or not _worth_trying_again(error):
                    result.dead = self._dead(batch, event, call.sensor.name, _reason(error), _trace(error), call)
                    break
        result.ended = self._clock.now()
        return result

    def _ask_plain(self, call: Call, batch: Batch, event: RawEvent) -> _Result:
        result = _Result(began=self._clock.now() if self._telemetry.traces else Instant(0))
        for attempt in range(1, TRIES + 1):
            try:
                result.ready = ready_of(self._graph, call.ask(event))
                call.keep_state()
                break
            except Exception as error:  # noqa: BLE001 - whatever a user's code raises
                call.restore_state()
                if attempt == TRIES or not _worth_trying_again(error):
                    result.dead = self._dead(batch, event, call.sensor.name, _reason(error), _trace(error), call)
                    break
        if result.began:
            result.ended = self._clock.now()
        return result

    async def _ask_thread(self, call: Call, batch: Batch, events: list[RawEvent]) -> list[_Result]:
        """One hop for the whole batch. Where a single call overruns, its event dies, its thread is left behind, and the rest goes on."""
        results: list[_Result] = []
        loop = asyncio.get_running_loop()
        while len(results) < len(events):
            work = _Progress(self, call, batch, events[len(results) :], loop.time)
            waiting = loop.run_in_executor(self._threads, work.run)
            while not waiting.done():
                await asyncio.wait([waiting], timeout=work.left())
                if not waiting.done() and work.overdue():
                    break
            if waiting.done():
                results.extend(await waiting)
                continue
            results.extend(work.abandon())
            event = events[len(results)]
            reason = f"the sensor took longer than {call.sensor.timeout / 1e6:g} s and was left behind"
            results.append(_Result(dead=self._dead(batch, event, call.sensor.name, reason, work.stack(), call)))
            call.restore_state()
            self._new_thread(call)
        return results

    def _new_thread(self, call: Call) -> None:
        self._stuck += 1
        if self._stuck > STUCK_AT_MOST:
            raise SensorStuck(
                f"Sensor {call.sensor.name!r} hung {self._stuck} times; every time costs a thread that nothing can stop. Its source was "
                "stopped, and its position stays where it is. Mend the sensor, then restart."
            )
        self._threads.shutdown(wait=False)
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="sensor")

    async def _ask_batch(self, call: Call, batch: Batch, events: list[RawEvent]) -> list[_Result]:
        """A sensor that takes a list answers once for all of it; its answer is booked on the last event. If it fails, all of them die."""
        began = self._clock.now()
        try:
            async with asyncio.timeout(call.sensor.timeout / 1e6):
                if call.is_async:
                    answer = await call.ask_async_batch(events)
                else:
                    answer = await asyncio.get_running_loop().run_in_executor(self._threads, call.ask_batch, events)
                ready = ready_of(self._graph, answer)
            call.keep_state()
        except Exception as error:  # noqa: BLE001 - whatever a user's code raises
            call.restore_state()
            if isinstance(error, TimeoutError) and not call.is_async:
                self._new_thread(call)
            late = f"the sensor took longer than {call.sensor.timeout / 1e6:g} s"
            reason = late if isinstance(error, TimeoutError) else _reason(error)
            return [_Result(dead=self._dead(batch, e, call.sensor.name, reason, _trace(error), call)) for e in events]
        results = [_Result(began=began, ended=self._clock.now()) for _ in events]
        results[-1].ready = ready
        return results

    def _dead(
        self, batch: Batch, event: RawEvent, sensor: str, reason: str, detail: str, call: Call | None
    ) -> DeadLetter:
        body = encode_payload(event.payload)
        if len(body) > BODY_LIMIT:
            body = msgspec.json.encode({"too large to keep": len(body)})
        return DeadLetter(
            batch.source,
            batch.lane,
            event.position,
            sensor,
            reason,
            detail,
            body,
            self._clock.now(),
            call.digest if call is not None else "",
        )

    def close(self) -> None:
        self._threads.shutdown(wait=False)


class _Progress:
    """A batch on its way through a plain sensor, watched from the loop."""

    def __init__(
        self, judge: SourceJudge, call: Call, batch: Batch, events: list[RawEvent], time: Callable[[], float]
    ) -> None:
        self._judge, self._call, self._batch, self._events, self._time = judge, call, batch, events, time
        self._results: list[_Result] = []
        self._abandoned = False
        self._thread = 0
        self._since = self._time()

    def run(self) -> list[_Result]:
        self._thread = threading.get_ident()
        for event in self._events:
            self._since = self._time()
            result = self._judge._ask_plain(self._call, self._batch, event)
            if self._abandoned:
                return []
            self._results.append(result)
        return self._results

    def left(self) -> float:
        return max(0.01, self._since + self._call.sensor.timeout / 1e6 - self._time())

    def overdue(self) -> bool:
        return self._time() - self._since > self._call.sensor.timeout / 1e6

    def abandon(self) -> list[_Result]:
        self._abandoned = True
        return list(self._results)

    def stack(self) -> str:
        frame = sys._current_frames().get(self._thread)
        return "".join(traceback.format_stack(frame)) if frame is not None else ""


def _worth_trying_again(error: Exception) -> bool:
    """What is wrong with the event itself is wrong the next time too."""
    return not isinstance(error, (BadAnswer, msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError))


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, BadAnswer) else f"{type(error).__name__}: {error}"


def _trace(error: Exception) -> str:
    return "" if isinstance(error, BadAnswer) else "".join(traceback.format_exception(error))
