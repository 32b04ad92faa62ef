"""Bytes as they come out of a pipe, cut into lines of text. May know: nothing but bytes."""

from collections.abc import Iterator

LONGEST = 32_768
"""Bytes of one line that are kept; the rest of the line is counted and left out."""


class Lines:
    """Feed it chunks; it gives whole lines. A lone carriage return ends a line too: progress bars are many short
    lines, not a long one.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._cut = 0
        self._held = False

    def feed(self, data: bytes) -> Iterator[str]:
        if self._held:
            data = b"\r" + data
        self._held = data.endswith(b"\r")
        if self._held:
            data = data[:-1]  # the other half of a line's end may follow
        *whole, rest = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for line in whole:
            yield self._end(line)
        self._keep(rest)

    def flush(self) -> Iterator[str]:
        """The last line, where it had no end."""
        if self._rest or self._cut or self._held:
            self._held = False
            yield self._end(b"")

    def _keep(self, part: bytes) -> None:
        room = LONGEST - len(self._rest)
        self._rest += part[:room]
        self._cut += max(len(part) - room, 0)

    def _end(self, part: bytes) -> str:
        self._keep(part)
        text = self._rest.decode("utf-8", "replace")
        if self._cut:
            text += f" [... {self._cut} more bytes]"
        self._rest, self._cut = b"", 0
        return text
