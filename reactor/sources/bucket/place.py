"""Where a bucket's objects are, from its URL: `s3://landing/in/refunds-{day}.csv`. Pure text work."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reactor.sources.files.pattern import Pattern, compile_pattern

_URL = re.compile(r"(?P<scheme>[a-z0-9]+)://(?P<bucket>[^/]*)/(?P<path>.*)", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """`prefix` is the part of the keys without a wildcard; a name is what follows it."""

    scheme: str
    bucket: str
    prefix: str
    pattern: Pattern

    @property
    def root(self) -> str:
        """The URL that every name stands below."""
        return "/".join(part for part in (f"{self.scheme}://{self.bucket}", self.prefix) if part)

    def fields(self, name: str) -> Mapping[str, str] | None:
        """What the placeholders matched; None where the name does not match."""
        return self.pattern.match(name)

    def name_of(self, key: str) -> str | None:
        """The name that a whole key stands for; None where it is not one of ours."""
        before = f"{self.prefix}/" if self.prefix else ""
        name = key.removeprefix(before)
        return name if key.startswith(before) and self.pattern.match(name) is not None else None


def place_of(url: str) -> Place:
    """The place that a URL with a pattern names.

    Raises:
        DefinitionError: the pattern names no object, or cannot be matched in only one way.
    """
    parts = _URL.fullmatch(url)
    assert parts is not None, f"{url!r} was refused where it was declared"
    pattern = compile_pattern(parts["path"], Path("/"), said=f"Bucket({url!r})")
    return Place(parts["scheme"], parts["bucket"], str(pattern.root).removeprefix("/"), pattern)
