"""The inside of a worker process: loads the user's definitions once, then runs one attempt after the other.

May know: the frames, the user's code by its loader's name. May not know: the engine, its clock, its store.

It ends when its socket does, and the kernel kills it where the engine dies while a task runs. What is printed goes
to the attempt's log, and so do `run.log` and every library that logs. SIGTERM raises `Stopped` in the task, so that
its `finally` blocks run.
"""

import asyncio
import ctypes
import faulthandler
import importlib
import inspect
import io
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextvars import Context
from functools import partial
from typing import NoReturn, cast

from reactor.executors import trace
from reactor.executors.attempt import LineHandler, logger_to
from reactor.executors.checking import HUNG, checked
from reactor.executors.frames import (
    Begin,
    Broken,
    Checking,
    Done,
    FromWorker,
    Loader,
    Resolve,
    Setup,
    ToWorker,
    Up,
    done,
    pack,
    to_worker,
)  # fmt: skip
from reactor.executors.judge import Judged, answered, raised
from reactor.executors.trouble import describe
from reactor.model.job import Job, TaskRun
from reactor.model.workflow import Function, Task

_PR_SET_PDEATHSIG = 1
_OUT = 1
_PATIENCE = 1.25
"""How much longer than its checks may take the engine waits before it stops believing in this worker."""


class Stopped(SystemExit):
    """The engine asks this worker to end."""


def main(number: int, engine: int) -> None:
    """`number`: the file descriptor of the socket; `engine`: the process that made this one."""
    _die_with(engine)
    _speak()
    signal.signal(signal.SIGTERM, _stopped)
    with socket.socket(fileno=number) as link:
        messages = _messages(link)
        setup = next(messages, None)
        if not isinstance(setup, Setup):
            return
        try:
            resolve = load(setup.loader)
        except Exception as error:  # noqa: BLE001 - whatever the definitions raise is told
            _say(link, Broken(describe(error)))
            return
        _say(link, Up())
        for message in messages:
            if isinstance(message, Begin):
                _say(link, _attempt(message.job, resolve, setup.check_limit, partial(_say, link)))


def load(loader: Loader) -> Resolve:
    """Calls the loader."""
    module, _, function = loader.function.partition(":")
    make = getattr(importlib.import_module(module), function)
    return cast("Resolve", make(*loader.args))


def _attempt(job: Job, resolve: Resolve, limit: float, say: "partial[None]") -> Done:
    try:
        task = resolve(job.task)
    except Exception as error:  # noqa: BLE001 - a task that cannot be found fails its attempt, not the worker
        return done(raised(error), spent=False)
    judged = Context().run(_call, job, task)
    if task.checks and judged.outputs:
        say(Checking(_PATIENCE * limit * len(task.checks) * len(judged.outputs)))
        judged = checked(judged, task.checks, limit)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return done(judged, spent=any(HUNG in result.detail for result in judged.checks))


def _call(job: Job, task: Task) -> Judged:
    trace.enter(job.traceparent)
    try:
        answer = cast("Function", task.function)(TaskRun(job, partial(logger_to, job.task, _print)))
        if inspect.iscoroutine(answer):
            answer = asyncio.run(answer)
    except Stopped:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is the answer
        return raised(error)
    return answered(job, answer)


def _messages(link: socket.socket) -> Iterator[ToWorker]:
    frames = to_worker()
    while data := link.recv(65_536):
        yield from frames.feed(data)


def _say(link: socket.socket, message: FromWorker) -> None:
    link.sendall(pack(message))


def _print(line: str) -> None:
    """Straight to the pipe that the engine reads, one write a line."""
    data = line.encode("utf-8", "backslashreplace") + b"\n"
    while data:
        data = data[os.write(_OUT, data) :]


def _speak() -> None:
    """Whatever is printed or logged in this process arrives line by line; a crash in C leaves its stack."""
    for stream in (sys.stdout, sys.stderr):
        cast("io.TextIOWrapper", stream).reconfigure(line_buffering=True, errors="backslashreplace")
    logging.basicConfig(level=logging.INFO, handlers=[LineHandler(_print)])
    faulthandler.enable(file=_OUT)


def _die_with(engine: int) -> None:
    """The kernel kills this process when the engine's thread that made it ends. It may have ended already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != engine:
        sys.exit(1)


def _stopped(number: int, _: object) -> NoReturn:
    raise Stopped(128 + number)
