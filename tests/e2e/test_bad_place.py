"""A place that is wrong: a disk, a database, a port, a folder, a definition. What is said, how it ends, and that nothing is lost by it.

Where a service cannot begin, the message and the exit code; where it runs, what it says while the trouble lasts. Once it is mended, what was
good before is there, and what comes has its effect.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.books import Books, cloud_event, definitions, fact
from tests.e2e.conftest import NewProject
from tests.e2e.project import Project, until

EMBEDDED = '[kafka]\nservers = "embedded"\n'
PERMISSIONS = (
    "The folder and the file must be there and writable for the user that Reactor runs as (SQLite keeps a -wal and a -shm file beside it). "
    "Mend the permissions, or name another place for the database."
)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose ledger holds one day that was built."""
    project = definitions(Project(tmp_path_factory.mktemp("ledger") / "project", EMBEDDED))
    with project.serving("run") as service:
        books = Books(project, service)
        books.post("2026-02-01")
        until(lambda: "2026-02-01" in books.built)
    return project.root


@pytest.fixture
def kept(ledger: Path, project: NewProject) -> Project:
    """One's own copy of it."""
    mine = project(EMBEDDED)
    shutil.copytree(ledger, mine.root, dirs_exist_ok=True)
    return mine


def database(project: Project) -> Path:
    return project.root / ".reactor" / "reactor.db"


def version(project: Project, number: int) -> None:
    with closing(sqlite3.connect(database(project))) as db:
        db.execute(f"PRAGMA user_version = {number}")


def newer(project: Project) -> Callable[[], None]:
    with closing(sqlite3.connect(database(project))) as db:
        known = db.execute("PRAGMA user_version").fetchone()[0]
    version(project, 99)
    return lambda: version(project, known)


def read_only(project: Project) -> Callable[[], None]:
    database(project).chmod(0o444)
    database(project).parent.chmod(0o555)

    def mend() -> None:
        database(project).parent.chmod(0o755)
        database(project).chmod(0o644)

    return mend


def somebody_elses(project: Project) -> Callable[[], None]:
    backup = shutil.move(database(project), project.root / "backup.db")
    with closing(sqlite3.connect(database(project))) as db:
        db.execute("CREATE TABLE customer (name)")

    def mend() -> None:
        shutil.move(backup, database(project))

    return mend


DATABASES = {
    "of a newer version": (
        newer, 1,
        ("{db} has schema 99, written by a newer Reactor; this one knows {known}. Opening it could lose what this one cannot read, so nothing "
        "was changed. Use the newer version, or another database."),
    ),
    "read-only": (
        read_only, 2,
        "The database {db} cannot be used: [Errno 13] Permission denied: '{db}'. " + PERMISSIONS,
    ),
    "of somebody else": (
        somebody_elses, 2,
        ("{db} is a SQLite database, but not one of Reactor's: it holds other tables. Nothing in it was changed. Name another file as the "
        "database."),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "code", "error"), DATABASES.values(), ids=DATABASES.keys())
def test_a_database(kept: Project, spoil: Callable[[Project], Callable[[], None]], code: int, error: str) -> None:
    with closing(sqlite3.connect(database(kept))) as db:
        known = db.execute("PRAGMA user_version").fetchone()[0]
    mend = spoil(kept)
    service = kept.start("run", weak=True)
    assert service.ended() == code
    assert service.log == f"reactor: {error.format(db=database(kept), known=known)}\n"
    mend()
    goes_on(kept)


def goes_on(project: Project) -> None:
    """What was built is there, and what comes is built."""
    with project.serving("run") as service:
        books = Books(project, service)
        books.post("2026-02-02")
        until(lambda: "2026-02-02" in books.built)
        assert service.post("/events", fact("2026-02-01"), cloud_event("2026-02-01")).status == 202
    assert project.effects == [{"day": "2026-02-01", "rows": 1}, {"day": "2026-02-02", "rows": 1}]
    assert project.balances()


def test_two_engines_on_one_database(kept: Project) -> None:
    with kept.serving("run") as first:
        second = kept.start("run")
        assert second.ended() == 75
        assert re.fullmatch(
            rf"reactor: Another engine holds {database(kept)}: engine \w+, process {first.process.pid} on {socket.gethostname()}. Two engines "
            r"on one database would start work twice. Stop that one first, or give this one a database of its own.\n",
            second.log,
        )
    goes_on(kept)


def test_a_port_in_use(kept: Project) -> None:
    with kept.serving("run") as first:
        port = first.port
        other = kept.start("run", "--port", str(port))
        assert other.ended() == 2
        assert other.log == (
            f"reactor: The address 127.0.0.1:{port} cannot be used: Address already in use. Stop what uses it, or choose another with --port.\n"
        )
        assert first.ask("/readyz").status == 200
    goes_on(kept)


BROKEN = "from sensors.books import closed\n\nx = (\n"
WRONG: dict[str, tuple[str, str, str]] = {
    "settings that are no TOML": (
        "reactor.toml", "port =", "{root}/reactor.toml is no TOML: Invalid value (at end of document). Correct the line that it names.",
    ),
    "a setting that does not exist": (
        "reactor.toml", "prot = 1",
        "{root}/reactor.toml: there is no setting 'prot'. Did you mean 'port'? `reactor config show` lists them all.",
    ),
    "brokers without a port": (
        "reactor.toml", '[kafka]\nservers = "localhost"',
        ("kafka.servers: 'localhost' is not host:port. Write for example 'broker-1:9092,broker-2:9092', or 'embedded' for topics without a "
        "broker."),
    ),
    "a syntax error": ("workflows/more.py", BROKEN, "workflows/more.py:3: '(' was never closed: x = (\nCorrect the line and save."),
    "a name that does not exist": (
        "workflows/more.py", "from sensors.books import clsoed\n",
        "workflows/more.py:1: cannot import name 'clsoed' from 'sensors.books' ({root}/sensors/books.py). Did you mean 'closed'?",
    ),
    "a sensor that asks for what its source does not give": (
        "sensors/more.py",
        ("from reactor import File, Kafka, sensor\n\n@sensor(Kafka('more'))\ndef more(file: File) -> None:\n    return None\n"),
        "Sensor 'more' asks for File, but kafka:more gives Record. Annotate it Record, or a pydantic model of its payload.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("file", "text", "error"), WRONG.values(), ids=WRONG.keys())
def test_what_is_refused_at_the_start(project: NewProject, file: str, text: str, error: str) -> None:
    shop = definitions(project(EMBEDDED))
    shop.write(file, text)
    service = shop.start("run")
    assert service.ended() == 2
    assert service.log == f"reactor: {error.format(root=shop.root)}\n"


def test_definitions_that_are_saved_with_a_mistake_while_dev_runs(project: NewProject) -> None:
    """The last good ones go on; and what was wrong is said, with its place."""
    shop = definitions(project())
    with shop.serving("dev") as service:
        books = Books(shop, service)
        for file, text, error in (w for w in WRONG.values() if w[0] != "reactor.toml"):
            with books.between(books.post):
                shop.write(file, text)
                said = "✕ " + error.format(root=shop.root) + "\n  The last good definitions go on.\n"
                until(partial(service.logged, said))
            (shop.root / file).unlink()
            until(partial(service.logged, "✓ the files are again those that are at work\n", len(books.built) // 2))
        shop.write("workflows/more.py", "from reactor import Asset\nmore = Asset('more')\n")
        until(lambda: service.logged("↻ loaded again\n  + asset more\n"))
        books.post(books.day())
        until(lambda: len(books.built) == 1 + 2 * 3)
    assert shop.balances()


def test_a_landing_folder_that_cannot_be_read_and_one_that_is_made_later(project: NewProject) -> None:
    shop = definitions(project(EMBEDDED))
    landing = shop.root / "landing"
    landing.chmod(0o000)
    source = "files:landing/closed-{day}.csv"
    with shop.serving("run", weak=True) as service:
        books = Books(shop, service)
        denied = (
            f"The folder {landing} cannot be read: Permission denied. The service's user needs to list and to enter it."
        )
        until(lambda: service.health(source)["error"] == denied)
        assert service.health(source)["condition"] == "broken"
        until(lambda: service.logged(f"Source {source} is not well (broken): {denied}"))
        assert denied in " ".join(shop.read("why", "closed", "2026-02-01")["next"])
        books.post("2026-02-02")
        until(lambda: "2026-02-02" in books.built)
        books.land("2026-02-01")
        landing.chmod(0o755)
        until(lambda: "2026-02-01" in books.built)
        until(lambda: service.logged(f"Source {source} is well again."))
        landing.chmod(0o000)
        books.land("2026-02-04")
        until(lambda: service.health(source)["error"] == denied)
        landing.chmod(0o755)
        until(lambda: "2026-02-04" in books.built)
        landing.rename(shop.root / "away")
        gone = f"The folder {landing} is gone. Once it is back, its files are read again."
        until(lambda: service.health(source)["error"] == gone)
    with shop.serving("run") as service:
        missing = f"There is no folder {landing} yet. It is read as soon as it appears."
        until(lambda: service.health(source)["error"] == missing)
        landing.mkdir()
        books.land("2026-02-03")
        until(lambda: "2026-02-03" in books.built, 5)
    assert shop.balances()


@pytest.fixture
def small(kept: Project) -> Iterator[Project]:
    """The ledger on a disk of three megabytes."""
    place = kept.root / ".reactor"
    aside = place.rename(kept.root / "aside")
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk to fill up can be mounted by root alone, and not in every container")
    shutil.copytree(aside, place, dirs_exist_ok=True)
    yield kept
    kept.end()
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(file: Path) -> None:
    """To its last byte."""
    with file.open("ab", buffering=0) as out, suppress(OSError):
        while out.write(bytes(4096)):
            pass


def test_a_full_disk(small: Project) -> None:
    ballast = small.root / ".reactor" / "ballast"
    full = (
        f"The disk under {database(small)} is full (database or disk is full). Nothing of the transaction was written; nothing is lost, and the "
        "sources wait. Make room: Reactor goes on by itself."
    )
    with small.serving("run") as service, ThreadPoolExecutor() as beside:
        books = Books(small, service)
        books.post("2026-03-01")
        until(lambda: len(small.read("runs", "--state", "succeeded")) == 2)
        fill(ballast)
        for n in range(2, 12):
            books.land(f"2026-03-{n:02}")
        caught = beside.submit(service.post, "/events", fact("2026-03-12"), cloud_event("e12"))
        until(lambda: service.ask("/readyz").status == 503)
        assert service.ask("/readyz").body == {"ready": False, "reason": full}
        until(lambda: service.logged(full))
        for path, headers in (("/events", cloud_event("e13")), ("/topics/typed", {})):
            refused = service.post(path, json.dumps({"text": fact("2026-03-13")}), headers)
            assert (refused.status, refused.error) == (
                503, f"Nothing was taken of this, because nothing can be written now. {full} Then send it again.",
            )  # fmt: skip
        doctor = {f["what"]: f["text"] for f in small.say("doctor", "--json").json}
        assert re.fullmatch(
            rf"only \d MB are free at {small.root}/.reactor. Make room: a full disk stops intake, and nothing is lost.",
            doctor["disk"],
        )
        assert small.read("why", "built", "2026-03-01")["state"] == "ready", "reading goes on"
        ballast.unlink()
        assert caught.result(30).status == 202
        until(lambda: len(books.built) == 13)
        until(lambda: service.ask("/readyz").status == 200)
        assert service.logged("The database can be written again.")
    assert small.balances()
    fill(ballast)
    begun = small.start("run")
    assert begun.ended() == 75
    assert begun.log.endswith(f"reactor: {full}\n"), begun.log
    ballast.unlink()
    goes_on_after = small.start("run").up()
    Books(small, goes_on_after).post("2026-02-02")
    until(lambda: len(small.effects) == 14)
    assert goes_on_after.stop() == 0
    assert small.balances()
