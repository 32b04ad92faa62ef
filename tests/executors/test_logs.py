"""The logs of attempts: bounded, harmless, private."""

import threading
from pathlib import Path

import pytest

from reactor.executors.lines import LONGEST, Lines
from reactor.executors.logs import LONGEST_LINE, FileLogs, MemoryLogs, visible
from reactor.model.errors import NotFound
from reactor.model.ids import RunId
from tests.clock import VirtualClock

RUN = RunId("01hrun")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def test_lines_carry_their_time(tmp_path: Path, clock: VirtualClock) -> None:
    logs = FileLogs(tmp_path / "logs", clock)
    sink = logs.open(RUN, 1)
    sink.line("begins")
    sink.line("ends")
    assert list(logs.read(RUN, 1)) == ["2026-11-18T11:06:40.000Z begins", "2026-11-18T11:06:40.000Z ends"]
    sink.close()


def test_a_file_is_made_at_the_first_line_and_is_its_owners_alone(tmp_path: Path, clock: VirtualClock) -> None:
    logs = FileLogs(tmp_path / "logs", clock)
    sink = logs.open(RUN, 1)
    assert list(logs.read(RUN, 1)) == []
    assert not (tmp_path / "logs").exists()
    sink.line("hello")
    path = tmp_path / "logs" / RUN / "1.log"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    sink.close()


def test_past_its_limit_it_says_how_much_is_missing(tmp_path: Path, clock: VirtualClock) -> None:
    logs = FileLogs(tmp_path, clock, limit=1000)
    sink = logs.open(RUN, 1)
    for number in range(100):
        sink.line(f"line {number:05d}")
    sink.close()
    sink.line("after the end")
    lines = list(logs.read(RUN, 1))
    kept = len(lines) - 2
    assert lines[-2].endswith("[log: the limit of 1000 bytes is reached: what follows is dropped]")
    assert lines[-1].endswith(f"[log: {(100 - kept) * 36} bytes were dropped]")
    assert 0 < kept < 100
    assert (tmp_path / RUN / "1.log").stat().st_size < 1300


def test_a_second_opening_goes_on_where_the_first_one_ended(tmp_path: Path, clock: VirtualClock) -> None:
    logs = FileLogs(tmp_path, clock)
    for text in ("first", "second"):
        sink = logs.open(RUN, 1)
        sink.line(text)
        sink.close()
    assert [line.split(" ", 1)[1] for line in logs.read(RUN, 1)] == ["first", "second"]


def test_threads_do_not_tear_lines(tmp_path: Path, clock: VirtualClock) -> None:
    logs = FileLogs(tmp_path, clock)
    sink = logs.open(RUN, 1)

    def write(number: int) -> None:
        for _ in range(50):
            sink.line(f"{number}" * 200)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sink.close()
    texts = [line.split(" ", 1)[1] for line in logs.read(RUN, 1)]
    assert sorted(texts) == sorted(f"{n}" * 200 for n in range(4) for _ in range(50))


def test_a_disk_that_refuses_stops_nobody(
    tmp_path: Path, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / RUN).write_text("a file where the folder should be")
    sink = FileLogs(tmp_path, clock).open(RUN, 1)
    sink.line("one")
    sink.line("two")
    sink.close()
    assert [r.message for r in caplog.records if "cannot be written" in r.message] != []


@pytest.mark.parametrize("run", ["../etc", "..", "a/b", "", "/etc", "a\0b", "a" * 65, ".hidden", "run\n"])
def test_no_id_leads_out_of_the_folder(tmp_path: Path, clock: VirtualClock, run: str) -> None:
    with pytest.raises(NotFound, match="cannot be the id of a run"):
        FileLogs(tmp_path, clock).read(RunId(run), 1)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcödé 日本 <b>&amp;", "plain, ünïcödé 日本 <b>&amp;"),
        ("a\tb", "a\tb"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\rb\nc\0", "a\\rb\\nc\\x00"),
        ("\x9b2J", "\\x9b2J"),
        ("abc\u202etxt.exe", "abc\\u202etxt.exe"),
        ("half \ud800 pair", "half \\ud800 pair"),
    ],
)
def test_nothing_in_a_line_commands_a_terminal(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_memory_logs_are_read_back() -> None:
    logs = MemoryLogs()
    sink = logs.open(RUN, 1)
    sink.line("one\x07")
    sink.close()
    sink.line("two")
    assert logs.read(RUN, 1) == ("one\\x07",)
    assert logs.read(RUN, 2) == ()


def cut(*chunks: bytes) -> list[str]:
    lines = Lines()
    return [line for chunk in chunks for line in lines.feed(chunk)] + list(lines.flush())


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"a\nb\n"], ["a", "b"]),
        ([b"a\nb"], ["a", "b"]),
        ([b"a", b"b", b"\nc"], ["ab", "c"]),
        ([b"a\r\nb\r", b"\nc\r"], ["a", "b", "c"]),
        ([b"10%\r20%\r", b"30%\n"], ["10%", "20%", "30%"]),
        ([b"\n\n"], ["", ""]),
        ([b"\xff\xfe\n"], ["\ufffd\ufffd"]),
        (["é".encode()[:1], "é".encode()[1:] + b"\n"], ["é"]),
        ([], []),
    ],
)
def test_bytes_become_lines(chunks: list[bytes], expected: list[str]) -> None:
    assert cut(*chunks) == expected


def test_a_line_without_end_is_cut() -> None:
    lines = cut(*[b"x" * 10_000] * 100, b"\nnext\n")
    assert lines == ["x" * LONGEST + f" [... {1_000_000 - LONGEST} more bytes]", "next"]


def test_no_secret_is_written_nor_the_half_of_one_that_a_cut_leaves(tmp_path: Path, clock: VirtualClock) -> None:
    logs = FileLogs(tmp_path, clock, redact=lambda text: text.replace("hunter2-hunter2", "***"))
    sink = logs.open(RUN, 1)
    sink.line("log in with hunter2-hunter2")
    sink.line("x" * (LONGEST_LINE - 4) + "hunter2-hunter2")
    sink.line("hunter2-hunter2 " * 10_000)
    sink.close()
    first, second, third = logs.read(RUN, 1)
    assert first.endswith("log in with ***")
    assert "hun" not in second + third
    assert second.endswith("characters]")
    assert third.endswith("characters]")
