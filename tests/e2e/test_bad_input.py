"""What comes in and is wrong: each dies alone, with a reason that says what to do, and what is good before and after it has its effect.

The input stands beside the very words that its receiver gets: in the dead letter, in the answer over HTTP, or from the command line.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from hashlib import sha256

import pytest

from tests.e2e.books import Books, cloud_event, definitions, fact
from tests.e2e.project import Project, until
from tests.e2e.topic import Topic
from tests.services.kafka import Kafka

TEN_MEGABYTES = json.dumps({"day": "2026-01-01", "rows": 1, "more": "x" * 10_000_000}).encode()


@pytest.fixture(scope="module")
def topics(kafka: Kafka) -> dict[str, Topic]:
    """One for each kind of sensor; both take records of twelve megabytes."""
    return {kind: asyncio.run(Topic.new(kafka, max_message_bytes="12000000")) for kind in ("typed", "plain")}


@pytest.fixture(scope="module")
def books(topics: dict[str, Topic], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """One service for all of them: each uses days of its own."""
    project = Project(tmp_path_factory.mktemp("books"), topics["typed"].settings)
    definitions(project, topics["typed"].name, topics["plain"].name)
    try:
        with project.serving("run") as service:
            books = Books(project, service)
            yield books
            assert project.balances()
    finally:
        project.end()


TYPED = {
    "broken JSON": (
        b'{"day": "2026-01-01", "rows":',
        "the payload is no Closed: payload: Invalid JSON: EOF while parsing a value at line 1 column 29",
    ),
    "binary": (b"\xff\xfe\x00", "the payload is no Closed: payload: Invalid JSON: expected value at line 1 column 1"),
    "wrong types": (
        b'{"day": 20260101, "rows": "many"}',
        (
            "the payload is no Closed: day: Input should be a valid string; rows: Input should be a valid integer, unable to parse string as an "
            "integer"
        ),
    ),
    "a field that is missing": (b'{"day": "2026-01-01"}', "the payload is no Closed: rows: Field required"),
    "no object": (b"[1, 2]", "the payload is no Closed: payload: Input should be an object"),
    "nothing": (b"", "the payload is no Closed: payload: Input should be an object"),
    "nested without end": (
        b"[" * 100_000,
        "the payload is no Closed: payload: Invalid JSON: recursion limit exceeded at line 1 column 202",
    ),
    "a number that is none": (
        b'{"day": "2026-01-01", "rows": NaN}',
        "the payload is no Closed: rows: Input should be a finite number",
    ),
}
PLAIN = {
    "broken JSON": (
        b'{"day": "2026-01-01", "rows":',
        (
            "DecodeError: the record's body is no JSON (Input data was truncated). Let its producer write JSON, or read `record.text` or "
            "`record.body`"
        ),
    ),
    "binary": (
        b"\xff\xfe\x00",
        (
            "DecodeError: the record's body is no JSON (JSON is malformed: invalid character (byte 0)). Let its producer write JSON, or read "
            "`record.text` or `record.body`"
        ),
    ),
    "a field that is missing": (b'{"day": "2026-01-01"}', "KeyError: 'rows'"),
    "a day that is none": (
        b'{"day": "2026-02-30", "rows": 1}',
        "ValueError: closed has no such partition: '2026-02-30' is not a day such as '2026-01-01'.",
    ),
    "a day before the first": (
        b'{"day": "2025-12-31", "rows": 1}',
        "ValueError: closed has no such partition: '2025-12-31' is before the first partition, '2026-01-01'.",
    ),
    "a region that nobody knows": (
        b'{"region": "nort"}',
        "ValueError: stock has no such partition: 'nort' is none of the 2 keys (north, south). Did you mean 'north'?",
    ),
    "evidence that is data": (
        json.dumps({"day": "2026-01-01", "rows": [1] * 20_000}).encode(),
        (
            "ValueError: The evidence for closed cannot be kept: it has 40010 bytes; 16384 are allowed. Put the data where it belongs and name "
            "the place."
        ),
    ),
}


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [pytest.param("typed", *case, id=f"typed: {name}") for name, case in TYPED.items()]
    + [pytest.param("plain", *case, id=f"plain: {name}") for name, case in PLAIN.items()],
)
def test_a_bad_record(books: Books, topics: dict[str, Topic], kind: str, body: bytes, reason: str) -> None:
    with books.between(lambda day: books.publish(topics[kind].name, day)):
        asyncio.run(topics[kind].send([body]))
    assert books.reasons() == [reason]


def test_a_record_of_ten_megabytes(books: Books, topics: dict[str, Topic]) -> None:
    topic = topics["typed"]
    with books.between(lambda day: books.publish(topic.name, day)):
        asyncio.run(topic.send([TEN_MEGABYTES]))
    letter = books.letters()[0]
    assert letter["reason"] == (
        f"The record has {len(TEN_MEGABYTES)} bytes and 5000000 are allowed, so its body was left out (sha256 of the value: "
        f"{sha256(TEN_MEGABYTES).hexdigest()}). It is still in Kafka at {topic.name}/0, offset {letter['position']}. Raise "
        "kafka.max_record_bytes to read it, or let the producer put the data elsewhere and send its place."
    )


def test_a_dead_letter_holds_what_came_and_where_the_sensor_failed(books: Books, topics: dict[str, Topic]) -> None:
    topic = topics["plain"]
    with books.between(lambda day: books.publish(topic.name, day)):
        asyncio.run(topic.send([b'{"day": "2026-01-01"}']))
    letter = books.letters()[0]
    assert (letter["sensor"], letter["source"], letter["lane"]) == ("on_record", topic.source, f"{topic.name}/0")
    page = books.project.read("dead", "show", str(letter["id"]))
    assert 'closed.ready(fact["day"], rows=fact["rows"])' in page["detail"]
    assert json.loads(page["body"])["offset"] == letter["position"]
    assert books.service.logged(f"events of {topic.source} went to the dead letters: "), (
        "whoever only reads the log hears of it"
    )


def outside(books: Books) -> None:
    (books.project.root / "landing" / "closed-2026-03-01.csv").symlink_to("/etc/passwd")


def binary_inside(books: Books) -> None:
    part = books.project.root / ".part"
    part.write_bytes(b"\xff\xfe\x00\x01")
    part.rename(books.project.root / "landing" / "closed-2026-03-02.csv")


def gone(books: Books) -> None:
    """While the folder is watched: a file that comes and goes between two scans alone is nobody's to see."""
    until(lambda: "without notices" not in books.service.health("files:landing/closed-{day}.csv")["detail"])
    books.project.land("closed-2026-03-03.csv").unlink()


FILES: dict[str, tuple[Callable[[Books], object], str]] = {
    "a name of bytes that are no text": (
        lambda books: books.project.land(b"closed-\xff\xfe.csv"),
        (
            "refused: the file's name is not UTF-8 (closed-\\xff\\xfe.csv), so no text can stand for it. Rename the file; it is then read as a "
            "new one."
        ),
    ),
    "a name that paints the terminal": (
        lambda books: books.project.land("closed-2026-01-01\x1b[31m.csv"),
        "ValueError: closed has no such partition: '2026-01-01\\x1b[31m' is not a day such as '2026-01-01'.",
    ),
    "a name of two lines": (
        lambda books: books.project.land("closed-2026\n01.csv"),
        "ValueError: closed has no such partition: '2026\\n01' is not a day such as '2026-01-01'.",
    ),
    "content that is no text": (
        binary_inside,
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    ),
    "gone before it is read": (
        gone,
        "missing: closed-2026-03-03.csv was not read: it was gone before it could be read. If it matters, put the file itself there again.",
    ),
    "a link that leads out": (
        outside,
        (
            "refused: closed-2026-03-01.csv was not read: it is a symbolic link that leads out of the watched folder. If it matters, put the "
            "file itself there again."
        ),
    ),
}


@pytest.mark.parametrize(("land", "reason"), FILES.values(), ids=FILES.keys())
def test_a_bad_file(books: Books, land: Callable[[Books], object], reason: str) -> None:
    with books.between(books.land):
        land(books)
    assert books.reasons() == [reason]


POSTED = {
    "wrong types": (
        b'{"day": 5}',
        "the payload is no Closed: day: Input should be a valid string; rows: Field required",
    ),
    "a day that is none": (
        fact("2026-13-09").encode(),
        "ValueError: closed has no such partition: '2026-13-09' is not a day such as '2026-01-01'.",
    ),
}


@pytest.mark.parametrize(("body", "reason"), POSTED.values(), ids=POSTED.keys())
def test_an_event_that_no_sensor_can_use(books: Books, body: bytes, reason: str) -> None:
    """It was accepted, so it is kept: 202, and a dead letter."""
    with books.between(books.post):
        assert books.service.post("/events", body, cloud_event(reason)).status == 202
    assert books.reasons() == [reason]


EVENT = cloud_event("bad")
REFUSED = {
    "broken JSON": (
        "/events", b'{"day":', EVENT, 400,
        "The data is said to be application/json, but it is no JSON: Input data was truncated.",
    ),
    "binary": (
        "/events", b"\xff", EVENT, 400,
        "The data is said to be application/json, but it is no JSON: JSON is malformed: invalid character (byte 0).",
    ),
    "an unknown type": (
        "/events", b"{}", EVENT | {"ce-type": "day.close"}, 404,
        "No sensor takes events of the type 'day.close'. Did you mean 'day.closed'? Known: day.closed.",
    ),
    "no CloudEvent": (
        "/events", b"{}", {}, 415,
        ("The request is no CloudEvent: its content type is not given and it has no ce- headers. Send application/cloudevents+json, "
        "application/cloudevents-batch+json, or the headers ce-id, ce-source, ce-type and ce-specversion beside the data."),
    ),
    "ten megabytes": (
        "/events", TEN_MEGABYTES, EVENT, 413,
        (f"The body has {len(TEN_MEGABYTES)} bytes; 8388608 are allowed here. Nothing of it was taken. Send it in parts, or put the data "
        "where it belongs and send its place."),
    ),
    "a stranger": (
        "/events", b"{}", EVENT | {"authorization": "Bearer none"}, 401,
        "Give the token of .reactor/service.json as `Authorization: Bearer ...`.",
    ),
    "a record that says nothing": (
        "/topics/any", b'[{"value": 1}, {}]', {}, 400,
        "No record was published: record 1 says nothing. Give it a `value` or a `text`; a `key` alone deletes what is under it.",
    ),
    "a record with two bodies": (
        "/topics/any", b'{"value": 1, "text": "1"}', {}, 400,
        ("No record was published: record 0 has a value and a text, but one record has one body. Give `value` for JSON, or `text` for a body "
        "as it stands."),
    ),
    "a topic that cannot be": (
        "/topics/a%20b", b'{"value": 1}', {}, 400, "'a b' is no name of a topic: 1 to 249 letters, digits, '.', '_' and '-'.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("path", "body", "headers", "status", "error"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused_at_the_door(
    books: Books, path: str, body: bytes, headers: dict[str, str], status: int, error: str
) -> None:
    with books.between(books.post):
        answer = books.service.post(path, body, headers)
    assert (answer.status, answer.error) == (status, error)


TYPED_WRONG = {
    "broken JSON": (
        ["publish", "any"], "{broken\n", 2,
        ("reactor: '{broken' is no JSON (JSON is malformed: object keys must be strings (byte 1)), so nothing was published. Text is written "
        "in quotes: '\"text\"'."),
    ),
    "ten megabytes": (
        ["publish", "any"], TEN_MEGABYTES.decode(), 1,
        (f"reactor: The body has {len(TEN_MEGABYTES) + 41} bytes; 8388608 are allowed here. Nothing of it was taken. Send it in parts, or put "
        "the data where it belongs and send its place."),
    ),
    "no such day": (
        ["why", "built", "2026-02-30"], "", 4,
        "reactor: built has no such partition: '2026-02-30' is not a day such as '2026-01-01'.",
    ),
    "no such asset": (
        ["why", "bilt"], "", 4,
        "reactor: There is no asset and no task called 'bilt'. Did you mean 'built'? `reactor graph` lists them.",
    ),
    "no such letter": (
        ["dead", "retry", "99999"], "", 4, "reactor: There is no dead letter 99999. `reactor dead list` lists them.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("words", "stdin", "code", "error"), TYPED_WRONG.values(), ids=TYPED_WRONG.keys())
def test_what_the_command_line_refuses(books: Books, words: list[str], stdin: str, code: int, error: str) -> None:
    with books.between(books.post):
        said = books.project.say(*words, stdin=stdin)
    assert (said.code, said.out, said.err.strip()) == (code, "", error)
