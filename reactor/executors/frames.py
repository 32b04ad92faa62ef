"""What the engine and a worker say to each other, and how it travels: JSON with its length before it, over one socket.

May know: msgspec. May not know: who is at either end. Nothing that comes in can run code: it is decoded into these
types or refused.
"""

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

import msgspec

from reactor.executors.judge import Judged
from reactor.model.ids import AssetName, TaskName
from reactor.model.job import Job
from reactor.model.outcome import Ending
from reactor.model.run import CheckResult
from reactor.model.workflow import Task

M = TypeVar("M")
_LARGEST = 256 * 1024 * 1024
_HEAD = 4


class Resolve(Protocol):
    """What a loader gives: a task by its name. Raises NotFound, or any other error, where there is none."""

    def __call__(self, name: TaskName, /) -> Task: ...


class Loader(msgspec.Struct, frozen=True):
    """How a worker comes to the user's definitions: a function, by its dotted name (`package.module:function`), and
    what it is called with.

    It is called once in each worker, and returns a `Resolve`.
    """

    function: str
    args: tuple[str, ...] = ()


class Setup(msgspec.Struct, tag="setup", frozen=True):
    """The first thing that a worker is told."""

    loader: Loader
    check_limit: float


class Begin(msgspec.Struct, tag="begin", frozen=True):
    job: Job


class Up(msgspec.Struct, tag="up", frozen=True):
    """The definitions are loaded: it is ready for work."""


class Broken(msgspec.Struct, tag="broken", frozen=True):
    """The definitions cannot be loaded here."""

    error: str


class Checking(msgspec.Struct, tag="checking", frozen=True):
    """The function is done; its checks run, and will have ended, or been given up, after so many seconds."""

    seconds: float


class Done(msgspec.Struct, tag="done", frozen=True):
    """The verdict on the job that was begun last."""

    ending: Ending
    error: str | None
    permanent: bool
    outputs: dict[str, msgspec.Raw]
    checks: tuple[CheckResult, ...]
    spent: bool
    """A check of it hangs on a thread of this worker: give it no more work."""


ToWorker = Setup | Begin
FromWorker = Up | Broken | Checking | Done
_encoder = msgspec.json.Encoder()


def done(judged: Judged, spent: bool) -> Done:
    outputs = {str(name): msgspec.Raw(evidence) for name, evidence in judged.outputs.items()}
    return Done(judged.ending, judged.error, judged.permanent, outputs, judged.checks, spent)


def judged(said: Done) -> Judged:
    outputs = {AssetName(name): bytes(evidence) for name, evidence in said.outputs.items()}
    return Judged(said.ending, said.error, said.permanent, outputs, said.checks)


def pack(message: ToWorker | FromWorker) -> bytes:
    buffer = bytearray(_HEAD)
    _encoder.encode_into(message, buffer, _HEAD)
    buffer[:_HEAD] = (len(buffer) - _HEAD).to_bytes(_HEAD, "little")
    return bytes(buffer)


class Frames(Generic[M]):
    """Feed it bytes as they come; it gives whole messages.

    Raises:
        msgspec.DecodeError, ValueError: the other end speaks something else.
    """

    def __init__(self, decoder: msgspec.json.Decoder[M]) -> None:
        self._decode = decoder.decode
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[M]:
        data = self._rest + data if self._rest else data
        at = 0
        while len(data) - at >= _HEAD:
            size = int.from_bytes(data[at : at + _HEAD], "little")
            if size > _LARGEST:
                raise ValueError(f"a message of {size} bytes was announced; {_LARGEST} are allowed")
            end = at + _HEAD + size
            if end > len(data):
                break
            body, at = data[at + _HEAD : end], end
            yield self._decode(body)
        self._rest = data[at:]


def to_worker() -> Frames[ToWorker]:
    return Frames(msgspec.json.Decoder(ToWorker))


def from_worker() -> Frames[FromWorker]:
    return Frames(msgspec.json.Decoder(FromWorker))
