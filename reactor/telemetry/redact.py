"""Redaction: over the final text, at the border where it leaves, so that no argument and no traceback slips by."""

import re
from collections.abc import Iterable

MASK = "***"
_PATTERNS = (
    re.compile(r"(?i)(\bauthorization\b\W{0,3}(?:bearer|basic)?\s+)[^\s\"',;\\]+"),
    re.compile(r"(?i)(\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(
        r"(?i)(\b[\w-]{0,40}(?:password|passwd|secret|token|api[_-]?key)\b(?:\\?[\"'])?\s{0,3}[=:]\s{0,3}(?:\\?[\"'])?)[^\s\"',;&\\]+"
    ),
    re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s/:@]{0,200}:)[^\s/@]{1,200}(?=@)"),
)
_OWN = re.compile(r"\brx_[A-Za-z0-9_-]{16,}")


class Redactor:
    """Masks the secrets that it was told of, and what looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({s for s in secrets if len(s) >= 4}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(MASK, text)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\g<1>{MASK}", text)
        return _OWN.sub(MASK, text)
