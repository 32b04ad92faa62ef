"""`reactor schema`: two files, what changed, and an exit code for scripts."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.conftest import Say


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "a.jsonl").write_text('{"id": 1, "amount": 1.5}\n')
    (tmp_path / "b.jsonl").write_text('{"id": 1, "amount": "x", "note": null}\n')
    (tmp_path / "c.csv").write_text("id,amount,note\n")
    (tmp_path / "id.avsc").write_text('{"type": "record", "name": "R", "fields": [{"name": "id", "type": "int"}]}')
    pq.write_table(pa.table({"id": pa.array([1])}), tmp_path / "id.parquet")
    return tmp_path


def test_a_breaking_change_ends_with_1(say: Say, files: Path) -> None:
    said = say("schema", "diff", str(files / "a.jsonl"), str(files / "b.jsonl"))
    assert (said.code, said.out.splitlines()) == (
        1,
        ["column amount: float64 -> string (breaking)", "column note: added, null? (additive)", "breaking"],
    )


def test_for_who_uses_another_column_it_ends_with_0(say: Say, files: Path) -> None:
    said = say("schema", "diff", str(files / "a.jsonl"), str(files / "b.jsonl"), "--columns", "id")
    assert (said.code, said.out) == (0, "identical\n")
    wrong = say("schema", "diff", str(files / "a.jsonl"), str(files / "b.jsonl"), "--columns", "idd")
    assert wrong.code == 2 and "Did you mean 'id'?" in wrong.err


def test_names_alone_are_compared_where_one_file_has_no_types(say: Say, files: Path) -> None:
    said = say("schema", "diff", str(files / "a.jsonl"), str(files / "c.csv"), "--json")
    assert said.code == 0
    assert json.loads(said.out) == {
        "class": "additive",
        "names_only": True,
        "changes": [
            {
                "column": "note",
                "what": "added",
                "class": "additive",
                "before": "",
                "after": "a column",
                "text": "column note: added, a column (additive)",
            }
        ],
    }


def test_a_file_against_the_schema_that_is_expected_of_it(say: Say, files: Path) -> None:
    said = say("schema", "diff", str(files / "id.avsc"), str(files / "id.parquet"))
    assert (said.code, said.out.splitlines()[-1]) == (1, "widening")


def test_what_a_file_holds(say: Say, files: Path) -> None:
    assert say("schema", "show", str(files / "a.jsonl"), "--json").json["columns"] == {
        "id": "int64",
        "amount": "float64",
    }
    assert "int64?" in say("schema", "show", str(files / "id.parquet")).out


def test_a_file_that_cannot_be_read_ends_with_65(say: Say, files: Path) -> None:
    said = say("schema", "diff", str(files / "a.jsonl"), str(files / "nowhere.csv"))
    assert said.code == 65 and "nowhere.csv cannot be read: No such file or directory." in said.err
