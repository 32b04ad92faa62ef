"""Every block of the README runs: the code as a project of its own, the commands against the real command line."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
TEXT = (REPO / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)
CODE = [text for kind, text in BLOCKS if kind == "python"]
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
REACTOR = Path(sys.executable).with_name("reactor")


def project(root: Path) -> Path:
    for text in CODE:
        place = root / re.match(r"# (\S+)\n", text)[1]  # type: ignore[index]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (root / "reactor.toml").touch()
    return root


def reactor(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([REACTOR, *words], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_every_block_is_of_a_kind_that_is_tested_here() -> None:
    assert {kind for kind, _ in BLOCKS} == {"python", "sh"}
    assert len(CODE) == 3


def test_the_code_is_a_project_that_can_run(tmp_path: Path) -> None:
    checked = reactor("check", cwd=project(tmp_path))
    assert checked.returncode == 0, checked.stderr
    assert "It can run" in checked.stdout + checked.stderr


def test_its_test_passes(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(
        words,
        cwd=project(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("line", [c for c in COMMANDS if c.startswith("make ")])
def test_the_make_targets_exist(line: str) -> None:
    target = shlex.split(line, comments=True)[1]
    assert re.search(rf"^{target}:", (REPO / "Makefile").read_text(), re.MULTILINE)


def test_the_commands_work_in_a_project_of_ones_own(tmp_path: Path) -> None:
    """In their order; `dev` is started in the background, and stopped at the end."""
    here = tmp_path
    service: subprocess.Popen[str] | None = None
    try:
        for line in (c for c in COMMANDS if c.startswith("reactor ")):
            _, command, *words = shlex.split(line, comments=True)
            if command == "dev":
                service = subprocess.Popen(
                    [REACTOR, "dev", "--port", "0", "--json"],
                    cwd=here,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
                assert service.stdout is not None
                assert "url" in service.stdout.readline()
                continue
            done = reactor(command, *words, cwd=here)
            assert done.returncode == (3 if command == "why" else 0), f"{line}\n{done.stdout}{done.stderr}"
            here = here / words[0] if command == "init" else here
    finally:
        if service is not None:
            service.terminate()
            service.communicate(timeout=40)


def test_the_picture_is_there() -> None:
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", TEXT):
        assert (REPO / picture).is_file()
