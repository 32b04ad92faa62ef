"""The tasks that every executor is tried with: the same names, as async functions, as plain ones, and as a program.

`resolve` is what a worker process loads.
"""

import asyncio
import functools
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from reactor import NOTHING, Asset, Check, Evidence, Permanent, Run, Workflow
from reactor.executors.frames import Resolve
from reactor.model.events import Json
from reactor.model.ids import TaskName
from reactor.model.workflow import ExecutorName, Task

orders = Asset("orders")
revenue = Asset("revenue")
report = Asset("report")
PROGRAM = Path(__file__).with_name("program.py")


def succeeds(run: Run) -> None:
    """Nothing to tell."""


def evidence(run: Run) -> Evidence:
    return {
        "rows": 42,
        "partition": run.partition,
        "attempt": run.attempt,
        "orders": run.inputs["orders"].evidence["rows"],
    }


def announces_nothing(run: Run) -> object:
    return NOTHING


def raises(run: Run) -> None:
    raise ValueError("bad row 7")


def gives_up(run: Run) -> None:
    raise Permanent("no such account")


def exits(run: Run) -> None:
    sys.exit("enough")


def answers_wrongly(run: Run) -> int:
    return 42


def says(run: Run) -> None:
    run.log.info("counted %d rows", 42)
    run.log.warning("two\nlines")


def says_much(run: Run) -> None:
    for number in range(800):
        run.log.info("%05d %s", number, "x" * 90)


def waits_for_a_file(run: Run) -> Evidence:
    run.log.info("began")
    while not Path(run.inputs["orders"].evidence["file"]).exists():
        time.sleep(0.01)
    return names_itself(run)


def hangs(run: Run) -> None:
    run.log.info("began")
    for _ in range(3000):
        time.sleep(0.01)


def prints(run: Run) -> None:
    print("printed")
    sys.stderr.write("to stderr\n")
    logging.getLogger("library").info("logged by a library")
    os.write(1, b"written by C\n")


def cleans_up(run: Run) -> None:
    try:
        hangs(run)
    finally:
        run.log.info("cleaned up")


def dies(run: Run) -> None:
    os._exit(7)


def kills_itself(run: Run) -> None:
    os.kill(os.getpid(), int(run.inputs["orders"].evidence["signal"]))
    time.sleep(30)


def names_itself(run: Run) -> Evidence:
    return {"pid": os.getpid()}


async def waits(run: Run) -> Evidence:
    await asyncio.sleep(0)
    return {"waited": True}


def leaves_a_child(run: Run) -> None:
    import subprocess  # noqa: PLC0415

    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    run.log.info("child %d", child.pid)
    hangs(run)


def traces(run: Run) -> Evidence:
    from opentelemetry.trace import get_current_span  # noqa: PLC0415

    context = get_current_span().get_span_context()
    return {"trace": f"{context.trace_id:032x}", "span": f"{context.span_id:016x}"}


def ignores_the_end(run: Run) -> None:
    import signal  # noqa: PLC0415

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hangs(run)


PLAIN: Mapping[str, Callable[[Run], object]] = {
    body.__name__: body
    for body in (
        succeeds, evidence, announces_nothing, raises, gives_up, exits, answers_wrongly, says, says_much, waits_for_a_file, hangs, prints,
        cleans_up, dies, kills_itself, names_itself, waits, leaves_a_child, traces, ignores_the_end,
    )
}  # fmt: skip


def _passes(facts: Mapping[str, Json]) -> bool:
    return bool(facts["rows"] == 42)


def _refuses(facts: Mapping[str, Json]) -> str:
    return f"{facts['rows']} rows are not enough"


def _trips(facts: Mapping[str, Json]) -> bool:
    return bool(facts["no such field"])


def _stalls(facts: Mapping[str, Json]) -> None:
    time.sleep(30)


def _spins(facts: Mapping[str, Json]) -> None:
    """Holds the interpreter, so that nobody in its process can give it up."""
    import re  # noqa: PLC0415

    re.match(r"(a+)+$", "a" * 64 + "b")


CHECKS: Mapping[str, Check] = {
    "passes": Check("passes", _passes),
    "refuses": Check("refuses", _refuses),
    "advises": Check("advises", _refuses, blocking=False),
    "trips": Check("trips", _trips),
    "stalls": Check("stalls", _stalls),
    "spins": Check("spins", _spins),
}


def _async(body: Callable[[Run], object]) -> Callable[[Run], object]:
    if body is waits:
        return body

    async def wrapped(run: Run) -> object:
        if body is not hangs:
            return body(run)
        run.log.info("began")
        await asyncio.sleep(30)
        return None

    return wrapped


def task(kind: ExecutorName, body: str, check: str = "", outputs: tuple[Asset, ...] = (revenue,)) -> Task:
    """The task `BODY` or `BODY.CHECK` for an executor."""
    workflow = Workflow("finance", owner="finance@example.com")
    name = f"{body}.{check}" if check else body
    checks = [CHECKS[check]] if check else []
    if kind == "command":
        words = [sys.executable, str(PROGRAM), body]
        return workflow.command(name, words, inputs=orders, outputs=outputs, checks=checks)
    function = _async(PLAIN[body]) if kind == "inline" else PLAIN[body]
    workflow.task(inputs=orders, outputs=outputs, checks=checks, executor=kind, name=name)(function)
    return workflow.tasks[TaskName(name)]


def resolve(*args: str) -> Resolve:
    """The loader of the workers."""
    if args == ("broken",):
        raise SyntaxError("'(' was never closed")
    if args == ("dead",):
        os._exit(9)

    @functools.cache
    def find(name: TaskName) -> Task:
        body, _, check = name.partition(".")
        return task("process", body, check)

    return find
