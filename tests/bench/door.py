"""Rows: durable POSTs in a second. The client is this process, as little of one as there can be; the service is another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.definitions import POSTED
from tests.bench.measure import Figures, Size, Spent
from tests.bench.place import Place, running

CALLERS = 32
BATCH = 100
Request = Callable[[Place, int], bytes]


async def posts(root: Path, size: Size) -> Figures:
    """One event in each request, 32 callers that each wait for the answer, which comes when the event is durable."""
    count = size.of(20_000, 500)
    spent = await _spent(root, _single, count)
    return {"posts/s": count / spent.seconds, **spent.each(count, "post")}


async def batches(root: Path, size: Size) -> Figures:
    """A hundred events in each request."""
    count = size.of(1_000, 40)
    spent = await _spent(root, _batch, count)
    return {"events/s": count * BATCH / spent.seconds, **spent.each(count * BATCH)}


def _single(place: Place, number: int) -> bytes:
    return _request(place.headers(number, "quiet"), b"")


def _batch(place: Place, number: int) -> bytes:
    events = [{"specversion": "1.0", "id": f"{number}/{n}", "source": "/bench", "type": "quiet"} for n in range(BATCH)]
    headers = {"authorization": f"Bearer {place.token}", "content-type": "application/cloudevents-batch+json"}
    return _request(headers, json.dumps(events).encode())


def _request(headers: dict[str, str], body: bytes) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /events HTTP/1.1\r\nhost: 127.0.0.1\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body


async def _spent(root: Path, request: Request, count: int) -> Spent:
    """By the service. One request of each caller is the warm-up."""
    async with running(root, POSTED) as place:
        await asyncio.gather(*(_call(place, request, range(-n, 0, CALLERS)) for n in range(1, CALLERS + 1)))
        spent = Spent(place.pid)
        await asyncio.gather(*(_call(place, request, range(n, count, CALLERS)) for n in range(CALLERS)))
        return spent.end()


async def _call(place: Place, request: Request, numbers: range) -> None:
    where = urlsplit(place.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    for number in numbers:
        writer.write(request(place, number))
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 202 " in head[:20], head
        await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
    writer.close()
