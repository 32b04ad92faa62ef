"""What lands in a simulated folder or bucket, as the patterns of the sources see it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from reactor.model.source import Bucket, Files, SourceSpec
from reactor.sources.bucket.place import place_of
from reactor.sources.files.pattern import compile_pattern


class Landed(NamedTuple):
    """One file or object, as one source would name it."""

    path: str
    name: str
    fields: Mapping[str, str]


def landed(spec: SourceSpec, name: str, base: Path) -> Landed | None:
    """What the source makes of it; None where it does not read it. `name` is relative to `base`, or an object's URL."""
    match spec:
        case Files():
            pattern = compile_pattern(spec.pattern, base)
            return _below(str(pattern.root), pattern.match, str(base / name))
        case Bucket():
            place = place_of(spec.url)
            return _below(place.root, place.fields, name)
        case _:
            return None


def _below(root: str, match: Callable[[str], Mapping[str, str] | None], path: str) -> Landed | None:
    name = path.removeprefix(f"{root.rstrip('/')}/")
    fields = match(name) if name != path else None
    return None if fields is None else Landed(path, name, fields)


def patterns(specs: list[SourceSpec]) -> str:
    """What could land, for the message that nothing reads it."""
    known = [s.pattern if isinstance(s, Files) else s.url for s in specs if isinstance(s, Files | Bucket)]
    return ", ".join(known) or "none"
