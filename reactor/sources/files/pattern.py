"""A file pattern such as `landing/{country}/orders-{day}.csv`, compiled: a folder to watch, and one expression per
level below it.

Pure text work. Every expression is linear in the length of the name: a wildcard takes as little as it can and never
takes it back.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reactor.model.errors import DefinitionError

_TOKEN = re.compile(r"\{(\w+)\}|(\*)")


@dataclass(frozen=True)
class Pattern:
    """`root` is watched; `levels` holds an expression for each path segment below it, the last one for the file
    itself.
    """

    text: str
    root: Path
    levels: tuple[re.Pattern[str], ...]

    @property
    def depth(self) -> int:
        return len(self.levels)

    def folder(self, segment: str, level: int) -> bool:
        """Whether a folder of this name, `level` levels below the root, can hold files that match."""
        return level < self.depth - 1 and self.levels[level].fullmatch(segment) is not None

    def match(self, name: str) -> Mapping[str, str] | None:
        """What the placeholders matched in a name relative to the root; None where the name does not match."""
        if len(self.levels) == 1:
            found = self.levels[0].fullmatch(name)
            return found.groupdict() if found else None
        segments = name.split("/")
        if len(segments) != self.depth:
            return None
        fields: dict[str, str] = {}
        for expression, segment in zip(self.levels, segments, strict=True):
            found = expression.fullmatch(segment)
            if found is None:
                return None
            fields.update(found.groupdict())
        return fields


def compile_pattern(text: str, base: Path, said: str = "") -> Pattern:
    """Compiles a pattern that is relative to `base` (an absolute one is taken as it is). `said` is what the user wrote, for errors.

    Raises:
        DefinitionError: the pattern leaves its folder, names no file, or cannot be matched in only one way.
    """
    path, said = PurePosixPath(text), said or f"Files({text!r})"
    segments = [s for s in path.parts if s != "/"]
    if ".." in segments:
        raise _refused(said, "'..' leads out of the folder. Name the folder from the project, or by an absolute path.")
    if not segments or text.endswith("/"):
        raise _refused(said, "it names a folder, not files. End it with a name such as '*.csv'.")
    fixed = _fixed(segments)
    root = (Path("/") if path.is_absolute() else base).joinpath(*segments[:fixed])
    return Pattern(text, root, tuple(_segment(said, s) for s in segments[fixed:]))


def _fixed(segments: Sequence[str]) -> int:
    """How many of the first segments are folders without a wildcard."""
    for index, segment in enumerate(segments[:-1]):
        if _TOKEN.search(segment):
            return index
    return len(segments) - 1


def _segment(said: str, segment: str) -> re.Pattern[str]:
    if re.search(r"\*\*", segment):
        raise _refused(said, "'**' is not known. Write one '*' for each level of folders, such as 'landing/*/*.csv'.")
    if re.search(r"[}*]\{|\}\*", segment):
        raise _refused(
            said, "two wildcards stand side by side, so where one ends cannot be told. Put a character between them."
        )
    pieces = _TOKEN.split(segment)  # literal, name, star, literal, name, star, ..., literal
    ends = range(1, len(pieces), 3)
    wilds = [_wild(pieces[i], pieces[i + 2], last=i == ends[-1]) for i in ends]
    return re.compile(re.escape(pieces[0]) + "".join(wilds))


def _wild(name: str | None, literal: str, *, last: bool) -> str:
    """One wildcard and the literal behind it, as an atomic group: the shortest stretch that fits is taken for good,
    which leaves the most for the rest, so nothing is ever tried twice. Only the last one takes all it can.
    """
    any_of = f"(?P<{name}>[^/]+" if name else "(?:[^/]*"
    if last:
        return f"{any_of}){re.escape(literal)}"
    return f"(?>{any_of}?){re.escape(literal)})"


def _refused(said: str, why: str) -> DefinitionError:
    return DefinitionError(f"{said}: {why}")
