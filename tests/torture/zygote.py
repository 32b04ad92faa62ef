"""Lives for the torture: a process that has imported everything and forks one service for each line it reads.

A line is JSON: the project's folder, and where the service shall kill itself (`point`, `nth`; an empty point: nowhere). The fork answers on standard
output with its process id and its address once it is open.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from reactor.project.config import load_settings
from reactor.project.load import load
from reactor.service.work import Labels, nothing
from reactor.web.runner import make_service


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


async def live(root: Path, point: str, nth: int) -> None:
    settings = load_settings(root, flags={"port": 0}).settings
    runner = await make_service(settings, load(root), killer(point, nth))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await runner.open()
    print(json.dumps({"pid": os.getpid(), "url": runner.url, "token": runner.token}), flush=True)
    waiting = asyncio.ensure_future(runner.wait())
    await asyncio.wait([waiting, asyncio.ensure_future(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    if waiting.done():
        waiting.result()
    waiting.cancel()
    await runner.close()


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are buried by the kernel
    for line in sys.stdin:
        asked = json.loads(line)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asyncio.run(live(Path(asked["root"]), asked["point"], asked["nth"]))
            os._exit(0)


if __name__ == "__main__":
    main()
