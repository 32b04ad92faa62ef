"""Layer C: power cuts and failing disks under the store's own SQL. Every operation of the standard workload is cut, the making of the file included.

And the harness itself is tested: with a defect planted, it must find the loss. `REACTOR_STORE_POWER=1` cuts at every operation on every disk and for
every defect; a larger number takes each so-many-th.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from itertools import count

import apsw
import pytest

from reactor.model.errors import ReactorError
from tests.store.power.disk import Disk, Fails, Op, Replay, Survivors, cuts
from tests.store.power.workload import Instead, Patient, check, play

STRIDE = int(os.environ.get("REACTOR_STORE_POWER", "5"))
SURVIVORS: tuple[Survivors, ...] = ("nothing", "everything", "some")
NAMES = (f"disk {n}" for n in count())

EXTRA, FULL, WAL = "PRAGMA synchronous = EXTRA", "PRAGMA synchronous = FULL", "PRAGMA journal_mode = WAL"
NO_EXTRA: Instead = {EXTRA: [FULL], "sync folder": []}
EXTRA_TOO_LATE: Instead = {EXTRA: [FULL], WAL: [WAL, EXTRA], "sync folder": []}
DEFECTS: dict[str, Instead] = {
    "synchronous=OFF": {EXTRA: ["PRAGMA synchronous = OFF"], FULL: ["PRAGMA synchronous = OFF"]},
    "synchronous=NORMAL": {FULL: ["PRAGMA synchronous = NORMAL"]},
    "EXTRA never, folder not synced": NO_EXTRA,
    "EXTRA after the switch to WAL, folder not synced": EXTRA_TOO_LATE,
    "the journal only in memory": {WAL: ["PRAGMA journal_mode = MEMORY", "SELECT 'wal'"]},
}


def record(instead: Instead) -> list[Op]:
    disk = Disk(name=next(NAMES))
    play(disk, instead)
    disk.unregister()
    return disk.log


def verdict(files: dict[str, bytearray], acknowledged: int) -> str | None:
    disk = Disk(files, next(NAMES))
    wrong = check(disk, acknowledged)
    disk.unregister()
    return wrong


def cut(log: list[Op], *, orderly: bool, stride: int) -> Iterator[tuple[int, str | None]]:
    """Each cut with what is wrong after it."""
    for number, replay in cuts(log, orderly=orderly):
        if number % stride == 0:
            for survivors in SURVIVORS:
                yield number, verdict(replay.files(survivors, random.Random(number)), replay.acknowledged)


@pytest.mark.slow
@pytest.mark.parametrize(("orderly", "stride"), [(False, 1), (True, STRIDE)], ids=["forgetful disk", "orderly disk"])
@pytest.mark.timeout(900)
def test_a_power_cut_loses_nothing_that_was_acknowledged(orderly: bool, stride: int) -> None:
    found = list(cut(record({}), orderly=orderly, stride=stride))
    assert [(at, wrong) for at, wrong in found if wrong] == []
    print(f"\n{len(found)} power cuts: 0 lost, 0 torn, 0 that cannot be opened")


@pytest.mark.slow
def test_the_harness_finds_planted_defects() -> None:
    """Without losses here, the absence of losses above would mean nothing."""
    table = []
    for name, instead in DEFECTS.items():
        wrong = Counter((w or "fine").split(":")[0] for _, w in cut(record(instead), orderly=False, stride=STRIDE))
        table.append((name, wrong.total(), wrong.total() - wrong["fine"], dict(wrong)))
    print("\ndefect" + " " * 46 + "cuts   with loss")
    for name, cuts_made, bad, how in table:
        print(f"{name:50} {cuts_made:6} {bad:11}  {how}")
    assert [name for name, _, bad, _ in table if not bad] == []


def test_an_acknowledgement_before_the_sync_is_found() -> None:
    early: list[Op] = []
    for op in record({}):
        last_sync = max((n for n, before in enumerate(early) if before.what == "sync"), default=0)
        early.insert(last_sync if op.what == "acknowledge" else len(early), op)
    found = (wrong for _, wrong in cut(early, orderly=True, stride=1))
    assert any(wrong is not None and wrong.startswith("lost") for wrong in found)


@pytest.mark.slow
@pytest.mark.parametrize("error", [apsw.FullError, apsw.IOError], ids=["full", "I/O error"])
@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
def test_a_disk_that_fails_at_any_operation_loses_nothing(error: type[apsw.Error], for_ever: bool) -> None:
    """After the fault the engine waits (full) or stops (I/O error); what it acknowledged is there for the next one, after a power cut too."""
    wrong: list[tuple[int, str]] = []
    stopped = tried = 0
    for at in range(0, len(record({})), STRIDE):
        disk = Disk(name=next(NAMES))
        disk.fails = Fails(at, error, for_ever)
        tried += 1
        try:
            play(disk, {}, Patient)
        except (apsw.Error, ReactorError):
            stopped += 1
        disk.fails = None
        disk.unregister()
        replay = Replay(orderly=False)
        for op in disk.log:
            replay.play(op)
        for files in (replay.files("nothing", random.Random(at)), disk.files):
            problem = verdict(files, replay.acknowledged)
            if problem:
                wrong.append((at, problem))
    assert wrong == []
    assert stopped or error is apsw.FullError
    print(f"\n{tried} faults, {stopped} of them stopped the engine: 0 lost")
