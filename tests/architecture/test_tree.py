"""The shape of the tree: floors, sizes, laws at the head of each file, and nothing of the machine that it was written on."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES, FUNCTION, PARAMETERS = 400, 60, 8
LARGER = {
    "core/readiness.py: offer": "the hot path: a value to carry its arguments would cost more than the question that it asks",
    "service/service.py: __init__": "all parts of a service, by name, handed over once",
    "testing/simulator.py: __init__": "what a simulated month may be troubled by, by name, each with a default",
}
"""What may be larger, and why."""
MACHINE = re.compile(
    r"/root/|/home/\w|/Users/\w|/tmp/scratch|pypi\.org|pythonhosted\.org|proxy\.golang\.org|registry\.npmjs|repo1?\.maven\.(org|apache)"
)


def sources() -> list[Path]:
    return sorted((ROOT / "reactor").rglob("*.py"))


def too_large() -> Iterator[str]:
    for file in sources():
        name, text = str(file.relative_to(ROOT / "reactor")), file.read_text("utf-8")
        if len(text.splitlines()) > LINES:
            yield name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                given = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                count = len([a for a in given if a not in ("self", "cls")])
                if (node.end_lineno or 0) - node.lineno >= FUNCTION or count > PARAMETERS:
                    yield f"{name}: {node.name}"


def test_files_functions_and_parameter_lists_are_small() -> None:
    assert sorted(set(too_large())) == sorted(LARGER), "mend it, or name it in LARGER with its reason"


def test_each_file_opens_with_its_law() -> None:
    without = [str(f) for f in sources() if not ast.get_docstring(ast.parse(f.read_text("utf-8")))]
    assert without == []


def test_imports_run_downward_only() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def tracked() -> list[Path]:
    """Every file of the project: what git would commit, where this is a checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("this is no git checkout, so what belongs to the project cannot be told")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def test_nothing_of_the_machine_it_was_written_on_is_in_the_tree() -> None:
    found = []
    for file in tracked():
        if file == Path(__file__) or not file.is_file():
            continue
        for number, line in enumerate(file.read_bytes().decode("utf-8", "replace").splitlines(), 1):
            if MACHINE.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    assert found == []


def test_files_and_folders_that_the_docs_name_are_there() -> None:
    missing = []
    for page, base in (("README.md", ROOT), ("reactor/ARCHITECTURE.md", ROOT / "reactor")):
        text = (ROOT / page).read_text("utf-8")
        for named in re.findall(r"`((?:[a-z_]+/)+[a-z_.]*|[a-z_/]+\.py)[:`]", text):
            if not any((at / named).exists() for at in (base, ROOT, base / "store")):
                missing.append(f"{page}: {named}")
        for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text):
            if not ((ROOT / page).parent / link).exists():
                missing.append(f"{page}: {link}")
    assert missing == []
