"""`reactor doctor`: one line for each thing that must be right, with what to do where it is not."""

import asyncio
import importlib.metadata
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import NamedTuple

import typer
from rich.markup import escape

from reactor.cli import options, out
from reactor.cli.client import connect
from reactor.cli.project import ask, definitions_of, settings_of
from reactor.model.errors import NotFound, ReactorError, Unreachable
from reactor.model.source import Bucket, Mqtt, Webhook
from reactor.project.config import Settings
from reactor.sources.bucket import Access, OutOfReach, objects_of
from reactor.sources.kafka.settings import kafka_settings
from reactor.sources.mqtt.settings import MqttSettings
from reactor.sources.webhooks.keys import secrets_of
from reactor.store.base import Reader
from reactor.store.sqlite.restored import went_back

ROOM = 500_000_000
"""Bytes that should be free where the ledger is."""


class Finding(NamedTuple):
    what: str
    state: str
    """`ok`, `note` or `wrong`."""
    text: str


def command(as_json: options.AsJson = False, project: options.InProject = None) -> None:
    """Looks at the settings, the definitions, the ledger, the disk, the brokers and the service. Exit code 1: something is wrong."""
    found = list(_all(project))
    signs = {"ok": "[green]✓[/]", "note": "[yellow]![/]", "wrong": "[red]✕[/]"}

    def show() -> None:
        for f in found:
            out.console.print(f"{signs[f.state]} {f.what}: {escape(f.text)}")

    out.emit([f._asdict() for f in found], as_json, show)
    if any(f.state == "wrong" for f in found):
        raise typer.Exit(1)


def _all(project: options.InProject) -> Iterator[Finding]:
    version = importlib.metadata.version("reactor-orchestrator")
    yield Finding("reactor", "ok", f"{version} on Python {sys.version.split()[0]}")
    try:
        settings = settings_of(project).settings
    except ReactorError as error:
        yield Finding("settings", "wrong", str(error))
        return
    yield Finding("settings", "ok", f"the project is {settings.root}")
    for what, look in (
        ("definitions", _definitions),
        ("ledger", _ledger),
        ("disk", _disk),
        ("kafka", _kafka),
        ("mqtt", _mqtt),
        ("webhooks", _webhooks),
        ("buckets", _buckets),
        ("service", _service),
    ):
        yield _looked(what, look, settings)


def _looked(what: str, look: Callable[[Settings], tuple[str, str]], settings: Settings) -> Finding:
    try:
        return Finding(what, *look(settings))
    except (ReactorError, ValueError, OSError) as error:
        return Finding(what, "wrong", str(error))


def _definitions(settings: Settings) -> tuple[str, str]:
    loaded = definitions_of(settings)
    if loaded.warnings:
        return "note", " ".join(loaded.warnings)
    return "ok", f"{len(loaded.files)} files, {len(loaded.graph.nodes)} tasks, {len(loaded.graph.sensors)} sensors"


def _ledger(settings: Settings) -> tuple[str, str]:
    async def question(reader: Reader) -> list[str]:
        return list(await reader.balance())

    try:
        wrong = ask(settings, question)
        behind = asyncio.run(went_back(settings.database))
    except NotFound:
        return "note", f"there is none yet; the service makes it at {settings.database}"
    if behind:
        return (
            "wrong",
            f"{settings.database} went back in time: {behind}. Put a newer copy in its place, or see `reactor restored`.",
        )
    return ("wrong", " ".join(wrong)) if wrong else ("ok", f"{settings.database} balances")


def _disk(settings: Settings) -> tuple[str, str]:
    place = settings.state_dir if settings.state_dir.exists() else settings.root
    free = shutil.disk_usage(place).free
    if not os.access(place, os.W_OK):
        return "wrong", f"{place} cannot be written by this user. Let it, or set `state` to another place."
    said = f"{free // 1_000_000:,} MB are free at {place}"
    return (
        ("ok", said)
        if free > ROOM
        else ("note", f"only {said}. Make room: a full disk stops intake, and nothing is lost.")
    )


def _kafka(settings: Settings) -> tuple[str, str]:
    kafka = kafka_settings(settings.kafka.model_dump())
    if kafka.embedded:
        return "ok", "topics are embedded: read from the project's own database"
    kafka.ssl_context()
    silent = [s for s in kafka.servers.split(",") if not _listens(s)]
    if silent:
        return "wrong", f"nobody listens at {', '.join(silent)}. Start the broker, or correct kafka.servers."
    return "ok", f"{kafka.servers} listens"


def _mqtt(settings: Settings) -> tuple[str, str]:
    mqtt = MqttSettings(**settings.mqtt.model_dump())
    mqtt.ssl_context()
    if not any(isinstance(s.source, Mqtt) for s in definitions_of(settings).graph.sensors):
        return "ok", "no sensor reads MQTT"
    if not _listens(mqtt.server):
        return "wrong", f"nobody listens at {mqtt.server}. Start the broker, or correct mqtt.server."
    if mqtt.password is not None and not mqtt.tls:
        return (
            "note",
            f"{mqtt.server} listens, but the password goes to it in the clear. Set mqtt.tls where the broker offers it.",
        )
    return "ok", f"{mqtt.server} listens"


def _webhooks(settings: Settings) -> tuple[str, str]:
    specs = {s.source for s in definitions_of(settings).graph.sensors if isinstance(s.source, Webhook)}
    for spec in specs:
        secrets_of(spec, settings.root)
    return "ok", f"{len(specs)} with a secret that can be read" if specs else "no sensor reads any"


def _buckets(settings: Settings) -> tuple[str, str]:
    specs = {s.source for s in definitions_of(settings).graph.sensors if isinstance(s.source, Bucket)}
    if not specs:
        return "ok", "no sensor reads one"
    access = Access(**dict(settings.s3))
    wrong = [said for spec in sorted(specs, key=lambda s: s.url) if (said := asyncio.run(_unreadable(spec, access)))]
    return ("wrong", " ".join(wrong)) if wrong else ("ok", f"{len(specs)} can be listed")


async def _unreadable(spec: Bucket, access: Access) -> str:
    """Why the bucket cannot be listed; empty where it can."""
    try:
        async with aclosing(objects_of(spec, access).pages()) as pages:
            await anext(pages, None)
    except OutOfReach as error:
        return str(error)
    return ""


def _listens(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=3):
            return True
    except OSError:
        return False


def _service(settings: Settings) -> tuple[str, str]:
    if not settings.service_file.exists():
        return "note", "it does not run; `reactor dev` or `reactor run` starts it"
    try:
        client = connect(settings)
        sources = client.get("/api/sources")
    except Unreachable as error:
        return "wrong", str(error)
    sick = [f"{name}: {s['error']}" for name, s in sources.items() if s.get("error")]
    return (
        ("note", "; ".join(sick))
        if sick
        else ("ok", f"it runs at {client.url}, and its {len(sources)} sources are well")
    )
