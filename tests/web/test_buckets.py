"""What buckets' servers tell comes in by the door and by a topic of the embedded log, on the whole service over a real S3 server."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from reactor import Asset, Bucket, Dynamic, File, Kafka, Ready, sensor
from reactor.core.build import build
from reactor.model.ids import AssetName
from reactor.project.config import load_settings
from reactor.project.load import Definitions
from reactor.sources.base import Condition
from reactor.web.runner import Runner, make_service
from tests.services.s3 import S3
from tests.services.wait import eventually


@pytest.fixture
async def told(s3: S3, tmp_path: Path) -> AsyncIterator[tuple[Runner, httpx.AsyncClient, str]]:
    """A service whose buckets are listed once an hour, with a client that holds its token."""
    bucket = await s3.new_bucket()
    order = Dynamic("order")
    posted, published = Asset("posted", order), Asset("published", order)

    @sensor(Bucket(f"s3://{bucket}/posted/{{order}}.csv", every="1h", notify="webhook"))
    def on_posted(file: File) -> Ready:
        return posted.ready(file.fields["order"], key=file.key)

    @sensor(Bucket(f"s3://{bucket}/published/{{order}}.csv", every="1h", notify=Kafka("s3-events")))
    async def on_published(file: File) -> Ready:
        return published.ready(file.fields["order"], size=file.size)

    reach = {"s3.endpoint": s3.endpoint, "s3.access_key": s3.access_key, "s3.secret_key": s3.secret_key}
    flags = {"port": 0, "kafka.servers": "embedded", "stop_timeout": "0s", **reach}
    settings = load_settings(tmp_path, mode="dev", flags=flags, environ={}).settings
    graph = build([posted, published], [on_posted, on_published], [])
    runner = await make_service(settings, Definitions(tmp_path, (), graph, {}, ()))
    await runner.open()
    bearer = {"authorization": f"Bearer {runner.token}"}
    try:
        async with httpx.AsyncClient(base_url=runner.url, headers=bearer, trust_env=False) as client:
            await eventually(lambda: all(h.condition is Condition.CONNECTED for h in runner.health().values()))
            yield runner, client, bucket
    finally:
        await runner.close()


async def is_ready(runner: Runner, asset: str) -> list[str]:
    reader = await runner.assembly.reader()
    return [slot.partition for slot in await reader.slots(AssetName(asset), 9)]


async def test_a_post_is_answered_with_its_object_in_the_ledger(
    s3: S3, told: tuple[Runner, httpx.AsyncClient, str]
) -> None:
    runner, client, bucket = told
    await s3.put(bucket, "posted/o1.csv")
    message = {"EventName": "s3:ObjectCreated:Put", "Key": f"{bucket}/posted/o1.csv"}
    for _ in range(2):
        answer = await client.post("/buckets", json=message)
        assert (answer.status_code, answer.json()) == (200, {"named": 1})
        assert await is_ready(runner, "posted") == ["o1"]
    assert (await client.post("/buckets", json={"Event": "s3:TestEvent"})).status_code == 200
    assert (await client.post("/buckets", content=b"hello")).status_code == 400
    other = await client.post("/buckets", json={**message, "Key": "another/posted/o1.csv"})
    assert (other.status_code, "s3://another" in other.json()["error"]) == (404, True)
    stranger = await client.post("/buckets", json=message, headers={"authorization": "Bearer wrong"})
    assert stranger.status_code == 401


async def test_a_topic_of_the_embedded_log_tells_as_a_brokers_does(
    s3: S3, told: tuple[Runner, httpx.AsyncClient, str]
) -> None:
    runner, client, bucket = told
    await s3.put(bucket, "published/o1.csv")
    message = {"Records": [{"s3": {"bucket": {"name": bucket}, "object": {"key": "published%2Fo1.csv"}}}]}
    for _ in range(2):
        assert (await client.post("/topics/s3-events", json={"value": message})).status_code == 202

    async def there() -> bool:
        return await is_ready(runner, "published") == ["o1"]

    await eventually(there)
    assert all(h.error is None for h in runner.health().values())
