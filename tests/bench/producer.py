"""A producer at a steady pace, in a process of its own: python -m tests.bench.producer SERVERS TOPIC RATE SECONDS single|join

Open loop: a record is sent when it is due, whether or not those before it were answered. Each carries the nanoseconds of the machine's
monotonic clock at the moment it was handed to the client. `join`: of each pair the first a second before the other.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator

from aiokafka import AIOKafkaProducer

from reactor.cli.serve import run_loop

Body = tuple[str, int]


def bodies(kind: str, rate: int, count: int) -> Iterator[Body]:
    """What is sent as number n: its kind, and its order's number."""
    for n in range(count):
        if kind == "single":
            yield "single", n
        else:
            yield "paid", n
            if n >= rate:
                yield "packed", n - rate


async def send(servers: str, topic: str, rate: int, seconds: int, kind: str) -> None:
    out = AIOKafkaProducer(bootstrap_servers=servers, linger_ms=0)
    await out.start()
    began = time.monotonic()
    per_second = rate if kind == "single" else 2 * rate
    for sent, (what, number) in enumerate(bodies(kind, rate, rate * seconds)):
        while (early := began + sent / per_second - time.monotonic()) > 0:
            await asyncio.sleep(early)
        await out.send(topic, b'{"kind":"%s","order":"%d","sent":%d}' % (what.encode(), number, time.monotonic_ns()))
        if sent % 50 == 0:
            await asyncio.sleep(0)  # where it is behind, the client's sender still has its turn
    await out.stop()


if __name__ == "__main__":
    run_loop(send(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]))
