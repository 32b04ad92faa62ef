"""Lives for the torture: a process that has imported everything and forks one service for each line it reads.

A line is JSON: the project's folder, where the service shall kill itself (`point`, `nth`; an empty point: nowhere), and the defect that is planted in
it (empty: none). Two lines are answered to each: the fork's process id; then its address once it is open, or an empty line when it died before that.
A fork's standard error goes to `lives.log` in the project's folder; one that ended by an error of its own leaves a line in `failures.jsonl`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from reactor.project.config import load_settings
from reactor.project.load import load
from reactor.service.work import Labels, nothing
from reactor.web.runner import make_service
from tests.torture.defects import BY_NAME


def killer(point: str, nth: int) -> Labels:
    """Kills this process the n-th time that it comes by the point: no exception, no `finally`, no flush."""
    left = nth
    if not point:
        return nothing

    def label(here: str) -> None:
        nonlocal left
        if here == point:
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return label


async def live(root: Path, point: str, nth: int, answer: int) -> None:
    settings = load_settings(root, flags={"port": 0}).settings
    runner = await make_service(settings, load(root), killer(point, nth))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await runner.open()
    os.write(answer, json.dumps({"pid": os.getpid(), "url": runner.url, "token": runner.token}).encode())
    os.close(answer)
    waiting = asyncio.ensure_future(runner.wait())
    await asyncio.wait([waiting, asyncio.ensure_future(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    if waiting.done():
        waiting.result()
    waiting.cancel()
    await runner.close()


def born(asked: dict[str, Any], answer: int) -> None:
    """The fork's whole life. It never returns to the loop of its maker, whatever it dies of."""
    root = Path(asked["root"])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(root / "lives.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(log, sys.stderr.fileno())
    try:
        if asked["defect"]:
            BY_NAME[asked["defect"]].plant()
        asyncio.run(live(root, asked["point"], asked["nth"], answer))
    except BaseException as error:  # noqa: BLE001 - a fork may never go on as its maker
        traceback.print_exc()
        sys.stderr.flush()
        _leave(root, {"pid": os.getpid(), "kind": type(error).__name__, "error": f"{type(error).__name__}: {error}"})
        os._exit(1)
    os._exit(0)


def _leave(root: Path, line: dict[str, object]) -> None:
    handle = os.open(root / "failures.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, (json.dumps(line) + "\n").encode())
    os.close(handle)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are buried by the kernel
    for line in sys.stdin:
        heard, answer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(heard)
            born(json.loads(line), answer)
        os.close(answer)
        print(pid, flush=True)
        with os.fdopen(heard) as told:  # ends with the answer, or with the death of the only one who could give it
            print(told.read(), flush=True)


if __name__ == "__main__":
    main()
