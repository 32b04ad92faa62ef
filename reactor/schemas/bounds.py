"""How much of a schema is read: one that was sent to us can be deep, endless or a bomb, and costs no more than this."""

from collections.abc import Iterator
from contextlib import contextmanager

from reactor.model.schema import SchemaError

DEPTH, NODES = 64, 20_000


class Walk:
    """Counts the parts of one schema while it is read."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._depth = self._nodes = 0

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """One part, with all that is inside it."""
        self._depth += 1
        self._nodes += 1
        if self._depth > DEPTH or self._nodes > NODES:
            raise SchemaError(
                f"This {self._kind} is too large to be compared: it is more than {DEPTH} levels deep or has more than {NODES} parts, "
                "counting a part at each place that uses it. Give the part of it that matters a schema of its own."
            )
        try:
            yield
        finally:
            self._depth -= 1
