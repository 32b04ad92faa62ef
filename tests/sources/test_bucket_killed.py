"""The real service on a real bucket, killed with SIGKILL around its commits: each object has its effect, and has it once."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.services.s3 import S3
from tests.services.wait import eventually

LIFE = """
import asyncio, sys
from pathlib import Path
from tests.torture.zygote import live
asyncio.run(live(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""
SENSOR = """
from reactor import Asset, Bucket, Dynamic, File, Ready, sensor

order = Dynamic("order")
landed = Asset("landed", order)

@sensor(Bucket("s3://{bucket}/in/{{order}}.csv", every="50ms"))
def seen(file: File) -> Ready:
    return landed.ready(file.fields["order"], size=file.size, etag=file.etag)
"""
SETTINGS = """
definitions = ["sensors"]

[s3]
endpoint = "{endpoint}"
access_key = "{access_key}"
secret_key_file = "secret"
"""


def project(root: Path, s3: S3, bucket: str) -> None:
    (root / "sensors").mkdir()
    (root / "sensors" / "landing.py").write_text(SENSOR.format(bucket=bucket))
    (root / "reactor.toml").write_text(SETTINGS.format(endpoint=s3.endpoint, access_key=s3.access_key))
    (root / "secret").write_text(s3.secret_key)


@contextmanager
def life(root: Path, point: str = "", nth: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    """A service that kills itself the n-th time that it comes by the point."""
    ours, theirs = os.pipe()
    words = [sys.executable, "-c", LIFE, str(root), point, str(nth), str(theirs)]
    with (root / "lives.log").open("ab") as log:
        process = subprocess.Popen(words, pass_fds=[theirs], stderr=log)
    os.close(theirs)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)
        os.close(ours)


def versions(root: Path) -> dict[str, int]:
    """How often each partition became ready, as the ledger has it."""
    place = root / ".reactor" / "reactor.db"
    if not place.exists():
        return {}
    with closing(sqlite3.connect(f"file:{place}?mode=ro", uri=True)) as db:
        return dict(db.execute("SELECT partition, version FROM slot WHERE asset = 'landed'").fetchall())


def answer(root: Path, command: str) -> str:
    """What a command of the command line says, which must be well."""
    words = [str(Path(sys.executable).with_name("reactor")), command, "--project", str(root)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("point", ["before-commit", "after-commit", "after-ack"])
async def test_an_object_has_its_effect_once_whenever_the_service_is_killed(s3: S3, tmp_path: Path, point: str) -> None:
    bucket = await s3.new_bucket()
    project(tmp_path, s3, bucket)
    names = [f"o{n}" for n in range(9)]
    for nth, some in enumerate((names[:3], names[3:6]), start=1):
        await s3.put(bucket, *(f"in/{name}.csv" for name in some))
        with life(
            tmp_path, point, 1 if point == "after-ack" else nth
        ) as process:  # three objects are one batch: one acknowledgement
            assert await asyncio.to_thread(process.wait, 60) == -9, (tmp_path / "lives.log").read_text()
    await s3.put(bucket, *(f"in/{name}.csv" for name in names[6:]))
    with life(tmp_path):
        await eventually(lambda: set(versions(tmp_path)) == set(names), 30)
        await s3.put(bucket, "in/o0.csv", body=b"anew")
        await eventually(lambda: versions(tmp_path)["o0"] == 2, 30)
        await s3.delete(bucket, "in/o1.csv")
        await s3.put(bucket, "in/last.csv")
        await eventually(lambda: "last" in versions(tmp_path), 30)
    assert versions(tmp_path) == dict.fromkeys([*names, "last"], 1) | {"o0": 2}
    told = "".join([await asyncio.to_thread(answer, tmp_path, word) for word in ("audit", "doctor")])
    assert "buckets: 1 can be listed" in told
    assert s3.secret_key not in told + (tmp_path / "lives.log").read_text()
