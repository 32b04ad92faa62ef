"""How a bucket is declared and reached: what is refused where it is written, and what is never shown."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reactor.model.errors import ConfigError, DefinitionError
from reactor.model.events import File
from reactor.model.ids import Instant
from reactor.model.source import Bucket, Kafka, Sqs
from reactor.project.config import load_settings
from reactor.sources.bucket import Access
from reactor.sources.bucket.opening import objects_of
from reactor.sources.bucket.place import place_of
from reactor.wiring import redactor


@pytest.mark.parametrize(
    ("url", "root", "name", "fields"),
    [
        ("s3://landing/refunds-{day}.csv", "s3://landing", "refunds-2026-11-20.csv", {"day": "2026-11-20"}),
        ("s3://landing/in/{a}/{b}.csv", "s3://landing/in", "de/1.csv", {"a": "de", "b": "1"}),
        ("gs://landing/in/*", "gs://landing/in", "x", {}),
        ("az://landing/in/x.csv", "az://landing/in", "x.csv", {}),
        ("file:///data/in/{n}.csv", "file:///data/in", "7.csv", {"n": "7"}),
    ],
)
def test_a_url_is_a_place_and_a_pattern(url: str, root: str, name: str, fields: dict[str, str]) -> None:
    place = place_of(Bucket(url).url)
    assert place.root == root
    found = place.fields(name)
    assert found is not None
    assert dict(found) == fields
    key = f"{place.prefix}/{name}" if place.prefix else name
    assert place.name_of(key) == name
    assert place.name_of(f"elsewhere/{key}") is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("landing/x.csv", "a URL such as"),
        ("http://landing/x.csv", "s3, gs, az or file"),
        ("s3://landing", "a URL such as"),
        ("s3:///x.csv", "the bucket's name"),
        ("file://data/x.csv", "three slashes"),
        ("s3://land-{a}/x.csv", "own name holds no placeholder"),
        ("s3://landing/{a}-{a}.csv", "each placeholder may stand once"),
        ("s3://landing/{a b}.csv", "a name in braces"),
    ],
)
def test_a_url_that_cannot_be_right_is_refused_where_it_is_written(url: str, said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        Bucket(url)


@pytest.mark.parametrize("url", ["s3://landing/in/", "s3://landing/**", "s3://landing/{a}{b}.csv", "s3://landing/../x"])
def test_a_pattern_that_names_nothing_is_refused_with_the_url(url: str) -> None:
    with pytest.raises(DefinitionError) as error:
        place_of(Bucket(url).url)
    assert str(error.value).startswith(f"Bucket({url!r}): ")


def test_only_an_s3_bucket_is_told_of_and_in_three_ways() -> None:
    for notify in (Kafka("s3-events"), Sqs("https://sqs.eu-west-1.amazonaws.com/1/q"), "webhook"):
        Bucket("s3://landing/*.csv", notify=notify)
    with pytest.raises(DefinitionError, match="of an s3 bucket"):
        Bucket("gs://landing/*.csv", notify="webhook")
    with pytest.raises(DefinitionError, match="of an s3 bucket"):
        Bucket("s3://landing/*.csv", notify="mail")  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="give the queue's URL"):
        Sqs("s3-events")


def test_an_object_has_a_key_and_a_file_its_name() -> None:
    at = Instant(0)
    assert File("s3://landing/in/a/b.csv", "a/b.csv", {}, 1, at, 1, "e1").key == "in/a/b.csv"
    assert File("/data/in/b.csv", "b.csv", {}, 1, at, 1).key == "b.csv"


def test_keys_come_from_files_and_are_never_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("very-secret-key\n")
    (tmp_path / "access").write_text("access-key-id\n")
    (tmp_path / "reactor.toml").write_text(
        '[s3]\nendpoint = "http://127.0.0.1:8333"\nsecret_key_file = "secret"\naccess_key_file = "access"\n'
    )
    settings = load_settings(tmp_path, environ={}).settings
    access = Access(**dict(settings.s3))
    assert access.options() == {
        "endpoint": "http://127.0.0.1:8333", "region": "us-east-1",
        "access_key_id": "access-key-id", "secret_access_key": "very-secret-key",
    }  # fmt: skip
    assert redactor(settings)("it was very-secret-key of access-key-id") == "it was *** of ***"
    words = [str(Path(sys.executable).with_name("reactor")), "config", "show", "--json", "--project", str(tmp_path)]
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert (json.loads(shown)["s3.secret_key"], json.loads(shown)["s3.access_key"]) == ("(secret)", "(secret)")
    assert "very-secret-key" not in shown + repr(access) + repr(settings)


def test_an_endpoint_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"s3\.endpoint"):
        load_settings(tmp_path, environ={"REACTOR_S3_ENDPOINT": "127.0.0.1:8333"})


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "reactor.sources.bucket.objects", raising=False)
    with pytest.raises(ConfigError, match=r"pip install 'reactor-orchestrator\[s3\]'"):
        objects_of(Bucket("s3://landing/*.csv"), Access())
