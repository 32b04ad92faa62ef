"""The high-water mark: how far the ledger had come, in a small file beside it. A ledger that holds less went back in time.

A backup that was put back, a write-ahead log that is missing or cut short: SQLite calls what is left whole, and it is whole, but older. Going on
in silence would do again what was done since. The mark is written when an engine starts and stops and every so often between, never by
a commit, and only from what is durable: so it may lag, and never leads.
"""

import logging
import os
from pathlib import Path

import msgspec

from reactor.model.errors import ConfigError, StoreOlder
from reactor.model.ids import Instant
from reactor.model.partitions import moment
from reactor.store.base import Audit
from reactor.store.sqlite.db import Db, transact
from reactor.store.sqlite.disk import sync_folder
from reactor.store.sqlite.write import AUDIT

log = logging.getLogger(__name__)

NUMBERS = """
SELECT epoch, max(next_seq - 1, (SELECT coalesce(max(seq), 0) FROM readiness)),
       max(next_order - 1, (SELECT coalesce(max(ord), 0) FROM run)), (SELECT coalesce(sum(position), 0) FROM lane),
       (SELECT coalesce(sum(next), 0) FROM topic), (SELECT coalesce(max(id), 0) FROM audit)
FROM engine"""


class Numbers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a ledger has come. Each of them only grows."""

    starts: int
    readiness: int
    runs: int
    positions: int
    records: int
    audits: int


WORDS = {
    "starts": "starts of the service",
    "readiness": "readiness events",
    "runs": "runs",
    "positions": "positions of its sources",
    "records": "records of embedded topics",
    "audits": "lines of the audit log",
}


class Mark:
    """The file beside one database."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".mark")
        self._database = database

    def check(self, db: Db) -> None:
        """Raises StoreOlder where the ledger holds less than it once did, or where the mark cannot be read."""
        behind = self.behind(db)
        if behind:
            raise StoreOlder(
                f"{self._database} went back in time: {behind}. A backup was put in its place, or its -wal file is missing or damaged. Its "
                "sources would be read again from where they stood then, so what was done since would be done again, and what cannot "
                "be sent again (an HTTP event that was answered) is lost. If there is a newer copy, put that in its place. To go on "
                "with this one, say why: `reactor restored --reason ...`."
            )

    def behind(self, db: Db) -> str:
        """What it once held more of, in words; empty where it holds all of it, or where there is no mark yet."""
        try:
            held, when = self.path.read_bytes(), self.path.stat().st_mtime_ns // 1000
        except FileNotFoundError:
            return ""
        try:
            then = msgspec.json.decode(held, type=Numbers)
        except msgspec.MsgspecError as error:
            return f"how far it had come cannot be read from {self.path} ({error})"
        now = numbers(db)
        lost = [
            f"{getattr(now, name):,} {what} where it once had {getattr(then, name):,}"
            for name, what in WORDS.items()
            if getattr(now, name) < getattr(then, name)
        ]
        since = moment(Instant(when)).isoformat(timespec="seconds")
        return f"it holds {', '.join(lost)} (on {since})" if lost else ""

    def write(self, db: Db) -> None:
        """Whole or not at all, and durable. What fails here hurts no promise: an older mark notices less, and nothing wrong."""
        body = msgspec.json.encode(numbers(db))
        try:
            _replace(self.path, body)
        except OSError as error:
            log.warning("How far the ledger has come could not be noted in %s: %s", self.path, error)

    def accept(self, db: Db, audit: Audit) -> str:
        """The ledger is taken as it is: from now on this is how far it has come. Returns what it once held more of; empty: nothing was done."""
        behind = self.behind(db)
        if not behind:
            return ""
        row = (audit.at, audit.actor, audit.action, audit.object, f"{audit.detail} ({behind})")
        transact(db, lambda: db.execute(AUDIT, row))
        try:
            _replace(self.path, msgspec.json.encode(numbers(db)))
        except OSError as error:
            raise ConfigError(
                f"{self.path} cannot be written: {error}. Make room or mend its permissions, then say it again."
            ) from error
        return behind


def numbers(db: Db) -> Numbers:
    """How far the ledger has come by what is durable."""
    return Numbers(*db.execute(NUMBERS).fetchone())


def _replace(path: Path, body: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, body)
        os.fsync(handle)
    finally:
        os.close(handle)
    fresh.replace(path)
    sync_folder(path)
