"""Logs: readable lines for a person, or one JSON object a line for a machine, with trace ids where there is a span. Redacted as the last thing."""

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

_PLAIN = set(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {"message", "asctime", "taskName"}
_NOISY = {
    "aiokafka": logging.CRITICAL,
    "httpx": logging.WARNING,
    "watchfiles": logging.WARNING,
    "uvicorn": logging.WARNING,
}
Redact = Callable[[str], str]


def configure(format: str, level: str, redact: Redact) -> None:
    """Sets the root logger up, on standard error. `format`: `console` or `json`; `level`: debug, info, warning or error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(redact) if format == "json" else Readable(redact))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, quiet in _NOISY.items():
        logging.getLogger(name).setLevel(quiet)


class Readable(logging.Formatter):
    """`07:41:02.120 WARNING reactor.alert  text`, in UTC."""

    def __init__(self, redact: Redact) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        text = f"{time} {record.levelname:<7} {record.name}  {record.getMessage()}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return self._redact(text)


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
            "msg": record.getMessage(),
            **trace_ids(),
            **{k: v for k, v in record.__dict__.items() if k not in _PLAIN and not k.startswith("_")},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return self._redact(msgspec.json.encode(line, enc_hook=str).decode())


def trace_ids() -> dict[str, str]:
    """Those of the current span. Nothing where no part of OpenTelemetry was loaded."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return {}
    context = trace.get_current_span().get_span_context()
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"} if context.is_valid else {}
