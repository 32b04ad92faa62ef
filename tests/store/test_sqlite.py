"""The keeper in a SQLite file: the suite that every keeper passes."""

from __future__ import annotations

import pytest

from tests.store.conformance import Conformance, Keeper
from tests.store.conftest import SqliteKeeper


class TestSqlite(Conformance):
    @pytest.fixture
    def keeper(self, sqlite: SqliteKeeper) -> Keeper:
        return sqlite
