"""The life of a service in the foreground: start, say so, wait for an end or a signal, drain."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import TypeVar

from reactor.cli.notify import notify, watchdog_seconds
from reactor.project.config import Settings
from reactor.project.load import Definitions
from reactor.telemetry.logs import configure
from reactor.web.runner import Runner, make_service
from reactor.wiring import redactor

T = TypeVar("T")
Beside = Callable[[Runner], Awaitable[None]]
"""What runs beside the service, such as the watch on its files; it ends when the service ends."""


def run_loop(work: Coroutine[None, None, T]) -> T:
    """`asyncio.run` on the quickest loop that there is."""
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def serve(
    settings: Settings, definitions: Definitions, started: Callable[[Runner], None], *beside: Beside
) -> None:
    """Runs until SIGTERM or SIGINT, then drains; a second signal ends at once, as a crash would: the ledger bears it.

    Raises whatever the service failed of.
    """
    configure(settings.log_format, settings.log_level, redactor(settings))
    stop = asyncio.Event()
    async with opened(settings, definitions) as runner:
        _on_signals(stop)
        notify(f"READY=1\nSTATUS=serving on {runner.url}")
        started(runner)
        works = [asyncio.ensure_future(work) for work in (runner.wait(), stop.wait(), _sign_of_life())]
        works.extend(asyncio.ensure_future(b(runner)) for b in beside)
        try:
            done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
            for work in done:
                work.result()
        finally:
            notify("STOPPING=1")
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)


@contextlib.asynccontextmanager
async def opened(settings: Settings, definitions: Definitions) -> AsyncIterator[Runner]:
    """A service that is closed whatever happens."""
    runner = await make_service(settings, definitions)
    await runner.open()
    try:
        yield runner
    finally:
        await runner.close()


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def first(number: signal.Signals) -> None:
        print(f"reactor: {number.name}: draining; once more to end at once", file=sys.stderr)
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, first, number)


async def _sign_of_life() -> None:
    """Comes from the loop itself: a loop that hangs sends none, and the manager starts the service anew."""
    every = watchdog_seconds()
    while True:
        await asyncio.sleep(every if every is not None else 3600)
        notify("WATCHDOG=1")
