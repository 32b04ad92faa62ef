"""Starting, reloading, stopping and killing the service, as a process."""

import json
import signal
import socket
from pathlib import Path

import pytest

from tests.cli.conftest import DAILY, Say, Served, closed, until, write_project


def test_dev_loads_what_was_saved_and_keeps_the_last_good_definitions(tmp_path: Path, say: Say) -> None:
    served = Served(write_project(tmp_path))
    file = tmp_path / "workflows" / "daily.py"
    try:
        file.write_text(DAILY + "\nx = (\n")
        until(lambda: "was never closed" in served.log)
        assert "The last good definitions go on." in served.log
        file.write_text(DAILY.replace("rows > 0", "rows > 5"))
        until(lambda: "↻" in served.log)
        assert "~ task build: its rule is now orders.where('rows > 5') & refunds" in served.log
        say("publish", "orders", closed("2026-03-01", rows=3), root=tmp_path)
        until(lambda: "rows > 5" in say("why", "build", "2026-03-01", root=tmp_path).out)
    finally:
        assert served.stop() == 0
    assert "draining" in served.log


def test_a_definitions_folder_that_is_made_while_dev_runs_is_loaded(tmp_path: Path, say: Say) -> None:
    write_project(tmp_path)
    aside = (tmp_path / "workflows").rename(tmp_path / "aside")
    served = Served(tmp_path)
    try:
        assert "The folder workflows/ of the setting `definitions` is not there." in served.log
        aside.rename(tmp_path / "workflows")
        until(lambda: "+ task build" in served.log)
        (tmp_path / "workflows" / "daily.py").write_text(DAILY.replace("rows > 0", "rows > 5"))
        until(lambda: "its rule is now orders.where('rows > 5') & refunds" in served.log)
        assert served.log.count("↻") == 2
    finally:
        assert served.stop() == 0


def test_reads_work_without_the_service_and_writes_say_that_it_is_down(tmp_path: Path, say: Say) -> None:
    served = Served(write_project(tmp_path))
    say("publish", "orders", closed("2026-03-01"), root=tmp_path)
    until(lambda: say("events", "--json", root=tmp_path).json)
    assert served.stop() == 0
    assert say("events", "--json", root=tmp_path).json[0]["asset"] == "orders"
    down = say("runs", "cancel", "any", root=tmp_path)
    assert (down.code, "does not run" in down.err, "reactor dev" in down.err) == (69, True, True)


def test_what_is_published_while_the_service_is_down_is_there_when_it_starts(tmp_path: Path, say: Say) -> None:
    write_project(tmp_path)
    assert say("publish", "orders", closed("2026-03-01"), root=tmp_path).code == 0
    assert say("publish", "refunds", closed("2026-03-01"), root=tmp_path).code == 0
    served = Served(tmp_path)
    try:
        until(lambda: say("why", "revenue", "2026-03-01", root=tmp_path).code == 0)
    finally:
        served.stop()


def test_after_a_kill_the_next_one_goes_on_and_a_stale_address_is_named(tmp_path: Path, say: Say) -> None:
    served = Served(write_project(tmp_path))
    say("publish", "orders", closed("2026-03-01"), root=tmp_path)
    served.stop(signal.SIGKILL)
    gone = say("runs", "cancel", "any", root=tmp_path)
    assert (gone.code, "does not answer" in gone.err) == (69, True)
    (tmp_path / ".reactor" / "service.json").unlink()
    again = Served(tmp_path)
    try:
        say("publish", "refunds", closed("2026-03-01"), root=tmp_path)
        until(lambda: say("why", "revenue", "2026-03-01", root=tmp_path).code == 0)
        assert say("audit", root=tmp_path).code == 0
    finally:
        again.stop()


def test_a_second_engine_on_one_ledger_is_refused(tmp_path: Path) -> None:
    first = Served(write_project(tmp_path))
    second = tmp_path / "second"
    try:
        other = write_project(second)
        (other / "reactor.toml").write_text(f'port = 0\nstate = "{tmp_path}/.reactor"\n')
        served = Served(other)
        until(lambda: served.process.poll() is not None)
        assert served.stop() == 75
        assert "reactor: " in served.log
    finally:
        first.stop()


def test_systemd_is_told_when_it_is_ready_alive_and_stopping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        root = write_project(tmp_path / "project")
        (root / "reactor.toml").write_text('port = 0\n[kafka]\nservers = "embedded"\n')
        served = Served(root, "run", "--json")
        assert manager.recv(999).startswith(b"READY=1\nSTATUS=serving on http://127.0.0.1:")
        assert manager.recv(999) == b"WATCHDOG=1"
        assert json.loads(served.log.splitlines()[0])["url"].startswith("http://127.0.0.1:")
        assert served.stop() == 0
        told = b""
        while told != b"STOPPING=1":
            told = manager.recv(999)
