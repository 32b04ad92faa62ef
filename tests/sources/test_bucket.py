"""Objects that land in real buckets: nothing is lost, nothing comes twice, and a bucket that is away says so."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reactor.model.duration import SECOND
from reactor.model.source import Bucket
from reactor.sources.base import Condition
from reactor.sources.bucket import Access, BucketSource, objects_of
from reactor.sources.bucket.inventory import Sighting
from reactor.sources.bucket.place import place_of
from reactor.sources.bucket.source import Objects
from tests.clock import VirtualClock
from tests.services.process import free_ports
from tests.services.proxy import Proxy
from tests.services.s3 import S3, S3Server
from tests.services.wait import eventually
from tests.sources.bucket_place import (
    EVERY,
    BucketHarness,
    Folder,
    GoogleLanding,
    Landing,
    Open,
    Reading,
    Recorded,
    Seen,
    Somewhere,
)
from tests.sources.conformance import ReachConformance


@pytest.fixture(params=["s3", "moto", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Somewhere:
    """The same tests on every kind of place that can be had here."""
    if request.param == "file":
        return Folder(tmp_path)
    server: S3 = request.getfixturevalue(request.param)
    return Landing(server, asyncio.run(server.new_bucket()))


@pytest.fixture
async def landing(s3: S3) -> Landing:
    return Landing(s3, await s3.new_bucket())


@pytest.fixture
async def read() -> AsyncIterator[Open]:
    """Starts sources, and stops them in the end."""
    opened: list[Reading] = []

    async def start(where: Somewhere, pattern: str, every: str = EVERY) -> Reading:
        source = Recorded(Bucket(where.url(pattern), every=every), where.access, Seen())
        opened.append(await Reading(source).start())
        return opened[-1]

    yield start
    for reading in opened:
        await reading.stop()


async def test_an_object_is_handed_on_with_what_its_key_says(place: Somewhere, read: Open) -> None:
    await place.put("in/refunds-2026-11-20.csv", body=b"abc")
    reading = await read(place, "in/refunds-{day}.csv")
    [file] = await reading.named("refunds-2026-11-20.csv")
    assert file.path == place.url("in/refunds-2026-11-20.csv")
    assert file.key.endswith("in/refunds-2026-11-20.csv")
    assert (dict(file.fields), file.size, file.version) == ({"day": "2026-11-20"}, 3, 1)
    assert file.etag
    assert abs(file.mtime / 1e6 - time.time()) < 60
    assert reading.source.health().condition is Condition.CONNECTED


async def test_only_what_matches_is_read_and_a_pattern_may_span_folders(place: Somewhere, read: Open) -> None:
    await place.put(
        "in/de/o-1.csv", "in/fr/o-2.csv", "in/de/o-1.txt", "in/deep/er/o-3.csv", "in/o-4.csv", "out/de/o-5.csv"
    )
    reading = await read(place, "in/{country}/o-{n}.csv")
    await reading.named("de/o-1.csv", "fr/o-2.csv")
    await reading.listings(2)
    assert len(reading.events) == 2


async def test_keys_with_odd_characters_are_keys_as_any_other(place: Somewhere, read: Open) -> None:
    names = ["a b+c", "é", "100%", "x%2Fy", "h#q?", "~{}\"'", "co:l;on,&=@!$", "日本"]
    await place.put(*(f"in/{name}.csv" for name in names))
    reading = await read(place, "in/{n}.csv")
    files = await reading.named(*(f"{name}.csv" for name in names))
    assert {f.fields["n"] for f in files} == set(names)


async def test_an_overwritten_object_is_the_next_version(place: Somewhere, read: Open) -> None:
    reading = await read(place, "in/{n}.csv")
    for version in (1, 2, 3):
        await place.put("in/a.csv", body=b"x" * version)
        await reading.until(lambda version=version: len(reading.events) == version)  # type: ignore[misc]
    assert [(f.version, f.size) for f in reading.files] == [(1, 1), (2, 2), (3, 3)]
    assert len({e.id for e in reading.events}) == 3


async def test_a_deleted_object_is_forgotten_and_new_when_it_comes_back(place: Somewhere, read: Open) -> None:
    reading = await read(place, "in/{n}.csv")
    await place.put("in/a.csv", "in/b.csv")
    await reading.named("a.csv", "b.csv")
    await place.delete("in/a.csv")
    await reading.until(lambda: set(reading.source.store.rows) == {"b.csv"})
    await place.put("in/a.csv", body=b"other")
    await reading.until(lambda: len(reading.events) == 3)
    assert (reading.files[2].name, reading.files[2].version) == ("a.csv", 1)
    assert len({e.id for e in reading.events}) == 3
    positions = [e.position for e in reading.events]
    assert positions[:2] == [0, 1]
    assert positions[2] == 3  # between them the one that was forgotten


async def test_goes_on_from_what_is_durable(place: Somewhere, read: Open) -> None:
    reading = await read(place, "in/{n}.csv")
    await place.put("in/a.csv", "in/b.csv")
    await reading.named("a.csv", "b.csv")
    await reading.stop()
    await place.put("in/c.csv")
    await place.put("in/a.csv", body=b"longer")
    await reading.start()
    await reading.until(lambda: len(reading.events) == 4)
    await reading.listings(2)
    told = sorted((f.name, f.version) for f in reading.files)
    assert told == [("a.csv", 1), ("a.csv", 2), ("b.csv", 1), ("c.csv", 1)]


async def test_the_oldest_come_first_by_the_servers_clock_whatever_that_says(tmp_path: Path, read: Open) -> None:
    """Times of 1990 and 2090 are as good as any: they are compared with each other alone."""
    folder = Folder(tmp_path)
    for name, year in (("b", 2090), ("a", 2024), ("c", 1990)):
        await folder.put(f"in/{name}.csv")
        when = (year - 1970) * 365 * 86_400
        os.utime(tmp_path / f"in/{name}.csv", (when, when))
    reading = await read(folder, "in/*.csv")
    await reading.named("a.csv", "b.csv", "c.csv")
    assert [f.name for f in reading.files] == ["c.csv", "a.csv", "b.csv"]
    await folder.put("in/d.csv")
    await reading.named("a.csv", "b.csv", "c.csv", "d.csv")
    await reading.listings(2)
    assert len(reading.events) == 4


async def test_a_consoles_folder_is_no_object_and_an_empty_object_is_one(landing: Landing, read: Open) -> None:
    await landing.put("in/folder/", "in/empty", body=b"")
    reading = await read(landing, "in/*")
    await reading.named("empty")
    await reading.listings(2)
    assert len(reading.events) == 1


async def test_a_key_that_no_path_can_be_holds_nobody_up(moto: S3Server, read: Open) -> None:
    """obstore refuses the page that holds it; the listing goes another way."""
    landing = Landing(moto, await moto.new_bucket())
    await landing.put("in/a.csv", "in//b.csv", "in/../c.csv", "in/d.csv")
    reading = await read(landing, "in/*.csv")
    await reading.named("a.csv", "d.csv")
    await landing.put("in/e.csv")
    await reading.named("a.csv", "d.csv", "e.csv")
    assert reading.source.health().condition is Condition.CONNECTED


async def test_no_such_bucket_is_told_with_what_to_do(s3: S3, read: Open) -> None:
    landing = Landing(s3, "nobody-made-this")
    reading = await read(landing, "*.csv")
    await reading.until(lambda: reading.source.health().condition is Condition.BROKEN)
    error = reading.source.health().error or ""
    assert error.startswith("s3://nobody-made-this cannot be read (NoSuchBucket)")
    assert "Make it" in error


async def test_a_wrong_key_is_told_and_never_shown(s3: S3, read: Open) -> None:
    landing = Landing(s3, await s3.new_bucket())
    landing.secret_key = "wrong-secret-key"
    reading = await read(landing, "*.csv")
    await reading.until(lambda: reading.source.health().condition is Condition.BROKEN)
    error = reading.source.health().error or ""
    assert "SignatureDoesNotMatch" in error
    assert "s3.secret_key" in error
    assert "wrong-secret-key" not in error + repr(landing.access)


async def test_googles_client_reads_by_the_same_code(
    moto: S3Server, read: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google's XML interface is the one that moto speaks; where it is and that nobody signs comes from the environment."""
    landing = GoogleLanding(moto, await moto.new_bucket())
    monkeypatch.setenv("GOOGLE_BASE_URL", moto.endpoint)
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")
    monkeypatch.setenv("GOOGLE_ALLOW_HTTP", "true")
    async with moto.client() as s3:
        await s3.put_bucket_acl(Bucket=landing.bucket, ACL="public-read")
    await landing.put("in/a.csv", "in/b c.csv")
    reading = await read(landing, "in/{n}.csv")
    files = await reading.named("a.csv", "b c.csv")
    assert {f.path for f in files} == {f"gs://{landing.bucket}/in/a.csv", f"gs://{landing.bucket}/in/b c.csv"}
    await landing.put("in/a.csv", body=b"longer")
    await reading.until(lambda: len(reading.events) == 3)
    await landing.delete("in/a.csv")
    await reading.until(lambda: set(reading.source.store.rows) == {"b c.csv"})


async def test_azures_client_is_told_by_the_environment_too(read: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """No server of its kind can be had here: what is shown is that it asks, and says who does not answer."""
    (port,) = free_ports(1)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "shop")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0LWtleQ==")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"http://127.0.0.1:{port}/shop")
    monkeypatch.setenv("AZURE_ALLOW_HTTP", "true")
    reading = Reading(Recorded(Bucket("az://landing/in/{n}.csv", every=EVERY), Access(), Seen()))
    await reading.start()
    await reading.until(lambda: reading.source.health().condition is Condition.BROKEN)
    error = reading.source.health().error or ""
    await reading.stop()
    assert error.startswith("az://landing/in cannot be read")
    assert f"127.0.0.1:{port}/shop/landing" in error
    assert "c2VjcmV0" not in error


@pytest.mark.slow
async def test_a_server_that_is_killed_is_broken_and_not_quiet_and_nothing_is_lost(
    own_s3: S3Server, read: Open
) -> None:
    await own_s3.start()
    landing = Landing(own_s3, await own_s3.new_bucket())
    reading = await read(landing, "in/{n}.csv")
    await landing.put("in/a.csv")
    await reading.named("a.csv")
    await own_s3.kill()
    await reading.until(lambda: reading.source.health().condition is Condition.BROKEN)
    assert "cannot be read" in (reading.source.health().error or "")
    await own_s3.start()
    await landing.put("in/b.csv")
    await reading.named("a.csv", "b.csv")
    assert reading.source.health().condition is Condition.CONNECTED


async def test_a_folder_that_is_gone_is_broken_and_nothing_of_it_is_forgotten(tmp_path: Path, read: Open) -> None:
    folder = Folder(tmp_path)
    await folder.put("in/a.csv")
    reading = await read(folder, "in/*.csv")
    await reading.named("a.csv")
    (tmp_path / "in").rename(tmp_path / "away")
    await reading.until(lambda: reading.source.health().condition is Condition.BROKEN)
    assert "There is no folder" in (reading.source.health().error or "")
    (tmp_path / "away").rename(tmp_path / "in")
    await folder.put("in/b.csv")
    await reading.named("a.csv", "b.csv")


class Counted:
    """A place that knows how often it was listed."""

    def __init__(self, objects: Objects) -> None:
        self.look, self._objects, self.begun = objects.look, objects, 0

    def pages(self) -> AsyncGenerator[list[Sighting], None]:
        self.begun += 1
        return self._objects.pages()


async def test_a_consumer_that_does_not_ask_stops_the_listings_and_misses_nothing(tmp_path: Path) -> None:
    folder, clock = Folder(tmp_path), VirtualClock()
    await folder.put(*(f"in/{n}.csv" for n in range(11_000)))
    spec = Bucket(folder.url("in/{n}.csv"), every="1s")
    objects = Counted(objects_of(spec, folder.access))
    source = BucketSource(spec, place_of(spec.url), objects, Seen(), clock)
    await source.start({})
    await eventually(lambda: source.health().lag == 11_000 and source.listings == 1, 30)
    await folder.put(*(f"in/{n}.csv" for n in range(11_000, 12_000)))
    await clock.advance(60 * SECOND)
    assert objects.begun == 1
    batches, read = source.batches(), set[str]()
    while len(read) < 11_000:
        read |= {event.id for event in (await anext(batches)).events}
    await clock.advance(SECOND)
    while len(read) < 12_000:
        read |= {event.id for event in (await asyncio.wait_for(anext(batches), 30)).events}
    assert {name.partition(".")[0] for name in read} == {str(n) for n in range(12_000)}
    await source.stop()


@pytest.mark.slow
async def test_ten_thousand_objects_in_pages_while_the_loop_stays_free(landing: Landing, read: Open) -> None:
    await landing.s3.fill(landing.bucket, "in", 10_000)
    longest, last, watching = 0.0, time.monotonic(), True

    async def watch() -> None:
        nonlocal longest, last
        while watching:
            last = time.monotonic()
            await asyncio.sleep(0.001)
            longest = max(longest, time.monotonic() - last)

    watcher = asyncio.create_task(watch())
    reading = await read(landing, "in/{n}.csv", "1h")
    await reading.until(lambda: len(reading.events) == 10_000)
    watching = False
    await watcher
    assert len({e.id for e in reading.events}) == 10_000
    assert [e.position for e in reading.events] == list(range(10_000))
    assert longest < 0.5, f"the loop stood still for {longest:.3f} s"


class TestBucketConformance(ReachConformance):
    """On SeaweedFS."""

    @pytest.fixture
    async def harness(self, s3: S3) -> AsyncIterator[BucketHarness]:
        at = urlsplit(s3.endpoint)
        assert at.hostname is not None
        assert at.port is not None
        async with Proxy(at.hostname, at.port) as proxy:
            yield BucketHarness(Landing(s3, await s3.new_bucket()), proxy)


class TestBucketConformanceOnMoto(ReachConformance):
    """On moto's server."""

    @pytest.fixture
    async def harness(self, moto: S3Server) -> AsyncIterator[BucketHarness]:
        at = urlsplit(moto.endpoint)
        assert at.hostname is not None
        assert at.port is not None
        async with Proxy(at.hostname, at.port) as proxy:
            yield BucketHarness(Landing(moto, await moto.new_bucket()), proxy)
