"""What only worker processes have to do: die, be killed, be replaced, and leave nothing behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from reactor.executors.frames import Begin, Frames, Loader, Up, from_worker, pack, to_worker
from reactor.executors.logs import MemoryLogs
from reactor.executors.process import Process
from reactor.model.ids import RunId
from reactor.model.outcome import Ending
from tests.clock import MachineClock
from tests.executors import bodies
from tests.executors.conformance import Bench, job
from tests.executors.test_kinds import LOADER
from tests.services.wait import eventually


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """One worker: whoever comes next gets the same, or its successor."""
    logs = MemoryLogs()
    executor = Process(MachineClock(), logs, LOADER, workers=1, warm=True, grace=300_000, check_limit=0.3)
    await executor.start()
    yield Bench("process", executor, logs)
    await executor.stop(0)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def pid_of(bench: Bench) -> int:
    outcome = await bench.run("names_itself")
    return int(msgspec.json.decode(next(iter(outcome.outputs.values())))["pid"])


def child_in(lines: list[str]) -> int:
    return next(int(line.split()[-1]) for line in lines if line.startswith("INFO child "))


async def test_a_worker_is_used_again(bench: Bench) -> None:
    assert await pid_of(bench) == await pid_of(bench) != os.getpid()


@pytest.mark.parametrize("which", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
async def test_a_worker_that_is_killed_is_an_outcome_with_its_signal(bench: Bench, which: signal.Signals) -> None:
    before = await pid_of(bench)
    outcome = await bench.run("kills_itself", signal=int(which))
    assert (outcome.ending, outcome.exit_code, outcome.permanent) == (Ending.DIED, -which, False)
    assert which.name in (outcome.error or "")
    assert await pid_of(bench) != before


async def test_a_crash_in_c_leaves_its_stack_in_the_log(bench: Bench) -> None:
    await bench.run("kills_itself", signal=int(signal.SIGSEGV))
    assert any("in kills_itself" in line for line in bench.log())


async def test_a_worker_that_exits_is_an_outcome_with_its_code(bench: Bench) -> None:
    outcome = await bench.run("dies")
    assert (outcome.ending, outcome.exit_code) == (Ending.DIED, 7)
    assert "ended with exit code 7" in (outcome.error or "")


async def test_a_worker_that_dies_while_idle_is_replaced(bench: Bench) -> None:
    before = await pid_of(bench)
    os.kill(before, signal.SIGKILL)
    await eventually(lambda: not alive(before))
    assert (await bench.run("succeeds")).ending in (Ending.SUCCEEDED, Ending.DIED)
    assert await pid_of(bench) != before


async def test_sys_exit_is_a_failure_and_keeps_the_worker(bench: Bench) -> None:
    before = await pid_of(bench)
    outcome = await bench.run("exits")
    assert (outcome.ending, (outcome.error or "").splitlines()[0]) == (Ending.FAILED, "SystemExit: enough")
    assert await pid_of(bench) == before


async def test_async_functions_run_too(bench: Bench) -> None:
    assert (await bench.run("waits")).outputs == {"revenue": b'{"waited":true}'}


async def test_everything_that_is_printed_is_in_the_log(bench: Bench) -> None:
    await bench.run("prints")
    assert sorted(bench.log()) == ["INFO logged by a library", "printed", "to stderr", "written by C"]


async def test_all_that_was_said_before_the_end_is_in_the_log_of_its_own_attempt(bench: Bench) -> None:
    for number in range(12):
        bench.submit("says_much", number=number)
    await bench.answers(12)
    assert [len(bench.log(number)) for number in range(12)] == [800] * 12


async def test_spans_of_the_task_are_children_of_the_attempt(bench: Bench) -> None:
    outcome = await bench.run("traces")
    assert msgspec.json.decode(next(iter(outcome.outputs.values()))) == {
        "trace": "0af7651916cd43dd8448eb211c80319c",
        "span": "b7ad6b7169203331",
    }


async def test_a_cancel_lets_it_clean_up(bench: Bench) -> None:
    before = await pid_of(bench)
    given = bench.submit("cleans_up", number=2)
    await bench.began(2)
    bench.executor.cancel(given.run, given.token)
    await bench.answers(2)
    assert bench.outcomes[1].ending is Ending.CANCELLED
    assert "INFO cleaned up" in bench.log(2)
    assert not alive(before)


async def test_one_that_ignores_sigterm_is_killed_after_the_grace(bench: Bench) -> None:
    before = await pid_of(bench)
    assert (await bench.run("ignores_the_end", timeout=100_000)).ending is Ending.TIMED_OUT
    assert not alive(before)


async def test_a_stopped_worker_times_out_all_the_same(bench: Bench) -> None:
    given = bench.submit("hangs", number=2, timeout=300_000)
    await bench.began(2)
    worker = next(iter(bench.executor._hands))._child  # type: ignore[attr-defined]
    os.kill(worker.pid, signal.SIGSTOP)
    await bench.answers(1)
    assert (bench.outcomes[0].run, bench.outcomes[0].ending) == (given.run, Ending.TIMED_OUT)
    assert not alive(worker.pid)


async def test_what_the_task_started_dies_with_it(bench: Bench) -> None:
    bench.submit("leaves_a_child")
    await bench.began()
    child = child_in(bench.log())
    bench.executor.cancel(RunId("run1"), 7)
    await bench.answers(1)
    await eventually(lambda: not alive(child))


async def test_a_check_that_holds_the_interpreter_has_not_passed(bench: Bench) -> None:
    outcome = await bench.run("evidence", "spins")
    assert (outcome.ending, outcome.permanent, outcome.outputs) == (Ending.FAILED, True, {})
    assert "checks do not end" in (outcome.error or "")
    assert (await bench.run("succeeds")).ending is Ending.SUCCEEDED


async def test_an_unknown_task_fails_its_attempt_alone(bench: Bench) -> None:
    task = bodies.task("process", "succeeds")
    given = msgspec.structs.replace(job(task), task="gone")
    bench.executor.submit(given, task, bench.outcomes.append)
    await bench.answers(1)
    assert (bench.outcomes[0].ending, "KeyError: 'gone'" in (bench.outcomes[0].error or "")) == (Ending.FAILED, True)
    assert (await bench.run("succeeds")).ending is Ending.SUCCEEDED


@pytest.mark.parametrize(
    ("loader", "text"),
    [
        (Loader("tests.executors.bodies:resolve", ("broken",)), "SyntaxError: '(' was never closed"),
        (Loader("tests.executors.bodies:resolve", ("dead",)), "ended with exit code 9 before it was ready"),
        (Loader("tests.executors.no_such_module:resolve"), "ModuleNotFoundError"),
    ],
)
async def test_definitions_that_cannot_be_loaded_fail_each_attempt_once(loader: Loader, text: str) -> None:
    bench = Bench("process", Process(MachineClock(), MemoryLogs(), loader, workers=2), MemoryLogs())
    await bench.executor.start()
    for number in range(3):
        bench.submit("succeeds", number=number)
    await bench.answers(3)
    assert {o.ending for o in bench.outcomes} == {Ending.FAILED}
    assert all(text in (o.error or "") for o in bench.outcomes)
    await bench.executor.stop(0)


async def test_a_reload_lets_the_old_end_and_gives_the_next_a_new_worker(bench: Bench, tmp_path: Path) -> None:
    before = await pid_of(bench)
    assert isinstance(bench.executor, Process)
    bench.submit("waits_for_a_file", number=2, file=str(tmp_path / "go"))
    await bench.began(2)
    bench.executor.reload(LOADER)
    (tmp_path / "go").touch()
    await bench.answers(2)
    assert bench.outcomes[1].outputs == bench.outcomes[0].outputs
    after = await pid_of(bench)
    assert after != before
    bench.executor.reload(LOADER)
    assert await pid_of(bench) not in (before, after)


async def test_a_bound_of_workers_is_kept(bench: Bench) -> None:
    for number in range(5):
        bench.submit("names_itself", number=number)
    outcomes = await bench.answers(5)
    assert len({bytes(next(iter(o.outputs.values()))) for o in outcomes}) == 1


ENGINE = """
import asyncio, sys
from pathlib import Path
from reactor.executors.command import Command
from reactor.executors.process import Process
from tests.clock import MachineClock
from tests.executors import bodies
from tests.executors.conformance import job
from tests.executors.test_kinds import LOADER

class Out:
    def open(self, run, attempt): return self
    def line(self, text): print(text, flush=True)
    def close(self): pass

async def main():
    clock = MachineClock()
    for executor in (Process(clock, Out(), LOADER, workers=2, warm=True), Command(clock, Out(), Path(sys.argv[1]))):
        await executor.start()
        task = bodies.task(executor.name, "leaves_a_child")
        executor.submit(job(task), task, print)
        if executor.name == "process":
            await asyncio.sleep(0.5)
            for hand in executor._hands:
                print("INFO child", hand._child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_an_engine_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    engine = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ENGINE, str(tmp_path), stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert engine.stdout is not None
    pids: list[int] = []
    async with asyncio.timeout(20):
        while len(pids) < 4:  # two workers, the child of a task, the child of a command
            line = (await engine.stdout.readline()).decode()
            pids += [int(line.split()[-1])] if line.startswith("INFO child") else []
    assert all(alive(pid) for pid in pids)
    engine.kill()
    await engine.wait()
    await eventually(lambda: not any(alive(pid) for pid in pids))


def test_frames_survive_any_cut() -> None:
    begin = Begin(job(bodies.task("process", "evidence")))
    data = pack(begin) + pack(begin)
    for size in (1, 3, 7, 64, len(data)):
        frames = to_worker()
        assert [m for at in range(0, len(data), size) for m in frames.feed(data[at : at + size])] == [begin, begin]


def test_frames_refuse_what_is_none() -> None:
    def feed(frames: Frames[object], data: bytes) -> list[object]:
        return list(frames.feed(data))

    assert feed(from_worker(), pack(Up())) == [Up()]  # type: ignore[arg-type]
    with pytest.raises(msgspec.ValidationError):
        feed(to_worker(), pack(Up()))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="was announced"):
        feed(to_worker(), b"\xff\xff\xff\xff{}")  # type: ignore[arg-type]
