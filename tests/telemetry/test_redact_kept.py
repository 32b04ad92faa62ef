"""Planted secrets, and everything that a service leaves on the disk: none is in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from reactor.project.config import load_settings
from reactor.project.load import load
from reactor.store.base import RunFilter
from reactor.telemetry.redact import MASK
from reactor.web.runner import Runner, make_service
from tests.services.wait import eventually

TOKEN = "a-token-that-somebody-chose"
PASSWORD = 'pass"word\nof two lines'
LEAKS = (TOKEN, "of two lines", 'pass"word', 'pass\\"word')
PROJECT = """
import logging
from pathlib import Path

from reactor import Arrived, Asset, CloudEvent, Dynamic, Http, Ready, Run, Workflow, gate, sensor

SECRETS = [Path({folder!r}, name).read_text() for name in ("token", "password")]
order = Dynamic("order")
paid, packed, shipped = Asset("paid", order), Asset("packed", order), Asset("shipped", order)

@sensor(Http("paid"))
def on_paid(event: CloudEvent) -> Ready:
    if event.data["order"] == "lost":
        raise OSError(f"cannot log in with {{SECRETS}}")
    return paid.ready(event.data["order"])

@gate(packed)
def guard(arrived: Arrived) -> str:
    return f"{{SECRETS[0]}} was refused"

shop = Workflow("shop", owner="shop@example.com")

@shop.task(inputs=paid, outputs=packed)
async def pack(run: Run) -> None:
    run.log.info("%s", SECRETS)
    print(SECRETS[1])

@shop.task(inputs=paid, outputs=shipped)
def ship(run: Run) -> None:
    print(SECRETS[1], SECRETS[0])
    raise PermissionError("\\n".join(SECRETS))
"""


@asynccontextmanager
async def running(root: Path) -> AsyncIterator[Runner]:
    runner = await make_service(load_settings(root, flags={"port": 0}).settings, load(root))
    await runner.open()
    try:
        yield runner
    finally:
        await runner.close()


async def post(runner: Runner, order: str) -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": order,
        "ce-source": "/shop",
        "ce-type": "paid",
        "content-type": "application/json",
        "authorization": f"Bearer {runner.token}",
    }
    async with httpx.AsyncClient(base_url=runner.url) as client:
        answer = await client.post("/events", json={"order": order}, headers=headers)
    assert answer.status_code == 202, answer.text


async def test_what_the_service_keeps_holds_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secrets, root = tmp_path / "secrets", tmp_path / "project"
    for name, value in (("token", TOKEN), ("password", PASSWORD)):
        secrets.mkdir(exist_ok=True)
        (secrets / name).write_text(value)
    (root / "workflows").mkdir(parents=True)
    (root / "workflows" / "shop.py").write_text(PROJECT.format(folder=str(secrets)))
    monkeypatch.setenv("REACTOR_TOKEN_FILE", str(secrets / "token"))
    monkeypatch.setenv("REACTOR_ALERTS_WEBHOOK_SECRET_FILE", str(secrets / "password"))
    async with running(root) as runner:
        await post(runner, "lost")
        await post(runner, "7")
        reader = await runner.assembly.reader()

        async def done() -> bool:
            runs = await reader.runs(RunFilter())
            return sorted(str(r.state) for r in runs) == ["failed", "succeeded"] and bool(await reader.held(1))

        await eventually(done)
        run = next(r for r in await reader.runs(RunFilter()) if r.error)
        alerts = {str(a.alert.kind): a.alert.text for a in await reader.alerts(0, 10)}
        letter = (await reader.dead(None, 1))[0]
        assert set(alerts) == {"failed", "dead letter", "held"}
        for text in (letter.reason, letter.detail, run.error, *alerts.values()):
            assert MASK in str(text)
    assert caplog.records, "the failing of runs is told"
    kept = {p: p.read_bytes() for p in root.rglob("*") if p.is_file() and p.suffix in (".db", ".db-wal", ".log")}
    assert sum(p.suffix == ".log" for p in kept) == 2
    found = [(p.name, leak) for p, data in kept.items() for leak in LEAKS if leak.encode() in data]
    assert found == []
