"""Redaction: over the final text, at the border where it leaves, so that no argument and no traceback slips by.

Linear in the length of the text: every repetition in the patterns is bounded, and none lies within another.
"""

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

MASK = "***"
SHORTEST_LINE = 8
"""Characters: a shorter line of a secret of many lines may be any word."""
_NAMES = r"(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)"
_QUOTE = r"(\\?[\"'])"
_PLAIN = r"[^\s\"',;&\\]+"
_VALUE = rf"(?(2)(?:[^\r\n\"]{{1,400}}?(?=\2)|[^\r\n\"'\\]{{1,400}})|{_PLAIN})"
"""To the quote that closes it, where one opened it; to the end of the line where that quote is missing."""
_PATTERNS = (
    # Authorization: Bearer x, {'Authorization': 'Basic x'}, authorization=x; whatever the scheme is called
    (
        ("authorization",),
        re.compile(
            rf"(?i)(\bauthorization\b(?:\\?[\"'])?\s{{0,3}}[=:]?\s{{0,3}}(?:\\?[\"'])?(?:[a-z][\w-]{{0,20}}\s{{1,3}})?){_PLAIN}"
        ),
    ),
    (("bearer",), re.compile(r"(?i)(\bbearer\s{1,3})[A-Za-z0-9._~+/=-]{8,}")),
    (("cookie",), re.compile(r"(?i)(\b(?:set-)?cookie\b(?:\\?[\"'])?\s{0,3}:\s{0,3})[^\r\n\"'\\]+")),
    (
        ("passw", "passphrase", "pwd", "secret", "token", "key", "credential"),
        re.compile(rf"(?i)(\b[\w-]{{0,40}}{_NAMES}\b(?:\\?[\"'])?\s{{0,3}}[=:]\s{{0,3}}{_QUOTE}?){_VALUE}"),
    ),
    (("://",), re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s/:@]{0,200}:)[^\s/@]{1,200}(?=@)")),
    (("private key",), re.compile(r"(-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----)(?:[A-Za-z0-9+/=\s]|\\[nr]){1,8000}")),
    (("rx_",), re.compile(r"(\b)rx_[A-Za-z0-9_-]{16,}")),
)
"""Each with the words that a text must hold for it to be worth the search: most texts hold none."""
_MAYBE = re.compile(r"[\s:=]|rx_")
"""Without one of these a text matches no pattern: most attributes of spans are names, and done here."""


class Redactor:
    """Masks the secrets that it was told of, in each spelling that a log may give them, and what looks like a secret."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {spelt for s in secrets if len(s) >= 4 for spelt in _spellings(s)}
        longest_first = sorted(known, key=lambda s: (-len(s), s))
        self._known = re.compile("|".join(map(re.escape, longest_first))) if known else None

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(MASK, text)
        if _MAYBE.search(text) is None:
            return text
        lower = text.lower()
        for words, pattern in _PATTERNS:
            if any(word in lower for word in words):
                text = pattern.sub(rf"\g<1>{MASK}", text)
        return text


def _spellings(secret: str) -> set[str]:
    """As it is, as `repr`, JSON and a URL write it, each of these within a JSON line, and line by line, as logs and tracebacks show it."""
    lines = {line for line in secret.splitlines() if len(line) >= SHORTEST_LINE}
    once = {secret, repr(secret)[1:-1], quote(secret, safe=""), quote(secret), *_as_json(secret)}
    return once | lines | {twice for spelt in once for twice in _as_json(spelt)}


def _as_json(text: str) -> tuple[str, str]:
    return json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]
