"""The command line beside a running service: what is asked, and what is changed."""

import pytest

from tests.cli.conftest import Say, Served, closed, until


def publish(say: Say, served: Served, topic: str, *values: str) -> None:
    assert say("publish", topic, *values, root=served.root).code == 0


def ready(say: Say, served: Served, day: str) -> bool:
    return say("why", "revenue", day, root=served.root).code == 0


def make(say: Say, served: Served, day: str) -> None:
    publish(say, served, "orders", closed(day))
    publish(say, served, "refunds", closed(day))
    until(lambda: ready(say, served, day))


def test_why_says_what_is_missing_whose_it_is_and_what_happens_next(served: Served, say: Say) -> None:
    day = "2026-02-01"
    publish(say, served, "orders", closed(day))
    until(lambda: "arrived" in say("why", "revenue", day, root=served.root).out)
    said = say("why", "revenue", day, "--json", root=served.root)
    why = said.json
    assert said.code == 3
    assert why["state"] == "partial"
    arrived, missing = why["tree"]["parts"]
    assert (arrived["asset"], arrived["holds"], arrived["version"]) == ("orders", True, 1)
    assert (missing["asset"], missing["holds"], missing["late"], missing["owner"]) == (
        "refunds",
        False,
        True,
        "payments@example.com",
    )
    assert why["next"] == ["build waits for refunds, and starts by itself the moment it is there."]
    assert why["turn"] == ["payments@example.com: refunds"]
    assert "LATE" in say("why", "revenue", day, root=served.root).out


def test_why_names_the_clause_that_turned_an_event_away(served: Served, say: Say) -> None:
    day = "2026-02-02"
    publish(say, served, "orders", closed(day, rows=0))
    until(lambda: say("why", "build", day, "--json", root=served.root).json["tree"]["parts"][0]["rejected"])
    rejected = say("why", "build", day, "--json", root=served.root).json["tree"]["parts"][0]["rejected"]
    assert [r["outcome"] for r in rejected] == ["filtered"]
    assert "rows > 0" in rejected[0]["detail"]


def test_a_finished_day_is_ready_everywhere(served: Served, say: Say) -> None:
    day = "2026-02-03"
    make(say, served, day)
    run = say("runs", "--task", "build", "--key", day, "--json", root=served.root).json[0]
    page = say("runs", "show", run["id"], "--json", root=served.root).json
    assert page["run"]["state"] == "succeeded"
    assert [(i["asset"], i["version"]) for i in page["inputs"]] == [("orders", 1), ("refunds", 1)]
    assert [a["result"] for a in page["attempts"]] == ["succeeded"]
    assert f"building {day}" in say("runs", "logs", run["id"], root=served.root).out
    cells = say("status", "revenue", "--partitions", "99", "--json", root=served.root).json["assets"][0]["cells"]
    assert next(c["state"] for c in cells if c["partition"] == day) == "ready"
    events = say("events", "orders", "--limit", "999", "--json", root=served.root).json
    assert next(e["runs"] for e in events if e["partition"] == day) == [run["id"]]


def test_a_failed_run_blocks_what_is_made_of_it_and_can_be_run_again(served: Served, say: Say) -> None:
    day = "2026-02-04"
    publish(say, served, "orders", closed(day, rows=13))
    publish(say, served, "refunds", closed(day))
    until(lambda: say("why", "revenue", day, "--json", root=served.root).json["state"] == "failed")
    why = say("why", "revenue", day, "--json", root=served.root).json
    assert "thirteen is unlucky" in why["reason"]
    assert why["turn"] == [f"finance@example.com: build {day}"]
    assert say("why", "report", day, "--json", root=served.root).json["state"] == "blocked"
    assert any(day in a["text"] for a in say("alerts", "--json", root=served.root).json)
    run = why["runs"][0]["id"]
    assert say("runs", "again", run, root=served.root).code == 0
    until(lambda: len(say("runs", "show", run, "--json", root=served.root).json["attempts"]) == 2)


def test_what_has_ended_cannot_be_cancelled(served: Served, say: Say) -> None:
    day = "2026-02-05"
    make(say, served, day)
    run = say("runs", "--task", "build", "--key", day, "--json", root=served.root).json[0]["id"]
    said = say("runs", "cancel", run, "--reason", "mistake", root=served.root)
    assert said.code == 1
    assert said.err.startswith("reactor: ")


def test_a_dead_letter_is_listed_shown_retried_and_dropped(served: Served, say: Say) -> None:
    publish(say, served, "orders", '{"day": "nonsense"}')
    until(lambda: say("dead", "list", "--json", root=served.root).json)
    letter = say("dead", "list", "--json", root=served.root).json[0]
    id = str(letter["id"])
    assert "rows: Field required" in letter["reason"]
    assert "nonsense" in say("dead", "show", id, root=served.root).out or letter["lane"]
    retried = say("dead", "retry", id, root=served.root)
    assert (retried.code, "It failed again" in retried.err) == (1, True)
    assert say("dead", "drop", id, "--reason", "a test", root=served.root).code == 0
    assert say("dead", "list", "--json", root=served.root).json == []
    assert say("dead", "drop", "999", root=served.root).code == 4


def test_the_ledger_balances_and_the_sources_are_well(served: Served, say: Say) -> None:
    make(say, served, "2026-02-06")
    audit = say("audit", "--json", root=served.root)
    assert (audit.code, audit.json["balances"], audit.json["wrong"]) == (0, True, [])
    sensors = say("sensors", "--json", root=served.root).json
    assert {s["sensor"]: s["announces"] for s in sensors} == {
        "orders_closed": ["orders"],
        "refunds_closed": ["refunds"],
    }
    assert all(s["health"]["error"] is None for s in sensors)
    doctor = say("doctor", "--json", root=served.root)
    assert (doctor.code, [f["what"] for f in doctor.json if f["state"] == "wrong"]) == (0, [])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["why", "revenu"], 4, "Did you mean 'revenue'?"),
        (["why", "revenue", "yesterday"], 4, "'yesterday' is not a day"),
        (["runs", "show", "nope"], 4, "`reactor runs` lists them"),
        (["runs", "cancel", "nope"], 4, "`reactor runs` lists them"),
        (["publish", "orders", "not json"], 2, "is no JSON"),
        (["publish", "no/topic", "1"], 2, "no name of a topic"),
        (["runs", "--state", "resting"], 2, "resting"),
    ],
)
def test_mistakes_are_answered_on_stderr_with_their_code(
    served: Served, say: Say, words: list[str], code: int, said: str
) -> None:
    answer = say(*words, root=served.root)
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err
