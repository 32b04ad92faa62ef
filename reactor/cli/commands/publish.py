"""`reactor publish`: records to a topic, through the running service; to an embedded topic also while it does not run."""

import asyncio
import os
import sys
import time
from collections.abc import Iterable
from typing import Annotated

import msgspec
import typer

from reactor.cli import options, out
from reactor.cli.client import connect
from reactor.cli.project import now, settings_of
from reactor.model.errors import ConfigError, StoreBusy, Unreachable
from reactor.model.events import Json
from reactor.model.source import Kafka
from reactor.project.config import Settings
from reactor.store.base import TopicRecord, Transaction
from reactor.store.sqlite import SqliteStore

AT_ONCE = 1_000
STARTING = 50
"""Tenths of a second for which a service that is just starting is waited for."""


def command(
    topic: Annotated[str, typer.Argument()],
    value: Annotated[
        list[str] | None, typer.Argument(help="JSON; without any, one a line from standard input.")
    ] = None,
    key: Annotated[str | None, typer.Option("--key", "-k", help="The key of the records.")] = None,
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="NAME=VALUE; may be given again.")] = None,
    as_json: options.AsJson = False,
    project: options.InProject = None,
) -> None:
    """Publishes one record for each value. When it returns, they are durable."""
    Kafka(topic)  # refuses what is no name of a topic
    settings = settings_of(project).settings
    headers = dict(_header(text) for text in header or ())
    lines: Iterable[str] = value or (text for text in sys.stdin if text.strip())
    words = [{"value": _json(text), "key": key, "headers": headers} for text in lines]
    for first in range(0, len(words), AT_ONCE):
        _send(settings, topic, words[first : first + AT_ONCE])
    answer = {"topic": topic, "published": len(words)}
    out.emit(answer, as_json, lambda: out.note(f"{len(words)} record{'s' * (len(words) != 1)} published to {topic}."))


def _json(text: str) -> Json:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"{text.strip()[:80]!r} is no JSON ({error}), so nothing was published. Text is written in quotes: '\"text\"'."
        ) from error


def _header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--header {text!r} is not NAME=VALUE.")
    return name, value


def _send(settings: Settings, topic: str, words: list[dict[str, Json]]) -> None:
    for tries in range(STARTING, -1, -1):
        try:
            connect(settings).post(f"/topics/{topic}", words)
            return
        except Unreachable as unreachable:
            if settings.kafka.servers != "embedded":
                raise
            try:
                asyncio.run(_append(settings, topic, words))
                return
            except StoreBusy:  # an engine is there after all: it is just starting, or it hangs
                if not tries:
                    raise unreachable from None
        time.sleep(0.1)


async def _append(settings: Settings, topic: str, words: list[dict[str, Json]]) -> None:
    """With the service down: takes the engine's place for one transaction. StoreBusy where an engine holds it after all."""
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = SqliteStore(settings.database)
    try:
        restored = await store.restore(f"publish {os.getpid()}")
        at = now()
        records = [
            TopicRecord(
                topic,
                None if w["key"] is None else w["key"].encode(),
                msgspec.json.encode(w["value"]),
                tuple((name, text.encode()) for name, text in w["headers"].items()),
                at,
            )
            for w in words
        ]
        await store.commit(Transaction(topics=records, epoch=restored.epoch))
    finally:
        await store.close()
