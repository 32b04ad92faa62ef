"""What only commands have to do: words, environment, output, exit codes."""

import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from reactor import Workflow
from reactor.executors.command import Command
from reactor.executors.exits import explain
from reactor.executors.lines import LONGEST
from reactor.executors.logs import LONGEST_LINE, MemoryLogs
from reactor.executors.words import BadWords, fill
from reactor.model.events import Json
from reactor.model.ids import RunId
from reactor.model.job import Job
from reactor.model.outcome import Ending, Outcome
from tests.clock import MachineClock
from tests.executors import bodies
from tests.executors.conformance import TRACE, Bench, job
from tests.executors.test_process import alive, child_in
from tests.services.wait import eventually


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    logs = MemoryLogs()
    executor = Command(MachineClock(), logs, tmp_path / "evidence", grace=300_000)
    await executor.start()
    yield Bench("command", executor, logs)
    await executor.stop(0)


async def run(bench: Bench, *words: str, timeout: int | None = None, **evidence: Json) -> Outcome:
    """The outcome of the program with these words."""
    workflow = Workflow("finance", owner="finance@example.com")
    task = workflow.command(
        "program", [sys.executable, str(bodies.PROGRAM), *words], inputs=bodies.orders, outputs=bodies.revenue
    )
    before = len(bench.outcomes)
    bench.executor.submit(job(task, timeout=timeout, **evidence), task, bench.outcomes.append)
    return (await bench.answers(before + 1))[before]


async def test_it_finds_the_run_in_its_environment(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REACTOR_KAFKA__PASSWORD", "hunter2")
    monkeypatch.setenv("SECRET_OF_ITS_OWN", "kept")
    outcome = await run(bench, "echoes")
    env = msgspec.json.decode(outcome.outputs[next(iter(outcome.outputs))])["env"]
    inputs = msgspec.json.decode(env.pop("REACTOR_INPUTS"))
    assert [(i["asset"], i["partition"], i["version"], i["evidence"]) for i in inputs] == [
        ("orders", "2026-11-20", 1, {"rows": 812})
    ]
    assert env == {
        "TRACEPARENT": TRACE,
        "REACTOR_RUN_ID": "run1",
        "REACTOR_TASK": "program",
        "REACTOR_WORKFLOW": "finance",
        "REACTOR_PARTITION": "2026-11-20",
        "REACTOR_KEY": "2026-11-20",
        "REACTOR_ATTEMPT": "2",
        "REACTOR_FENCING_TOKEN": "7",
        "REACTOR_EVIDENCE": str(tmp_path / "evidence" / "evidence-run1-7.json"),
        "SECRET_OF_ITS_OWN": "kept",
    }
    assert list((tmp_path / "evidence").iterdir()) == []


async def test_a_value_stays_one_word_whatever_is_in_it(bench: Bench) -> None:
    nasty = "a b; rm -rf $HOME `id` 'x' \"y\" * \n --flag"
    outcome = await run(bench, "echoes", "{input.orders.name}", "--day={partition}", "{input.orders.rows}", name=nasty)
    assert msgspec.json.decode(outcome.outputs[next(iter(outcome.outputs))])["words"] == [
        nasty,
        "--day=2026-11-20",
        "812",
    ]


GIVEN = job(bodies.task("command", "succeeds"), path="in.csv", open=True, parts=[1, 2], none=None)


@pytest.mark.parametrize(
    ("word", "filled"),
    [
        ("{partition}", "2026-11-20"),
        ("{run_id}/{attempt}", "run1/2"),
        ("{input.orders.path}", "in.csv"),
        ("{input.orders.open} {input.orders.parts}", "true [1,2]"),
        ('{"day": "{partition}", "n": {"a": 1}}', '{"day": "2026-11-20", "n": {"a": 1}}'),
        ("{{partition}}", "{partition}"),
        ("{} {0} $HOME", "{} {0} $HOME"),
    ],
)
def test_placeholders(word: str, filled: str) -> None:
    assert fill([word], GIVEN) == [filled]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("{partiton}", "no such placeholder. Did you mean 'partition'?"),
        ("{input.order.path}", "no input 'order'. Did you mean 'orders'?"),
        ("{input.orders.paht}", "has no 'paht'. Did you mean 'path'?"),
        ("{input.orders.none}", "has no 'none'"),
        ("{input.orders}", "no input ''"),
        ("${HOME}", "write {{HOME}} for the text {HOME} itself"),
    ],
)
def test_a_placeholder_that_cannot_be_filled_is_named(word: str, text: str) -> None:
    with pytest.raises(BadWords) as caught:
        fill([word], GIVEN)
    assert text in str(caught.value)


def test_a_partition_that_is_none_is_not_an_empty_word() -> None:
    given: Job = msgspec.structs.replace(GIVEN, partition="")
    with pytest.raises(BadWords, match="it is not partitioned"):
        fill(["{partition}"], given)


async def test_an_unknown_placeholder_starts_nothing(bench: Bench) -> None:
    outcome = await run(bench, "exits", "{input.order.rows}")
    assert (outcome.ending, outcome.permanent, outcome.exit_code) == (Ending.FAILED, True, None)
    assert "Did you mean 'orders'?" in (outcome.error or "")


@pytest.mark.parametrize(
    ("code", "permanent", "text"),
    [
        (1, False, "ended with exit code 1"),
        (64, True, "wrong usage"),
        (75, False, "ended with exit code 75"),
        (78, True, "wrong configuration"),
        (126, True, "may not be executed"),
        (127, True, "no such command"),
        (139, False, "ended with exit code 139 (SIGSEGV)"),
        (143, False, "(SIGTERM)"),
        (200, False, "ended with exit code 200"),
        (255, False, "ended with exit code 255"),
        (-11, False, "was ended by signal 11 (SIGSEGV)"),
        (-60, False, "(signal 60)"),
    ],
)
def test_what_an_exit_code_says(code: int, permanent: bool, text: str) -> None:
    told = explain(code, None)
    assert (told.permanent, text in told.text) == (permanent, True)


@pytest.mark.parametrize("code", [-9, 137])
def test_a_kill_is_for_good_only_where_memory_ran_out(
    code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    vmstat = tmp_path / "vmstat"
    monkeypatch.setattr("reactor.executors.exits._VMSTAT", vmstat)
    vmstat.write_text("pgfault 10\noom_kill 3\n")
    assert explain(code, 3) == (explain(code, 3).text, False)
    assert explain(code, 2).permanent
    assert "memory ran out" in explain(code, 2).text
    vmstat.unlink()
    assert explain(code, None).permanent


async def test_an_exit_code_comes_with_the_last_lines(bench: Bench) -> None:
    outcome = await bench.run("raises")
    assert (outcome.ending, outcome.exit_code, outcome.permanent) == (Ending.FAILED, 3, False)
    assert "ended with exit code 3.\nIts last lines:\n  ValueError: bad row 7" in (outcome.error or "")


async def test_a_signal_is_a_death(bench: Bench) -> None:
    outcome = await run(bench, "kills_itself", str(int(signal.SIGTERM)))
    assert (outcome.ending, outcome.exit_code, outcome.permanent) == (Ending.DIED, -15, False)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["/no/such/program"], 127, "'/no/such/program' could not be started: there is no such command"),
        ([str(bodies.PROGRAM)], 126, "could not be started"),
        (["echo", "nul\0byte"], None, "could not be started: embedded null byte"),
        (["echo", "x" * 3_000_000], None, "larger than the system allows"),
    ],
)
async def test_what_cannot_be_started_fails_for_good(
    bench: Bench, words: list[str], code: int | None, text: str
) -> None:
    workflow = Workflow("finance", owner="finance@example.com")
    task = workflow.command("program", words, inputs=bodies.orders)
    bench.executor.submit(job(task), task, bench.outcomes.append)
    outcome = (await bench.answers(1))[0]
    assert (outcome.ending, outcome.permanent, outcome.exit_code) == (Ending.FAILED, True, code)
    assert text in (outcome.error or "")


async def test_evidence_that_is_no_json_fails_for_good(bench: Bench) -> None:
    outcome = await run(bench, "writes_no_json")
    assert (outcome.ending, outcome.permanent) == (Ending.FAILED, True)
    assert "wrote evidence that is not JSON" in (outcome.error or "")


async def test_binary_output_and_endless_lines_are_made_harmless(bench: Bench) -> None:
    await run(bench, "speaks_binary")
    first, long, last = bench.log()
    assert first == "\ufffd\ufffd\\x00 raw \\x1b[31mred\\x1b[0m <b>"
    assert len(long) < LONGEST_LINE + 100 < LONGEST
    assert last == "last, without an end"


async def test_what_it_leaves_behind_ends_with_it(bench: Bench) -> None:
    outcome = await run(bench, "leaves_a_child", "then-ends")
    assert outcome.ending is Ending.SUCCEEDED
    child = child_in(bench.log())
    await eventually(lambda: not alive(child))


async def test_a_timeout_kills_the_group_of_one_that_ignores_sigterm(bench: Bench) -> None:
    outcome = await run(bench, "ignores_the_end", timeout=400_000)
    assert outcome.ending is Ending.TIMED_OUT
    assert bench.log()[0] == "INFO began"


async def test_a_cancel_kills_what_it_started(bench: Bench) -> None:
    bench.submit("leaves_a_child")
    await bench.began()
    child = child_in(bench.log())
    bench.executor.cancel(RunId("run1"), 7)
    assert (await bench.answers(1))[0].ending is Ending.CANCELLED
    await eventually(lambda: not alive(child))


async def test_no_descriptor_is_left_open(bench: Bench) -> None:
    await bench.run("succeeds")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        await bench.run("raises")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
