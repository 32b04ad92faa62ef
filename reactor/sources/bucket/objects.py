"""Looking at one bucket: the one file that knows obstore. Every error leaves it as `OutOfReach`.

A request gives up after seconds and is not repeated for minutes inside: a server that is away must show as broken, and
the source has its own patience.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

import obstore
from obstore.store import AzureStore, GCSStore, LocalStore, S3Store

from reactor.model.partitions import instant
from reactor.sources.bucket.access import Access
from reactor.sources.bucket.inventory import Sighting, sighted
from reactor.sources.bucket.place import Place
from reactor.sources.bucket.trouble import OutOfReach, Unspeakable, told

if TYPE_CHECKING:  # they are there for type checkers alone
    from obstore.store import ClientConfig, ObjectStore, RetryConfig, S3Config

PAGE = 1_000
_RETRY: "RetryConfig" = {"max_retries": 2, "retry_timeout": timedelta(seconds=10)}

Pages = Callable[[], AsyncGenerator[list[Sighting], None]]


class Objects:
    """The objects of one place. `plainly` lists what obstore refuses to; None where there is no other way."""

    def __init__(self, place: Place, access: Access, plainly: Pages | None = None) -> None:
        self._place, self._access, self._plainly = place, access, plainly
        self._store: ObjectStore | None = None
        self._refused = False

    async def pages(self) -> AsyncGenerator[list[Sighting], None]:
        """Every object that matches, page by page. Raises OutOfReach."""
        if not self._refused:
            try:
                async for page in self._listed():
                    yield page
            except Unspeakable:
                if self._plainly is None:
                    raise
                self._refused = True
            else:
                return
        if self._plainly is not None:
            async for page in self._plainly():
                yield page

    async def look(self, name: str) -> Sighting | None:
        """One object by its name; None where there is none. Raises OutOfReach."""
        try:
            meta = await obstore.head_async(await self._opened(), name)
        except FileNotFoundError:
            await self._there()
            return None
        except Exception as error:  # each kind of store has errors of its own
            raise told(self._place.root, error) from error
        return sighted(name, meta["e_tag"], meta["size"], instant(meta["last_modified"]))

    async def _listed(self) -> AsyncGenerator[list[Sighting], None]:
        try:
            await self._there()
            matches = self._place.pattern.match
            async for chunk in obstore.list(await self._opened(), chunk_size=PAGE):
                yield [
                    sighted(m["path"], m["e_tag"], m["size"], instant(m["last_modified"]))
                    for m in chunk
                    if matches(m["path"]) is not None
                ]
            await self._there()
        except OutOfReach:
            raise
        except Exception as error:  # each kind of store has errors of its own
            raise told(self._place.root, error) from error

    async def _opened(self) -> "ObjectStore":
        if self._store is None:
            self._store = await asyncio.to_thread(_open, self._place, self._access)
        return self._store

    async def _there(self) -> None:
        """A folder that is gone looks like an empty one; a bucket that is gone says so itself."""
        if self._place.scheme == "file" and not await asyncio.to_thread(_folder(self._place).is_dir):
            raise OutOfReach(f"There is no folder {_folder(self._place)}. Once it is there, its files are read.")


def _folder(place: Place) -> Path:
    return Path("/") / place.prefix


def _open(place: Place, access: Access) -> "ObjectStore":
    prefix = place.prefix or None
    match place.scheme:
        case "file":
            return LocalStore(_folder(place))
        case "gs":
            return GCSStore(place.bucket, prefix=prefix, retry_config=_RETRY)
        case "az":
            return AzureStore(place.bucket, prefix=prefix, retry_config=_RETRY)
        case _:
            # Options that are given replace all of the environment's, so none is given that need not be.
            plain = (access.endpoint or "").startswith("http://")
            client: ClientConfig | None = {"allow_http": True} if plain else None
            config = cast("S3Config", access.options())
            return S3Store(place.bucket, prefix=prefix, config=config, client_options=client, retry_config=_RETRY)
