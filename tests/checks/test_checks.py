"""The library of checks: evidence in, a verdict out."""

from pathlib import Path

import pytest

from reactor import Check, DefinitionError
from reactor.checks import accepted_values, not_null, row_count, unique
from reactor.model.events import Json

CSV = "order_id,state,amount\nA1,open,10\nA2,paid,\nA1,lost,30\nA1,,40\nA3,open,50\nA1,open,60\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(CSV)
    return path


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "orders.jsonl"
    rows = ['{"order_id": 1, "state": "open"}', "", '{"order_id": 2, "state": null}', '{"order_id": 1, "paid": true}']
    path.write_text("\n".join([*rows, ""]))
    return path


def verdict(check: Check, path: Path | None = None, **facts: Json) -> object:
    return check.judge(facts if path is None else {"path": str(path), **facts})


@pytest.mark.parametrize(
    ("check", "rows", "expected"),
    [
        (row_count(at_least=1), 1, True),
        (row_count(at_least=1), 0, "0 rows, but at least 1 are expected"),
        (row_count(at_most=2), 2, True),
        (row_count(at_most=2), 3, "3 rows, but at most 2 are expected"),
        (row_count(at_least=2, at_most=2), 1, "1 row, but at least 2 are expected"),
    ],
)
def test_row_count_of_a_number(check: Check, rows: int, expected: object) -> None:
    assert verdict(check, rows=rows) == expected


def test_row_count_of_a_file_does_not_believe_the_number(table: Path, lines: Path) -> None:
    assert verdict(row_count(at_least=6, at_most=6), table, rows=1) is True
    assert verdict(row_count(at_least=4), lines) == "3 rows, but at least 4 are expected"


@pytest.mark.parametrize("facts", [{}, {"rows": "many"}, {"rows": True}, {"rows": 1.5}])
def test_row_count_without_rows_has_not_passed(facts: dict[str, Json]) -> None:
    assert "neither a path" in str(verdict(row_count(at_least=0), **facts))


def test_unique_shows_the_first_three_of_many(table: Path, lines: Path) -> None:
    assert verdict(unique("order_id"), table) == (
        f"3 of 6 rows in {table} (a row before has the same values): line 4: order_id='A1'; line 5: order_id='A1'; "
        "line 7: order_id='A1'"
    )
    assert verdict(unique("order_id", "amount"), table) is True
    assert "line 4: order_id=1" in str(verdict(unique("order_id"), lines))


def test_unique_does_not_mix_up_neighbouring_columns(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("a,b\nx y,z\nx,y z\n")
    assert verdict(unique("a", "b"), path) is True


def test_unique_leaves_missing_values_alone(tmp_path: Path) -> None:
    path = tmp_path / "gaps.csv"
    path.write_text("a,b\n,1\n,2\n")
    assert verdict(unique("a"), path) is True


def test_not_null_counts_empty_fields_and_missing_ones(table: Path, lines: Path) -> None:
    assert verdict(not_null("order_id"), table) is True
    assert verdict(not_null("state", "amount"), table) == (
        f"2 of 6 rows in {table} (a value is missing): line 3: state='paid', amount=none; line 5: state=none, "
        "amount='40'"
    )
    assert "2 of 3 rows" in str(verdict(not_null("state"), lines))


def test_accepted_values(table: Path, lines: Path) -> None:
    assert verdict(accepted_values("state", ["open", "paid", "lost"]), table) is True
    assert "line 4: state='lost'" in str(verdict(accepted_values("state", ["open", "paid"]), table))
    assert verdict(accepted_values("amount", [10, 30, 40, 50, 60]), table) is True
    assert verdict(accepted_values("order_id", [1, 2]), lines) is True
    assert "paid=True" in str(verdict(accepted_values("paid", [1]), lines))


def test_samples_are_three_at_most(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("a\n" + "x\n" * 10)
    text = str(verdict(unique("a"), path))
    assert text.count("line ") == 3
    assert text.endswith("and 6 more")


def test_a_misspelt_column_is_named(table: Path) -> None:
    assert verdict(unique("order_ids"), table) == (
        f"{table} has no column 'order_ids'. Did you mean 'order_id'? It has: order_id, state, amount"
    )


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"", "not even a header"),
        ("a.csv", b"a,b\n1\n", "line 2 of"),
        ("a.csv", b'a\n"open\n', "is no CSV"),
        ("a.csv", b"a\n\xff\xfe\n", "is not UTF-8 text"),
        ("a.jsonl", b'{"a": 1}\n[1]\n', "line 2 of"),
        ("a.jsonl", b"{", "is no JSON object"),
        ("a.parquet", b"PAR1", "it ends with .parquet, and .csv, .jsonl, .ndjson are known"),
    ],
)
def test_a_file_that_cannot_be_read_has_not_passed(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert expected in str(verdict(not_null("a"), path))


def test_a_file_that_is_gone_has_not_passed(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in str(verdict(row_count(at_least=0), tmp_path / "gone.csv"))
    assert "no path to a file" in str(verdict(unique("a"), rows=3))


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    path.write_text("\ufeffa,b\r\n1,2\r\n")
    assert verdict(not_null("a", "b"), path) is True


def test_names_say_what_is_asked() -> None:
    assert [c.name for c in (row_count(at_least=1), unique("a", "b"), not_null("a"), accepted_values("s", ["x"]))] == [
        "row_count(at_least=1)",
        "unique(a, b)",
        "not_null(a)",
        "accepted_values(s)",
    ]


def test_checks_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(DefinitionError, match="nothing to compare with"):
        row_count()
    with pytest.raises(DefinitionError, match="can never pass"):
        row_count(at_least=2, at_most=1)
    with pytest.raises(DefinitionError, match="names no column"):
        unique()
    with pytest.raises(DefinitionError, match="as a list"):
        accepted_values("state", "open")
