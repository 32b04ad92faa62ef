"""A command's way to the project: its settings, its definitions, its ledger."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

from reactor.core.graph import Graph
from reactor.model.errors import ConfigError
from reactor.model.ids import Instant
from reactor.project.config import Loaded, Mode, Settings, load_settings
from reactor.project.load import Definitions, load
from reactor.service.call import bind
from reactor.service.clock import SystemClock
from reactor.store.base import Reader
from reactor.store.sqlite import SqliteReader

T = TypeVar("T")


def settings_of(project: Path | None, mode: Mode = "dev", flags: Mapping[str, object] | None = None) -> Loaded:
    """The settings of the project that was named, or that this folder lies in."""
    place = project if project is not None else Path.cwd()
    if not place.is_dir():
        raise ConfigError(
            f"{place} is not a folder, so it cannot be a project. Name the folder that holds reactor.toml."
        )
    return load_settings(place, mode=mode, flags=flags)


def definitions_of(settings: Settings) -> Definitions:
    """The project's definitions, with every sensor found fit to be called.

    Raises:
        DefinitionError: they cannot be right.
    """
    definitions = load(settings.root, settings.definitions)
    for sensor in definitions.graph.sensors:
        bind(sensor, None)
    return definitions


def now() -> Instant:
    return SystemClock().now()


def ask(settings: Settings, question: Callable[[Reader], Awaitable[T]]) -> T:
    """Asks the ledger, read-only: the service may run, or not.

    Raises:
        NotFound: there is no ledger yet.
    """

    async def opened() -> T:
        reader = await SqliteReader.open(settings.database)
        try:
            return await question(reader)
        finally:
            await reader.close()

    return asyncio.run(opened())


def ask_with_graph(project: Path | None, question: Callable[[Reader, Graph], Awaitable[T]]) -> T:
    """As `ask`, with the project's definitions."""
    settings = settings_of(project).settings
    graph = definitions_of(settings).graph
    return ask(settings, lambda reader: question(reader, graph))
