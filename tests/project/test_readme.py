"""Every code block of the README is run, in its order, as a reader would."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

from reactor.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CLOCK = re.compile(r"\d\d:\d\d:\d\d|\d{4}-\d\d-\d\d \d\d:\d\d|\([^)]* ago\)")
PATIENCE = 20


def test_every_code_block_of_the_readme_runs(tmp_path: Path) -> None:
    blocks: list[tuple[str, str]] = BLOCK.findall((ROOT / "README.md").read_text())
    ran = 0
    with reader(tmp_path) as environment:
        for number, (kind, text) in enumerate(blocks):
            if kind == "python":
                write(tmp_path, text)
            elif kind == "sh":
                follows = blocks[number + 1] if number + 1 < len(blocks) else ("", "")
                shell(tmp_path, environment, text, follows[1] if follows[0] == "text" else None)
            ran += kind in ("python", "sh", "text")
        tests = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "pythonpath=.", "tests"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "1 passed" in tests.stdout, tests.stdout
    assert ran == len(blocks) > 0


@contextmanager
def reader(folder: Path) -> Iterator[dict[str, str]]:
    """Somebody in an empty folder, who has `reactor` on the path; what is started in the background ends with them."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("REACTOR_", "OTEL_"))}
    environment = {**clean, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TZ": "UTC"}
    service = folder / ".reactor" / "service.json"
    try:
        yield environment
    finally:
        if service.exists():
            os.kill(json.loads(service.read_text())["pid"], signal.SIGTERM)
            wait_until(lambda: not service.exists())


def write(folder: Path, text: str) -> None:
    """The first line of a Python block says which file it is."""
    name = text.splitlines()[0].removeprefix("# ")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)


def shell(folder: Path, environment: dict[str, str], block: str, expected: str | None) -> None:
    for line in block.splitlines():
        if line.startswith("reactor why"):
            wait_until(lambda line=line: asked(folder, environment, line, expected))
        else:
            # `make` is shown what it would do: the demo has a test of its own.
            command = line.replace("make ", f"make -n -C {ROOT} ", 1) if line.startswith("make ") else line
            with (folder / "said").open("a") as said:
                done = subprocess.run(
                    ["bash", "-c", command], cwd=folder, env=environment, stdout=said, stderr=said, check=False
                )
            assert done.returncode == 0, (line, (folder / "said").read_text())


def asked(folder: Path, environment: dict[str, str], line: str, expected: str | None) -> bool:
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if expected is None:
        return done.returncode == 0
    assert done.returncode != 2, done.stderr
    return done.returncode == 3 and CLOCK.sub("", done.stdout) == CLOCK.sub("", expected)


def wait_until(holds: object) -> None:
    assert callable(holds)
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def test_the_picture_is_there_and_loads_nothing_from_elsewhere() -> None:
    picture = (ROOT / "docs" / "demo.svg").read_text()
    assert ElementTree.fromstring(picture).tag.endswith("svg")
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


def test_no_line_of_the_documents_names_a_command_that_is_not_there() -> None:
    said = set(re.findall(r"`?reactor ([a-z]+)", (ROOT / "README.md").read_text()))
    assert said <= {*COMMANDS, "import"}
