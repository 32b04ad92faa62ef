"""`reactor schema install`, against a real PostgreSQL."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from tests.cli.conftest import Say
from tests.services.postgres import Postgres
from tests.services.process import free_ports


def project(root: Path, dsn: str | None) -> Path:
    """A project whose database is named by a file."""
    (root / "reactor.toml").write_text('[postgres]\ndsn_file = "dsn"\n' if dsn is not None else "")
    (root / "dsn").write_text(dsn or "")
    return root


def test_it_puts_the_triggers_into_the_database(tmp_path: Path, postgres: Postgres, say: Say) -> None:
    dsn = asyncio.run(postgres.new_database())
    assert say("schema", "install", "--json", root=project(tmp_path, dsn)).json == {"installed": True}

    async def noted() -> object:
        connection = await asyncpg.connect(dsn)
        await connection.execute("create table a (id int)")
        found = await connection.fetchval("select name from reactor.schema_log")
        await connection.close()
        return found

    assert asyncio.run(noted()) == "public.a"


@pytest.mark.parametrize(
    ("dsn", "code", "said"),
    [
        (None, 2, "the setting postgres.dsn is not set"),
        ("rubbish", 2, "is no address of a PostgreSQL database"),
        ("postgresql://nobody:s3cret@127.0.0.1:{port}/x", 69, "Nothing was set up. Look at the setting postgres.dsn"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(
    tmp_path: Path, say: Say, dsn: str | None, code: int, said: str
) -> None:
    where = dsn.format(port=free_ports(1)[0]) if dsn is not None else None
    found = say("schema", "install", root=project(tmp_path, where))
    assert (found.code, said in found.err, "s3cret" in found.err) == (code, True, False)


def test_without_the_right_it_says_what_to_do(tmp_path: Path, postgres: Postgres, say: Say) -> None:
    dsn = asyncio.run(postgres.new_database())
    name = dsn.rpartition("/")[2]
    asyncio.run(postgres.execute(f"create role {name} login"))
    found = say("schema", "install", root=project(tmp_path, dsn.replace("postgres@", f"{name}@")))
    assert found.code == 2
    assert "permission denied" in found.err
    assert "reactor schema install --print" in found.err


def test_the_sql_is_printed_for_somebody_else(tmp_path: Path, say: Say) -> None:
    assert (
        "CREATE EVENT TRIGGER reactor_changes" in say("schema", "install", "--print", root=project(tmp_path, None)).out
    )
