"""Listing an S3 bucket without obstore, which refuses every key of a page for one that it cannot tell (`a//b`, a line
break). Slower, and only asked where that has happened: one producer's odd key must not hold the others up.
"""

from collections.abc import AsyncGenerator

from reactor.model.partitions import instant
from reactor.sources.bucket.access import Access
from reactor.sources.bucket.boto import client
from reactor.sources.bucket.inventory import Sighting, sighted
from reactor.sources.bucket.place import Place
from reactor.sources.bucket.trouble import told


async def pages(place: Place, access: Access) -> AsyncGenerator[list[Sighting], None]:
    """Every object that matches, page by page. Raises OutOfReach."""
    before = f"{place.prefix}/" if place.prefix else ""
    more: dict[str, str] = {}
    try:
        async with client("s3", access, access.endpoint) as s3:
            while True:
                answer = await s3.list_objects_v2(Bucket=place.bucket, Prefix=before, **more)
                yield [
                    sighted(name, found["ETag"], found["Size"], instant(found["LastModified"]))
                    for found in answer.get("Contents", ())
                    if (name := place.name_of(found["Key"])) is not None
                ]
                if not answer.get("IsTruncated"):
                    return
                more = {"ContinuationToken": answer["NextContinuationToken"]}
    except Exception as error:  # botocore makes an error class for each answer
        raise told(place.root, error) from error
