"""The folder outside the repository that keeps what is fetched or built once, and the word for what cannot be had."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class Unavailable(Exception):
    """A service cannot be had on this machine; the message is one line that says why and what would change it."""


def made_once(name: str, recipe: list[Path], make: Callable[[Path], None]) -> Path:
    """The folder that `make(folder)` fills, made once for each content of `recipe`, also by several processes."""
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in recipe)).hexdigest()[:12]
    final = _root() / f"{name}-{digest}"
    if final.exists():
        return final
    with _alone(final.with_suffix(".lock")):
        if not final.exists():
            _make(make, final)
    return final


def tool(name: str, purpose: str) -> str:
    """The path of a program, or Unavailable."""
    path = shutil.which(name) or shutil.which(name, path="/usr/local/go/bin")
    if path is None:
        raise Unavailable(f"{purpose}: `{name}` is not installed")
    return path


def run(argv: list[str], *, cwd: Path, purpose: str, env: dict[str, str] | None = None) -> None:
    """Run a build step at low priority; Unavailable with the end of its output where it fails."""
    done = subprocess.run(
        ["nice", *argv], cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        end = " | ".join(done.stdout.strip().splitlines()[-3:])
        raise Unavailable(f"{purpose}: {Path(argv[0]).name} failed: {end[:600]}")


def _root() -> Path:
    root = Path(os.environ.get("REACTOR_TEST_CACHE") or Path.home() / ".cache" / "reactor-tests")
    root.mkdir(parents=True, exist_ok=True)
    return root


def _make(make: Callable[[Path], None], final: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix=f"{final.name}.", dir=final.parent))
    try:
        make(draft)
        draft.rename(final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
