"""A copy of the ledger beside it, made before its schema changes: the way back to the Reactor that wrote it. The newest alone is kept."""

import contextlib
import logging
import os
import sqlite3
from pathlib import Path

from reactor.model.errors import ConfigError
from reactor.store.sqlite.db import Db
from reactor.store.sqlite.disk import sync_file, sync_folder

log = logging.getLogger(__name__)


def keep_copy(db: Db, path: Path, version: int) -> Path:
    """Copies what is durable in the ledger into `<database>.schema-<version>`, whole or not at all, for its owner alone.

    Raises:
        ConfigError: it cannot be written; nothing was changed.
    """
    place = path.with_name(f"{path.name}.schema-{version}")
    fresh = place.with_name(place.name + ".new")
    try:
        fresh.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        db.execute("VACUUM INTO ?", (str(fresh),))
        sync_file(fresh)
        fresh.replace(place)
        sync_folder(path)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise ConfigError(
            f"{path} has schema {version}, and before it is brought to a newer one it is copied to {place}; that failed: {error}. Nothing "
            f"was changed. Make room for {path.stat().st_size // 1_000_000 + 1:,} MB there or mend its permissions, then start again."
        ) from error
    for older in path.parent.glob(f"{path.name}.schema-*"):
        if older != place:
            older.unlink(missing_ok=True)
    log.warning("The ledger is brought from schema %d to a newer one. As it was, it is kept in %s.", version, place)
    return place
