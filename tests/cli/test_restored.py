"""`reactor restored`, over a real ledger whose backup was put back."""

import asyncio
import shutil
from pathlib import Path

from reactor.store.sqlite import SqliteStore
from tests.cli.conftest import Say, write_project


def lived(path: Path) -> None:
    """An engine that came and went."""

    async def life() -> None:
        store = SqliteStore(path)
        await store.restore("test")
        await store.close()

    asyncio.run(life())


def test_a_ledger_that_went_back_is_said_refused_and_accepted(tmp_path: Path, say: Say) -> None:
    root = write_project(tmp_path)
    ledger = root / ".reactor" / "reactor.db"
    ledger.parent.mkdir()
    lived(ledger)
    shutil.copy(ledger, tmp_path / "monday.db")
    assert "holds all that it ever did" in say("restored", root=root).out
    lived(ledger)
    shutil.copy(tmp_path / "monday.db", ledger)
    refused = say("run", "--port", "0", root=root)
    assert refused.code == 1
    assert "went back in time: it holds 1 starts of the service where it once had 2" in refused.err
    assert "went back in time" in say("doctor", root=root).out
    looked = say("restored", "--json", root=root)
    assert (looked.code, looked.json["accepted"]) == (1, False)
    accepted = say("restored", "--reason", "the disk died", "--json", root=root)
    assert (accepted.code, accepted.json["accepted"]) == (0, True)
    assert say("restored", root=root).code == 0
    assert "went back" not in say("doctor", root=root).out
    lived(ledger)
