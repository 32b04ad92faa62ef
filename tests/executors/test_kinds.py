"""Every executor, through the one suite."""

from pathlib import Path

import pytest

from reactor.executors.command import Command
from reactor.executors.frames import Loader
from reactor.executors.inline import Inline
from reactor.executors.process import Process
from reactor.executors.thread import Thread
from tests.executors.conformance import ExecutorConformance, Make

LOADER = Loader("tests.executors.bodies:resolve")
GRACE = 2_000_000


class TestInline(ExecutorConformance):
    kind = "inline"

    @pytest.fixture
    def make(self) -> Make:
        return lambda clock, logs: Inline(clock, logs, check_limit=0.3)


class TestThread(ExecutorConformance):
    kind = "thread"

    @pytest.fixture
    def make(self) -> Make:
        return lambda clock, logs: Thread(clock, logs, threads=4, check_limit=0.3)


class TestProcess(ExecutorConformance):
    kind = "process"

    @pytest.fixture
    def make(self) -> Make:
        return lambda clock, logs: Process(clock, logs, LOADER, workers=2, grace=GRACE, check_limit=0.3)


class TestCommand(ExecutorConformance):
    kind = "command"

    @pytest.fixture
    def make(self, tmp_path: Path) -> Make:
        return lambda clock, logs: Command(clock, logs, tmp_path / "evidence", grace=GRACE, check_limit=0.3)
