"""A client of AWS's own kind: for queues, and for listings that obstore refuses. Law: nothing here is logged."""

from contextlib import AbstractAsyncContextManager

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from reactor.model.events import Json
from reactor.sources.bucket.access import Access

LONG_POLL = 20
"""Seconds that a queue may keep a question open."""


def client(service: str, access: Access, endpoint: str | None) -> AbstractAsyncContextManager[Json]:
    """Keys that are not set come from where every AWS tool takes them. aiobotocore's clients are not typed."""
    keys = access.options()
    config = AioConfig(
        connect_timeout=5,
        read_timeout=LONG_POLL + 10,
        retries={"total_max_attempts": 2},
        s3={"addressing_style": "path"} if endpoint else {},
    )
    made: AbstractAsyncContextManager[Json] = get_session().create_client(
        service,
        endpoint_url=endpoint,
        region_name=keys.get("region"),
        aws_access_key_id=keys.get("access_key_id"),
        aws_secret_access_key=keys.get("secret_access_key"),
        config=config,
    )
    return made
