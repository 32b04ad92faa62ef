"""Importing a project's files: the project first on `sys.path`, each file once, every failure with its file and line.

Law: this file owns what is global about it (`sys.path`, `sys.modules`) and puts it back where loading fails, so that
a broken file leaves the last good definitions as they were.
"""

import importlib
import importlib.machinery
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from reactor.model.errors import DefinitionError, nearest

_roots: list[str] = []
"""The project that was put first on `sys.path` by us, and goes when another one is loaded."""


def files_of(root: Path, folders: Iterable[str]) -> list[Path]:
    """The definition files, in the order in which they are imported."""
    found: list[Path] = []
    for folder in folders:
        inside = (p for p in sorted((root / folder).rglob("*.py")) if p.is_file())
        found.extend(
            p for p in inside if not any(part.startswith((".", "__pycache__")) for part in p.parts[len(root.parts) :])
        )
    return found


def import_all(root: Path, folders: Sequence[str], files: Sequence[Path]) -> list[ModuleType]:
    """Imports the files and returns their modules; called within `fresh`.

    Raises:
        DefinitionError: with the file, the line, the reason and what to do.
    """
    _go_first(str(root))
    for folder in folders:
        if (root / folder).is_dir():
            _refuse_shadow(root, folder)
    names = [_module_name(root, file) for file in files]
    return [_import(root, name, names) for name in names]


def _go_first(root: str) -> None:
    while _roots:
        if (old := _roots.pop()) in sys.path:
            sys.path.remove(old)
    sys.path.insert(0, root)
    _roots.append(root)
    importlib.invalidate_caches()


def _refuse_shadow(root: Path, folder: str) -> None:
    """A plain folder loses to an installed package of its name wherever that stands on the path, so it is said here."""
    spec = importlib.machinery.PathFinder.find_spec(folder)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    if places and Path(places[0]) == root / folder:
        return
    other = (spec.origin or (places[0] if places else "")) if spec is not None else "the interpreter itself"
    raise DefinitionError(
        f"The folder {folder}/ of {root} cannot be imported: a package of the same name is installed ({other}) and "
        f'would be taken instead. Rename the folder, and say so in reactor.toml: definitions = ["my_{folder}", ...].'
    )


def _module_name(root: Path, file: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    wrong = next((p for p in parts if not p.isidentifier()), None)
    if wrong is not None:
        better = re.sub(r"\W", "_", wrong)
        raise DefinitionError(
            f"{file.relative_to(root)} cannot be imported: {wrong!r} is no Python name. "
            f"Rename it, for example to {better!r}."
        )
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@contextmanager
def fresh(folders: Sequence[str]) -> Iterator[None]:
    """What is imported inside is imported anew; where that fails, what was imported before is back."""
    prefixes = tuple(f"{folder}." for folder in folders)
    old = {n: m for n, m in sys.modules.items() if n in folders or n.startswith(prefixes)}
    for name in old:
        del sys.modules[name]
    # Bytecode is found again by its source's size and second: a file saved twice in one second would stay the old one.
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    except BaseException:
        for name in [n for n in sys.modules if n in folders or n.startswith(prefixes)]:
            del sys.modules[name]
        sys.modules.update(old)
        raise
    finally:
        sys.dont_write_bytecode = bytecode


def _import(root: Path, name: str, names: Sequence[str]) -> ModuleType:
    try:
        return importlib.import_module(name)
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise DefinitionError(
            f"{_relative(root, error.filename)}:{error.lineno}: {error.msg}{f': {line}' if line else ''}\n"
            "Correct the line and save."
        ) from error
    except DefinitionError as error:
        raise DefinitionError(f"{_place(root, error)}: {error}") from error
    except ImportError as error:
        raise DefinitionError(f"{_place(root, error)}: {error}.{_import_hint(error, names)}") from error
    except (Exception, SystemExit) as error:  # a user's module may raise whatever it likes; it is told with its place
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        raise DefinitionError(
            f"{_place(root, error)}: {what}\nThe file raised this while it was imported. Definitions are only "
            "declared there: work belongs in tasks and sensors."
        ) from error


def _import_hint(error: ImportError, names: Sequence[str]) -> str:
    found = re.match(r"cannot import name '(\w+)' from '([\w.]+)'", str(error))
    if found is not None:
        known = vars(sys.modules[found[2]]) if found[2] in sys.modules else {}
        if found[1] not in known and not nearest(found[1], known):
            return f" Is it defined in {found[2]}, and do the two files not import each other in a circle?"
        return nearest(found[1], known)
    missing = error.name or ""
    near = nearest(missing, names)
    if near or missing.partition(".")[0] in {n.partition(".")[0] for n in names}:
        return near or " There is no such file in the project."
    return (
        f" Install it where reactor runs (add {missing.partition('.')[0]!r} to the project's dependencies), or "
        "correct the name."
    )


def _place(root: Path, error: BaseException) -> str:
    """The last line of the project's own files on the way to the error."""
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(str(root))]
    return f"{_relative(root, own[-1].filename)}:{own[-1].lineno}" if own else str(root)


def _relative(root: Path, file: str | None) -> str:
    path = Path(file or "?")
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
