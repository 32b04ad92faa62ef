"""What people ask of the service: each is one transaction with its line in the audit log (G16)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from reactor.model.errors import NotFound, ReactorError, nearest
from reactor.model.events import CloudEvent, DeadLetter, File, Payload, RawEvent, Record, Row, Tick
from reactor.model.ids import RunId
from reactor.model.outcome import CancelRun, RunAgain
from reactor.model.ports import Clock
from reactor.model.source import Bucket, Files, Http, Kafka, Schedule, SourceSpec, Table
from reactor.service.service import Service
from reactor.sources.base import Batch
from reactor.store.base import Audit, Reader, TopicRecord, Transaction

_PAYLOAD: Mapping[type[SourceSpec], type[Payload]] = {
    Kafka: Record,
    Files: File,
    Bucket: File,
    Http: CloudEvent,
    Table: Row,
    Schedule: Tick,
}


class Refused(ReactorError):
    """The command cannot be carried out as things stand; the text says why and what to do."""


class Commands:
    """The write side for the command line and the web."""

    def __init__(self, service: Service, reader: Callable[[], Awaitable[Reader]], clock: Clock) -> None:
        self._service, self._reader, self._clock = service, reader, clock
        self._letters = asyncio.Lock()
        """Two who deal with the same dead letter at once: the second finds it dealt with."""

    def _audit(self, actor: str, action: str, what: str, detail: str = "") -> Audit:
        return Audit(self._clock.now(), actor, action, what, detail)

    async def _run(self, id: str) -> RunId:
        run = await (await self._reader()).run(id)
        if run is None:
            raise NotFound(f"There is no run {id!r}, or more than one begins so. `reactor runs` lists them.")
        return run.id

    async def cancel(self, id: str, actor: str, reason: str) -> RunId:
        run = await self._run(id)
        note = Transaction(audits=[self._audit(actor, "cancel", run, reason)])
        await self._ask(CancelRun(run, actor, reason), note)
        return run

    async def again(self, id: str, actor: str) -> RunId:
        run = await self._run(id)
        await self._ask(RunAgain(run, actor), Transaction(audits=[self._audit(actor, "again", run)]))
        return run

    async def _ask(self, event: CancelRun | RunAgain, note: Transaction) -> None:
        refused = await self._service.engine.answer([event], note)
        if refused is not None:
            raise Refused(refused)

    async def publish(self, records: Sequence[TopicRecord]) -> None:
        """Appends to embedded topics; durable when it returns."""
        await self._service.engine.answer([], Transaction(topics=list(records)))

    # --- dead letters

    async def _letter(self, id: int) -> DeadLetter:
        letter = await (await self._reader()).dead_letter(id) if id < 1 << 63 else None
        if letter is None:
            raise NotFound(f"There is no dead letter {id}. `reactor dead list` lists them.")
        if letter.state != "open":
            raise Refused(f"Dead letter {id} was {letter.state} already.")
        return letter

    async def drop_dead(self, id: int, actor: str, reason: str) -> None:
        note = Transaction(
            dead_moved=[(id, "dropped")], audits=[self._audit(actor, "drop dead letter", str(id), reason)]
        )
        async with self._letters:
            await self._letter(id)
            await self._service.engine.answer([], note)

    async def retry_dead(self, id: int, actor: str) -> int:
        """Puts the event before its sensor once more. Returns how many partitions it made ready; raises Refused with the reason where it fails
        again, and the letter stays where it is."""
        async with self._letters:
            return await self._retry(await self._letter(id), id, actor)

    async def _retry(self, letter: DeadLetter, id: int, actor: str) -> int:
        intake = self._service.intakes.get(letter.source)
        if intake is None:
            near = nearest(letter.source, self._service.intakes)
            raise Refused(f"No sensor reads {letter.source} any more, so letter {id} cannot be retried.{near}")
        spec = next(c.sensor.source for c in intake.judge.calls)
        event = RawEvent(_decode(letter, _PAYLOAD[type(spec)]), id)
        batch = Batch(letter.source, letter.lane, id, id + 1, [event])
        async with intake.at_rest():  # so that what the sensor remembers is written in its order
            found = await intake.judge.judge_again(batch, letter.sensor or intake.judge.calls[0].sensor.name)
            if found is None:
                raise Refused(f"Sensor {letter.sensor!r} does not read {letter.source} any more.")
            judged, states = found
            if judged.dead:
                raise Refused(f"It failed again: {judged.dead[0].reason}. The letter stays in the list.")
            audit = self._audit(actor, "retry dead letter", str(id))
            note = Transaction(dead_moved=[(id, "retried")], audits=[audit], states=states)
            await self._service.engine.answer([], note, judged)
        return len(judged.ready)


def _decode(letter: DeadLetter, kind: type[Payload]) -> Payload:
    try:
        return msgspec.json.decode(letter.body, type=kind)
    except msgspec.MsgspecError as error:
        raise Refused(
            f"The body of letter {letter.id} was not kept whole ({error}), so it cannot be retried here. Send the event again at its source."
        ) from error
