"""Logs: readable lines for a person, or one JSON object a line for a machine, with trace ids where there is a span. Redacted as the last thing.

A line that cannot be written as it was meant is written as well as can be: what the logging library prints of such a line by itself
(`Arguments: ...`) would pass by the redaction.
"""

import logging
import re
import sys
from datetime import UTC, datetime

import msgspec

from reactor.model.ports import Redact

_PLAIN = set(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {"message", "asctime", "taskName"}
_NOISY = {
    "aiokafka": logging.CRITICAL,
    "httpx": logging.WARNING,
    "opentelemetry": logging.CRITICAL,  # says each batch that was lost; `telemetry.otel` says how many, once a minute
    "urllib3": logging.ERROR,
    "watchfiles": logging.WARNING,
    "uvicorn": logging.WARNING,
}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def configure(format: str, level: str, redact: Redact) -> None:
    """Sets the root logger up, on standard error. `format`: `console` or `json`; `level`: debug, info, warning or error."""
    handler = _Handler(sys.stderr)
    handler.setFormatter(JsonLines(redact) if format == "json" else Readable(redact))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, quiet in _NOISY.items():
        logging.getLogger(name).setLevel(quiet)


class _Handler(logging.StreamHandler):  # type: ignore[type-arg]  # generic for type checkers only
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is the standard library's
        """The place and the kind of the error, and nothing of what was to be written."""
        kind = sys.exc_info()[0]
        name = kind.__name__ if kind is not None else "an error"
        sys.stderr.write(
            f"A log line of {record.name} ({record.pathname}:{record.lineno}) could not be written: {name}\n"
        )


class Readable(logging.Formatter):
    """`07:41:02.120 WARNING reactor.alert  text`, in UTC. Only the first line of a text begins so: none can be forged within it."""

    def __init__(self, redact: Redact) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        text = f"{time} {record.levelname:<7} {record.name}  {_message(record)}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        visible = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", self._redact(text))
        return visible.replace("\n", "\n    ")


class JsonLines(logging.Formatter):
    """`{"ts": ..., "level": ..., "logger": ..., "msg": ..., "trace_id": ..., "span_id": ...}` and what was given as `extra`."""

    def __init__(self, redact: Redact) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": _message(record),
            **trace_ids(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        more = {k: v for k, v in record.__dict__.items() if k not in _PLAIN and not k.startswith("_")}
        return self._redact(_json({**more, **line}))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args!r} (these arguments do not fit the text)"


def _json(line: dict[str, object]) -> str:
    try:
        return msgspec.json.encode(line, enc_hook=str).decode()
    except (TypeError, ValueError, RecursionError):  # a file's name that is no UTF-8, keys that are no texts
        return msgspec.json.encode({k: _visible(v) for k, v in line.items()}).decode()


def _visible(value: object) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode()


def trace_ids() -> dict[str, str]:
    """Those of the current span. Nothing where no part of OpenTelemetry was loaded."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return {}
    context = trace.get_current_span().get_span_context()
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"} if context.is_valid else {}
