"""What is installed, and what its users' type checkers say."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(into), str(ROOT)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = into.glob("*.whl")
    return made


@pytest.mark.slow
def test_the_wheel_holds_reactor_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {n.partition("/")[0] for n in names}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"reactor"}
    assert "reactor/py.typed" in names
    assert "reactor/project/scaffold_files/sensors/revenue_inputs.py" in names
    assert not [n for n in names if "__pycache__" in n or n.startswith("tests/")]
    here = {str(p.relative_to(ROOT)) for p in (ROOT / "reactor").rglob("*.py")}
    assert here <= set(names)


@pytest.mark.slow
def test_the_wheel_works_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own, which sees this one's dependencies but not this checkout."""
    home, empty = tmp_path / "venv", tmp_path / "empty"
    venv.create(home, with_pip=False, symlinks=True)
    empty.mkdir()
    (site,) = home.glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(site)
    ours = [p for p in sys.path if p.endswith("site-packages")]
    (site / "dependencies.py").write_text(f"import sys; sys.path += {ours!r}\n")
    (site / "dependencies.pth").write_text("import dependencies\n")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "REACTOR_"))}

    def say(*words: str) -> subprocess.CompletedProcess[str]:
        code = "import sys; from reactor.cli.main import run; sys.exit(run(sys.argv[1:]))"
        python = home / "bin" / "python"
        return subprocess.run(
            [python, "-c", code, *words], cwd=empty, env=clean, capture_output=True, text=True, check=False
        )

    where = subprocess.run(
        [home / "bin" / "python", "-c", "import reactor; print(reactor.__file__)"],
        cwd=empty, env=clean, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(site)
    shown = say("--help")
    assert shown.returncode == 0 and "init" in shown.stdout, shown.stderr
    assert say("init", "shop").returncode == 0
    checked = say("check", "--project", "shop")
    assert checked.returncode == 0, checked.stdout + checked.stderr


GOOD = """
from pydantic import BaseModel
from reactor import Asset, Daily, Files, File, Kafka, Ready, Record, Retry, Run, State, Workflow, sensor

days = Daily(start="2026-01-01", timezone="Europe/Berlin")
orders = Asset("orders", days, owner="shop@example.com", due="02:00")
revenue = Asset("revenue", days)

class Closed(BaseModel):
    day: str

@sensor(Kafka("orders"))
def closed(record: Record, memory: State) -> Ready | None:
    memory["n"] = memory.get("n", 0) + 1
    return orders.ready(record.value["day"], rows=3)

@sensor(Files("landing/{day}.csv"))
async def landed(files: list[File]) -> list[Ready]:
    return [orders.ready(f.fields["day"]) for f in files]

@sensor(Kafka("typed"))
def typed(closed: Closed) -> Ready:
    return orders.ready(closed.day)

daily = Workflow("daily", owner="finance@example.com", retry=Retry(attempts=3))

@daily.task(inputs=orders.where("rows > 0"), outputs=revenue, timeout="5m")
async def build(run: Run) -> dict[str, int]:
    run.log.info("building %s", run.partition)
    return {"rows": run.inputs["orders"].version}

answer: Ready | None = closed(Record("t", 0, 0, 0, None, None), State())  # type: ignore[arg-type]
"""
BAD = {
    'Asset("a", "daily")': "arg-type",
    'Asset("a", ownr="x")': "call-arg",
    'Workflow("w")': "call-arg",
    'sensor("topic")': "arg-type",
    'Retry(attempts="three")': "arg-type",
    "Asset('a') & 3": "operator",
    'Workflow("w", owner="o").task(inputs=Asset("a"), outpts=Asset("b"))': "call-arg",
    'Workflow("w", owner="o").command("c", words=1, inputs=Asset("a"))': "arg-type",
    'Asset("a").ready(3)': "arg-type",
}


def mypy(file: Path) -> str:
    words = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file",
        os.devnull,
        "--cache-dir",
        str(file.parent / "cache"),
    ]
    clean = {**os.environ, "MYPYPATH": str(ROOT)}
    return subprocess.run(
        [*words, str(file)], cwd=file.parent, env=clean, capture_output=True, text=True, check=False
    ).stdout


@pytest.mark.slow
def test_what_users_write_type_checks_and_what_is_wrong_does_not(tmp_path: Path) -> None:
    file = tmp_path / "user.py"
    wrong = "\n".join(BAD)
    file.write_text(f"{GOOD}\n{wrong}\n")
    first = len(GOOD.splitlines()) + 2
    found = [line for line in mypy(file).splitlines() if "error:" in line and line.startswith("user.py")]
    where = {(int(line.split(":")[1]) - first, line.rpartition("[")[2].rstrip("]")) for line in found}
    for number, (text, code) in enumerate(BAD.items()):
        assert (number, code) in where, f"{text} should not type-check: {found}"
    assert [f for f in found if int(f.split(":")[1]) < first] == []
