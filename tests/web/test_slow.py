"""A client that trickles its body is cut, with an answer that says so; one that is quick is served beside it. Over a raw socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.web.conftest import Door, opened

PACE = 0.05
"""Seconds between two bytes of a client that trickles."""
BODY = b'{"order": "7"}'


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(tmp_path, body_timeout="300ms") as door:
        yield door


async def connected(door: Door, *, chunked: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    at = urlsplit(door.runner.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    size = b"transfer-encoding: chunked" if chunked else f"content-length: {len(BODY)}".encode()
    head = (
        "POST /events HTTP/1.1",
        f"host: {at.netloc}",
        f"authorization: Bearer {door.runner.token}",
        "ce-id: e1", "ce-source: /shop", "ce-type: com.shop.paid", "ce-specversion: 1.0", "content-type: application/json",
    )  # fmt: skip
    writer.write("\r\n".join(head).encode() + b"\r\n" + size + b"\r\n\r\n")
    return reader, writer


async def trickle(writer: asyncio.StreamWriter, *, chunked: bool) -> None:
    """A byte at a time, for as long as somebody takes them, and never the last one."""
    with contextlib.suppress(ConnectionError):
        for byte in (BODY[:-1] * 1000)[: len(BODY) - 1] if not chunked else BODY[:-1] * 1000:
            writer.write(b"1\r\n%c\r\n" % byte if chunked else bytes([byte]))
            await writer.drain()
            await asyncio.sleep(PACE)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_trickles_is_cut_with_408_and_the_connection_with_it(door: Door, chunked: bool) -> None:
    reader, writer = await connected(door, chunked=chunked)
    slow = asyncio.create_task(trickle(writer, chunked=chunked))
    try:
        async with asyncio.timeout(10):
            answered = await reader.read()  # until the other side closes
    finally:
        slow.cancel()
        writer.close()
    head, _, body = answered.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head.lower()
    assert b"The body was not here after 0.3 s" in body


async def test_others_are_served_meanwhile_and_a_connection_may_stay_open_for_longer(door: Door) -> None:
    """The client of the fixture speaks over one connection, and the time is each request's."""
    _, writer = await connected(door, chunked=True)
    slow = asyncio.create_task(trickle(writer, chunked=True))
    try:
        for n in range(4):
            assert (await door.post(f"{n}", f"e{n}")).status_code == 202
            await asyncio.sleep(3 * PACE)
    finally:
        slow.cancel()
        writer.close()
