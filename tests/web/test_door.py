"""The door: who may come in, what is taken, and that 202 means durable."""

import json
import logging
import re
import stat
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from starlette.routing import Route

from reactor.model.errors import ConfigError, ReactorError, Unreachable
from reactor.project.config import load_settings
from reactor.project.load import Definitions
from reactor.sources.cloudevents import REQUEST_LIMIT
from reactor.sources.http import Busy
from reactor.store.base import RunFilter
from reactor.web.auth import Guard
from reactor.web.runner import make_service
from tests.services.wait import eventually
from tests.web.conftest import Door, graph

OPEN = {"/livez", "/readyz", "/metrics"}
BATCH = {"content-type": "application/cloudevents-batch+json"}


def routes(door: Door) -> list[Route]:
    web = door.runner._web
    assert web is not None
    found = web._server.config.app.routes  # type: ignore[union-attr]
    assert all(isinstance(r, Route) for r in found), "no mount, no WebSocket: nothing that this test cannot see"
    return list(found)


async def test_every_route_but_the_named_three_and_the_signed_one_asks_for_the_token(door: Door) -> None:
    answers = {}
    for route in routes(door):
        path = re.sub(r"{[^}]*}", "1", route.path)
        (method,) = set(route.methods or ()) - {"HEAD"}
        answers[route.path] = (await door.stranger.request(method, path)).status_code
    assert answers.pop("/hooks/{rest:path}") == 404, "there the signature is what opens (test_hooks)"
    assert {p for p, status in answers.items() if status != 401} == OPEN
    assert {answers[p] for p in OPEN} == {200}
    assert len(answers) >= 11


async def test_only_the_whole_token_opens(door: Door) -> None:
    for given in ("", "Bearer", "Bearer wrong", "Basic {t}", "{t}", "Bearer {t}x", "Bearer \xe9"):
        header = given.format(t=door.runner.token).encode("latin-1")
        answer = await door.stranger.get("/api/about", headers=[(b"authorization", header)])
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), given
        assert door.runner.token not in answer.text


HOSTS = {
    "localhost": 200, "LocalHost:80": 200, "127.0.0.1:1": 200, "[::1]": 200, "[::1]:8420": 200,
    "evil.example": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example:80": 421, "": 421,
    "10.0.0.1": 421, "[::2]:80": 421, "localhost:80:90": 421, "[::1": 421,
}  # fmt: skip


async def test_a_name_that_is_not_ours_is_not_answered(door: Door) -> None:
    for host, status in HOSTS.items():
        for path in ("/readyz", "/api/about"):
            assert (await door.client.get(path, headers={"host": host})).status_code == status, host


async def test_a_page_of_another_site_is_turned_away(door: Door) -> None:
    for origin in ("https://evil.example", "null", "http://localhost:1", "http://[", "http://127.0.0.1"):
        assert (await door.client.get("/api/about", headers={"origin": origin})).status_code == 403, origin


async def test_our_own_page_may_ask(door: Door) -> None:
    assert (await door.client.get("/api/about", headers={"origin": door.runner.url})).status_code == 200


async def test_every_answer_tells_browsers_to_keep_and_guess_nothing(door: Door) -> None:
    for path in ("/livez", "/api/about", "/nowhere", "/events"):
        headers = (await door.stranger.get(path)).headers
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_an_event_is_answered_when_it_is_durable_and_has_its_effect_once(door: Door) -> None:
    first, second = await door.post("o1", "e1"), await door.post("o1", "e1")
    assert (first.status_code, first.json()) == (202, {"id": "e1", "accepted": True})
    assert second.status_code == 202
    reader = await door.runner.assembly.reader()
    assert [(e.readiness.asset, e.readiness.partition) for e in await reader.events(None, 9)] == [("paid", "o1")]
    assert list(await reader.balance()) == []


async def test_structured_and_batch(door: Door) -> None:
    one = {"id": "a", "source": "/s", "type": "com.shop.paid", "specversion": "1.0", "data": {"order": "o1"}}
    kind = {"content-type": "application/cloudevents+json"}
    assert (await door.client.post("/events", headers=kind, content=json.dumps(one))).status_code == 202
    many = [one, {**one, "id": "b"}, {**one, "id": "c", "type": "com.shop.piad"}, {"id": "d"}]
    answer = await door.client.post("/events", headers=BATCH, content=json.dumps(many))
    assert answer.status_code == 207
    assert [i["accepted"] for i in answer.json()] == [True, True, False, False]
    assert "Did you mean 'com.shop.paid'?" in answer.json()[2]["error"]


async def test_an_unknown_type_is_answered_with_the_nearest(door: Door) -> None:
    answer = await door.post("o1", "e1", "com.shop.payed")
    assert answer.status_code == 404
    assert "Did you mean 'com.shop.paid'?" in answer.json()["error"]


async def test_what_is_no_record_is_refused_with_a_reason(door: Door) -> None:
    for body in (b"{", b'"\xff"', b"[" * 100_000, b"[1]", b'{"valu": 1}', b'{"text": 1}'):
        answer = await door.client.post("/topics/sent", content=body)
        assert (answer.status_code, list(answer.json())) == (400, ["error"]), body[:20]


async def test_bodies_have_a_limit(door: Door) -> None:
    async def endless() -> object:
        for _ in range(200):
            yield b"x" * 1_000_000

    answer = await door.client.post("/events", headers=BATCH, content=b"x" * (REQUEST_LIMIT + 1))
    assert answer.status_code == 413
    try:
        answer = await door.client.post("/topics/sent", content=endless())  # type: ignore[arg-type]
    except httpx.TransportError:
        return  # it was cut off while it still sent: as good an answer
    assert answer.status_code == 413


async def test_records_are_published_to_the_embedded_topic(door: Door) -> None:
    answer = await door.client.post(
        "/topics/sent", json=[{"value": {"order": "o1"}}, {"value": {"order": "o2"}, "key": "k"}]
    )
    assert (answer.status_code, answer.json()) == (202, {"published": 2})
    reader = await door.runner.assembly.reader()
    assert [(r.offset, r.key) for r in await reader.topic("sent", 0, 9)] == [(0, None), (1, b"k")]

    async def arrived() -> bool:
        return len(await reader.events(None, 9)) == 2

    await eventually(arrived)
    assert (await door.client.post("/topics/a%20b", json={"value": 1})).status_code == 400


async def test_a_run_is_cancelled_and_tried_again_by_who_says_so(door: Door) -> None:
    await door.post("long", "e1")
    reader = await door.runner.assembly.reader()
    (run,) = await reader.runs(RunFilter())
    who = {"x-reactor-actor": "eve"}
    assert (await door.client.post(f"/api/runs/{run.id}/again", headers=who)).status_code == 409
    answer = await door.client.post(f"/api/runs/{run.id[:20]}/cancel", headers=who, json={"reason": "why not"})
    assert (answer.status_code, answer.json()) == (200, {"run": run.id})

    async def state() -> str:
        return (await reader.runs(RunFilter()))[0].state

    async def cancelled() -> bool:
        return await state() == "cancelled"

    await eventually(cancelled)
    assert (await door.client.post(f"/api/runs/{run.id}/again", headers=who)).status_code == 200
    assert (await door.client.post("/api/runs/nobody/cancel")).status_code == 404
    audits = [(a.actor, a.action, a.detail) for a in await reader.audits(9)]
    assert audits == [("eve", "again", ""), ("eve", "cancel", "why not")]


async def test_dead_letters_are_retried_and_dropped(door: Door) -> None:
    await door.client.post("/topics/sent", json={"text": "no json"})
    reader = await door.runner.assembly.reader()

    async def died() -> int:
        return len(await reader.dead("open", 9))

    await eventually(died)
    again = await door.client.post("/api/dead/1/retry")
    assert (again.status_code, "It failed again" in again.json()["error"]) == (409, True)
    assert (await door.client.post("/api/dead/1/drop", json={"reason": "known"})).json() == {"dropped": 1}
    assert (await door.client.post("/api/dead/1/drop")).status_code == 409
    for id in (7, 10**30):
        assert (await door.client.post(f"/api/dead/{id}/drop")).status_code == 404


@pytest.mark.parametrize(("error", "status"), [(Busy("too much waits"), 429), (Unreachable("it is stopping"), 503)])
async def test_who_comes_at_a_bad_moment_is_told_to_come_again(
    door: Door, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    async def refuse(posted: object) -> None:
        raise error

    monkeypatch.setattr(door.runner.assembly.sources.http, "offer", refuse)
    answer = await door.post("o1", "e1")
    assert (answer.status_code, answer.headers["retry-after"], answer.json()) == (status, "1", {"error": str(error)})


async def test_readiness_and_sources(door: Door) -> None:
    assert (await door.stranger.get("/readyz")).json() == {"ready": True, "reason": None}
    assert set((await door.client.get("/api/sources")).json()) == {"http:com.shop.paid", "kafka:sent"}
    door.runner.service.engine.trouble = "The disk is full."
    answer = await door.stranger.get("/readyz")
    assert (answer.status_code, answer.json()["reason"]) == (503, "The disk is full.")
    door.runner.service.engine.trouble = None


async def test_the_token_is_readable_by_this_user_alone_and_in_no_log(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    place = door.runner.settings.service_file
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert json.loads(place.read_text())["token"] == door.runner.token
    assert len(door.runner.token) > 40
    await door.post("o1", "e1")
    await door.stranger.get("/api/about", headers={"authorization": f"Bearer {door.runner.token}x"})
    assert door.runner.token not in caplog.text


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "shop.example.com"])
async def test_no_network_without_a_token_that_somebody_chose(tmp_path: Path, host: str) -> None:
    definitions = Definitions(tmp_path, (), graph(), {}, ())
    settings = load_settings(tmp_path, mode="dev", flags={"host": host}, environ={}).settings
    with pytest.raises(ConfigError, match="lets other machines in, but no token is set"):
        await make_service(settings, definitions)
    chosen = settings.model_copy(update={"token": SecretStr("a-long-random-text")})
    assert (await make_service(chosen, definitions)).token == "a-long-random-text"


async def test_a_second_service_is_refused_and_the_first_stays_reachable(door: Door) -> None:
    settings = door.runner.settings
    second = await make_service(settings, Definitions(settings.root, (), graph(), {}, ()))
    with pytest.raises(ReactorError):
        await second.open()
    assert json.loads(settings.service_file.read_text())["token"] == door.runner.token
    assert (await door.post("o1", "e1")).status_code == 202


def test_names_are_compared_without_case() -> None:
    assert Guard("t", frozenset({"Reactor.Example.COM"}))._hosts == {"reactor.example.com"}
