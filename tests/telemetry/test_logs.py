"""One line is one line, whatever was to be written, and nothing passes by the redaction."""

from __future__ import annotations

import io
import logging
import subprocess
import sys

import msgspec
import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from reactor.telemetry.logs import JsonLines, Readable
from reactor.telemetry.redact import Redactor


def logger(formatter: logging.Formatter) -> tuple[logging.Logger, io.StringIO]:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    log = logging.Logger("reactor.test")  # noqa: LOG001 - one of its own, that nobody else writes to
    log.addHandler(handler)
    return log, out


def test_a_text_cannot_forge_a_line_or_colour_the_terminal() -> None:
    log, out = logger(Readable(Redactor()))
    log.warning("file %s", "a\n12:00:00.000 INFO    reactor  all is well\x1b[2J\r.csv")
    first, second = out.getvalue().splitlines()
    assert first.endswith("WARNING reactor.test  file a")
    assert second == r"    12:00:00.000 INFO    reactor  all is well\x1b[2J\x0d.csv"


@pytest.mark.parametrize(
    "extra",
    [{"name2": "\udcff.csv"}, {"map": {(1, 2): 3}}, {"level": "none of yours", "msg2": object()}, {"n": float("nan")}],
)
def test_a_json_line_is_written_whatever_it_holds(extra: dict[str, object]) -> None:
    log, out = logger(JsonLines(Redactor()))
    log.warning("it is %s", "\udcff password=hunter2", extra=extra)
    line = msgspec.json.decode(out.getvalue())
    assert (line["level"], line["logger"]) == ("warning", "reactor.test")
    assert line["msg"] in ("it is \\udcff password=***", "it is \udcff password=***")
    assert set(extra) <= set(line)


@pytest.mark.parametrize("kind", [Readable, JsonLines])
def test_arguments_that_do_not_fit_are_written_redacted(
    kind: type[Readable | JsonLines], capsys: pytest.CaptureFixture[str]
) -> None:
    log, out = logger(kind(Redactor()))
    log.warning("%d rows", "password=hunter2")
    assert "these arguments do not fit" in out.getvalue()
    assert "hunter2" not in out.getvalue() + capsys.readouterr().err


def test_a_line_carries_the_ids_of_its_span() -> None:
    log, out = logger(JsonLines(Redactor()))
    with use_span(NonRecordingSpan(SpanContext(10, 11, is_remote=True, trace_flags=TraceFlags(1)))):
        log.warning("within", extra={"run": "01abc"})
    log.warning("without")
    within, without = map(msgspec.json.decode, out.getvalue().splitlines())
    assert (within["trace_id"], within["span_id"], within["run"]) == (f"{10:032x}", f"{11:016x}", "01abc")
    assert "trace_id" not in without


PROGRAM = """
import logging
from reactor.telemetry.logs import configure
from reactor.telemetry.redact import Redactor

class Odd:
    def __str__(self): raise RuntimeError("hunter2")

configure({format!r}, "info", Redactor(["hunter2"]))
log = logging.getLogger("reactor.x")
log.info("the token is %s", "hunter2")
log.debug("too quiet")
log.info("%s", Odd())
log.info("and on")
"""


@pytest.mark.parametrize("format", ["console", "json"])
def test_as_it_is_set_up_in_a_process(format: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(format=format)], capture_output=True, text=True, check=True, timeout=20
    )
    said = done.stderr.splitlines()
    assert len(said) == 3, done.stderr
    assert "the token is ***" in said[0]
    assert "could not be written: RuntimeError" in said[1]
    assert "and on" in said[2]
    assert "hunter2" not in done.stdout + done.stderr
