"""The library of checks: what a task's output must look like before anybody is told of it.

May know: the model, and files of rows. May not know: who runs a check, or when.

They judge the evidence of an output. Where it has a `path`, the file is read, row by row: CSV with a header
(`.csv`), or one JSON object a line (`.jsonl`, `.ndjson`). `row_count` takes the number in `rows` where there
is no path. A relative path begins where the engine was started.
"""

import csv
import hashlib
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from reactor.model.check import Check, Verdict
from reactor.model.errors import DefinitionError, nearest
from reactor.model.events import Json

Row = tuple[int, Mapping[str, Json]]
"""A row with the number of the line that it ends on."""

_SAMPLES = 3
_SHOWN = 80
_row_decoder = msgspec.json.Decoder(dict[str, Json])


class _Unreadable(Exception):
    """The text says why no row can be judged."""


def row_count(*, at_least: int | None = None, at_most: int | None = None) -> Check:
    """The number of rows lies between the two, both included."""
    if at_least is None and at_most is None:
        raise DefinitionError("row_count() has nothing to compare with. Say at_least=..., at_most=... or both.")
    if at_least is not None and at_most is not None and at_least > at_most:
        raise DefinitionError(f"row_count(at_least={at_least}, at_most={at_most}) can never pass.")

    def judge(evidence: Mapping[str, Json]) -> Verdict:
        count = _count(evidence)
        if at_least is not None and count < at_least:
            return f"{_rows(count)}, but at least {at_least} are expected"
        if at_most is not None and count > at_most:
            return f"{_rows(count)}, but at most {at_most} are expected"
        return True

    bounds = {"at_least": at_least, "at_most": at_most}
    return _check(f"row_count({', '.join(f'{k}={v}' for k, v in bounds.items() if v is not None)})", judge)


def unique(*columns: str) -> Check:
    """No two rows have the same values in these columns. Rows without a value in one of them are left to `not_null`."""
    _some("unique", columns)

    def judge(evidence: Mapping[str, Json]) -> Verdict:
        seen: set[bytes] = set()

        def doubled(row: Mapping[str, Json]) -> bool:
            values = [row.get(c) for c in columns]
            if any(_is_null(v) for v in values):
                return False
            digest = hashlib.blake2b(msgspec.json.encode(values), digest_size=16).digest()
            if digest in seen:
                return True
            seen.add(digest)
            return False

        return _offenders(evidence, columns, doubled, "a row before has the same values")

    return _check(f"unique({', '.join(columns)})", judge)


def not_null(*columns: str) -> Check:
    """Every row has a value in each of these columns. In CSV, an empty field is none."""
    _some("not_null", columns)

    def judge(evidence: Mapping[str, Json]) -> Verdict:
        return _offenders(
            evidence, columns, lambda row: any(_is_null(row.get(c)) for c in columns), "a value is missing"
        )

    return _check(f"not_null({', '.join(columns)})", judge)


def accepted_values(column: str, values: Collection[Json]) -> Check:
    """Each value in this column is one of these. In CSV they are compared as text. Rows without a value are left to
    `not_null`.
    """
    if isinstance(values, str) or not values:
        raise DefinitionError(
            f"accepted_values({column!r}, {values!r}): give the values as a list that is not empty, such as "
            "['open', 'paid']."
        )
    exact, spelled = list(values), {str(value) for value in values}

    def judge(evidence: Mapping[str, Json]) -> Verdict:
        is_csv = str(evidence.get("path", "")).endswith(".csv")

        def strange(row: Mapping[str, Json]) -> bool:
            value = row.get(column)
            return not _is_null(value) and (value not in spelled if is_csv else not _among(value, exact))

        accepted = ", ".join(map(repr, itertools.islice(exact, 10))) + (", ..." if len(exact) > 10 else "")
        return _offenders(evidence, (column,), strange, f"accepted are {accepted}")

    return _check(f"accepted_values({column})", judge)


def _check(name: str, judge: Callable[[Mapping[str, Json]], Verdict]) -> Check:
    def guarded(evidence: Mapping[str, Json]) -> Verdict:
        try:
            return judge(evidence)
        except _Unreadable as error:
            return str(error)

    return Check(name, guarded)


def _some(name: str, columns: tuple[str, ...]) -> None:
    if not columns:
        raise DefinitionError(f"{name}() names no column. Say which: {name}('order_id').")


def _count(evidence: Mapping[str, Json]) -> int:
    if evidence.get("path") is not None:
        return sum(1 for _ in _read(evidence))
    rows = evidence.get("rows")
    if isinstance(rows, bool) or not isinstance(rows, int):
        raise _Unreadable(
            f"the evidence has neither a path to a file of rows nor a whole number in 'rows' (it has: "
            f"{_keys(evidence)}). Return one of them"
        )
    return rows


def _offenders(
    evidence: Mapping[str, Json], columns: tuple[str, ...], wrong: Callable[[Mapping[str, Json]], bool], why: str
) -> Verdict:
    """Why it has not passed: how many rows are wrong, and the first of them."""
    count, total, samples, known = 0, 0, list[str](), dict[str, None]()
    for line, row in _read(evidence):
        total += 1
        known.update(dict.fromkeys(row))
        if wrong(row):
            count += 1
            if len(samples) < _SAMPLES:
                samples.append(f"line {line}: {', '.join(f'{c}={_show(row.get(c))}' for c in columns)}")
    for column in columns if total else ():
        if column not in known:
            raise _Unreadable(
                f"{evidence['path']} has no column {column!r}.{nearest(column, known)} It has: {', '.join(known)}"
            )
    if not count:
        return True
    more = f" and {count - len(samples)} more" if count > len(samples) else ""
    return f"{count} of {_rows(total)} in {evidence['path']} ({why}): {'; '.join(samples)}{more}"


def _read(evidence: Mapping[str, Json]) -> Iterator[Row]:
    path = evidence.get("path")
    if not isinstance(path, str):
        raise _Unreadable(
            f"the evidence has no path to a file of rows (it has: {_keys(evidence)}). Return it as 'path'"
        )
    readers = {".csv": _csv, ".jsonl": _json, ".ndjson": _json}
    suffix = Path(path).suffix.lower()
    if suffix not in readers:
        raise _Unreadable(
            f"{path} cannot be read row by row: it ends with {suffix or 'no suffix'}, "
            f"and {', '.join(readers)} are known"
        )
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            yield from readers[suffix](path, file)
    except OSError as error:
        raise _Unreadable(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _Unreadable(f"{path} is not UTF-8 text: {error.reason}") from error
    except csv.Error as error:
        raise _Unreadable(f"{path} is no CSV: {error}") from error


def _csv(path: str, file: Iterable[str]) -> Iterator[Row]:
    reader = csv.reader(file, strict=True)
    header = next(reader, None)
    if header is None:
        raise _Unreadable(f"{path} is empty: it has not even a header")
    for fields in reader:
        if not fields:
            continue
        if len(fields) != len(header):
            raise _Unreadable(f"line {reader.line_num} of {path} has {len(fields)} fields, its header {len(header)}")
        yield reader.line_num, dict(zip(header, fields, strict=True))


def _json(path: str, file: Iterable[str]) -> Iterator[Row]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            yield number, _row_decoder.decode(line)
        except msgspec.DecodeError as error:
            raise _Unreadable(f"line {number} of {path} is no JSON object: {error}") from error


def _is_null(value: Json) -> bool:
    return value is None or value == ""


def _among(value: Json, accepted: list[Json]) -> bool:
    """As JSON has it: true is not 1."""
    return any(value == a and isinstance(value, bool) == isinstance(a, bool) for a in accepted)


def _show(value: Json) -> str:
    text = "none" if _is_null(value) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _keys(evidence: Mapping[str, Json]) -> str:
    return ", ".join(map(str, evidence)) or "nothing"
