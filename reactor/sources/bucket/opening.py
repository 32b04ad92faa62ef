"""Making a bucket's source. The libraries of the extra are imported here, where one is made, and nowhere earlier."""

import importlib
from collections.abc import AsyncGenerator, Callable
from types import ModuleType

from reactor.model.errors import ConfigError
from reactor.model.ports import Clock
from reactor.model.source import Bucket, Sqs
from reactor.sources.base import SeenFiles
from reactor.sources.bucket.access import Access
from reactor.sources.bucket.hints import Channel
from reactor.sources.bucket.inventory import Sighting
from reactor.sources.bucket.place import Place, place_of
from reactor.sources.bucket.source import BucketSource, Objects


def open_bucket(
    spec: Bucket, access: Access, seen: SeenFiles, clock: Clock, channel: Channel | None = None
) -> BucketSource:
    """A source of this bucket's objects, told of by `channel`. Nothing is connected yet.

    Raises:
        ConfigError: the extra `[s3]` is not installed.
        DefinitionError: the URL names no objects.
    """
    place = place_of(spec.url)
    return BucketSource(spec, place, objects_of(spec, access), seen, clock, channel)


def open_queue(spec: Sqs, access: Access, clock: Clock) -> Channel:
    """The notifications in a queue. Raises ConfigError."""
    made: Channel = extra("queue").QueueChannel(spec, access, clock)
    return made


def objects_of(spec: Bucket, access: Access) -> Objects:
    """The bucket to look at. Raises what `open_bucket` raises."""
    place = place_of(spec.url)
    plainly = _plain_pages(place, access) if place.scheme == "s3" else None
    made: Objects = extra("objects").Objects(place, access, plainly)
    return made


def extra(module: str) -> ModuleType:
    """A module of this package that needs the libraries of the extra `[s3]`. Raises ConfigError."""
    try:
        return importlib.import_module(f"reactor.sources.bucket.{module}")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"Buckets need {error.name!r}, which is not installed. It comes with the extra: "
            "pip install 'reactor-orchestrator[s3]'."
        ) from error


def _plain_pages(place: Place, access: Access) -> Callable[[], AsyncGenerator[list[Sighting], None]]:
    def pages() -> AsyncGenerator[list[Sighting], None]:
        made: AsyncGenerator[list[Sighting], None] = extra("plain").pages(place, access)
        return made

    return pages
