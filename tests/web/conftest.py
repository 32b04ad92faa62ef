"""A real service on a real port over a real SQLite file, with a client that holds its token."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from reactor import Asset, CloudEvent, Dynamic, Http, Kafka, Ready, Record, Run, Workflow, sensor
from reactor.core.build import build
from reactor.core.graph import Graph
from reactor.project.config import load_settings
from reactor.project.load import Definitions
from reactor.web.runner import Runner, make_service


def graph() -> Graph:
    order = Dynamic("order")
    paid, sent = Asset("paid", order), Asset("sent", order)

    @sensor(Http("com.shop.paid"))
    async def on_paid(event: CloudEvent) -> Ready:
        return paid.ready(event.data["order"])

    @sensor(Kafka("sent"))
    async def on_sent(record: Record) -> Ready:
        return sent.ready(record.value["order"])

    flow = Workflow("shop", owner="shop@example.com")

    @flow.task(inputs=paid)
    async def book(run: Run) -> None:
        if run.partition == "long":
            await asyncio.Event().wait()

    return build([paid, sent], [on_paid, on_sent], [flow])


@dataclass
class Door:
    runner: Runner
    client: httpx.AsyncClient
    """Holds the token."""
    stranger: httpx.AsyncClient
    """Does not."""

    async def post(self, order: str, id: str, kind: str = "com.shop.paid") -> httpx.Response:
        headers = {"ce-id": id, "ce-source": "/shop", "ce-type": kind, "ce-specversion": "1.0"}
        return await self.client.post("/events", headers=headers, json={"order": order})


@asynccontextmanager
async def opened(root: Path, **more: str) -> AsyncIterator[Door]:
    """`more`: settings of its own."""
    flags = {"port": 0, "kafka.servers": "embedded", "stop_timeout": "0s", **more}
    settings = load_settings(root, mode="dev", flags=flags, environ={}).settings
    runner = await make_service(settings, Definitions(root, (), graph(), {}, ()))
    await runner.open()
    bearer = {"authorization": f"Bearer {runner.token}"}
    try:
        async with (
            httpx.AsyncClient(base_url=runner.url, headers=bearer, trust_env=False) as client,
            httpx.AsyncClient(base_url=runner.url, trust_env=False) as stranger,
        ):
            yield Door(runner, client, stranger)
    finally:
        await runner.close()


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(tmp_path) as door:
        yield door
