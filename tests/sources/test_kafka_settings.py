"""What a setting of Kafka may be, and what is said where it cannot be right."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from reactor.model.errors import ConfigError
from reactor.sources.kafka.client import connection, instance
from reactor.sources.kafka.settings import KafkaSettings

SASL = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "PLAIN",
    "sasl_username": "alice",
    "sasl_password": "wonder-land-9",
}


def refused(**settings: object) -> str:
    with pytest.raises(ValidationError) as caught:
        KafkaSettings.model_validate(settings)
    return str(caught.value)


def test_the_defaults_are_a_broker_on_this_machine_without_credentials() -> None:
    settings = KafkaSettings()
    assert (settings.servers, settings.group, settings.tls, settings.sasl, settings.embedded) == (
        "localhost:9092", "reactor", False, False, False,
    )  # fmt: skip
    assert settings.ssl_context() is None


def test_embedded_stands_in_the_place_of_servers() -> None:
    assert KafkaSettings(servers="embedded").embedded


@pytest.mark.parametrize("servers", ["a:9092", "a:1,b-2.example:65535", " a:1 , b:2 ", "[::1]:9092", "10.0.0.1:9092"])
def test_servers_are_hosts_with_ports(servers: str) -> None:
    assert KafkaSettings(servers=servers).servers == ",".join(part.strip() for part in servers.split(","))


@pytest.mark.parametrize("servers", ["", "a", "a:", "a:0", "a:65536", "a:1,", "http://a:1", "embeded", "a:1 b:2"])
def test_anything_else_is_refused_with_an_example(servers: str) -> None:
    assert "is not host:port. Write for example 'broker-1:9092,broker-2:9092'" in refused(servers=servers)


@pytest.mark.parametrize("left_out", ["sasl_mechanism", "sasl_username", "sasl_password"])
def test_what_sasl_needs_is_named(left_out: str) -> None:
    text = refused(**{name: value for name, value in SASL.items() if name != left_out})
    assert f"kafka.{left_out} is missing, but security_protocol is SASL_SSL" in text


def test_credentials_that_would_not_be_sent_are_refused() -> None:
    assert "kafka.sasl_username is set, but security_protocol is PLAINTEXT, which sends no credentials" in refused(
        sasl_username="a"
    )


def test_certificates_that_would_not_be_used_are_refused() -> None:
    assert "kafka.ssl_cafile is set, but security_protocol is PLAINTEXT, which does not encrypt" in refused(
        ssl_cafile="ca.pem"
    )


def test_a_certificate_without_its_key_is_refused() -> None:
    assert "belong together" in refused(security_protocol="SSL", ssl_certfile="c.pem")


def test_a_misspelt_setting_is_refused() -> None:
    assert "grup" in refused(grup="x")


def test_the_password_is_in_no_text() -> None:
    settings = KafkaSettings.model_validate(SASL)
    texts = [
        repr(settings),
        str(settings),
        settings.model_dump_json(),
        str(settings.model_dump()),
        refused(**SASL, servers="x"),
    ]
    assert [text for text in texts if "wonder" in text] == []
    assert connection(settings)["sasl_plain_password"] == "wonder-land-9"


def test_a_certificate_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    with pytest.raises(ConfigError, match=r"kafka.ssl_cafile: .*ca.pem cannot be used: No such file"):
        KafkaSettings(security_protocol="SSL", ssl_cafile=file).ssl_context()


def test_a_certificate_file_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("hello")
    with pytest.raises(ConfigError, match=r"kafka.ssl_cafile: .*ca.pem cannot be used"):
        KafkaSettings(security_protocol="SSL", ssl_cafile=file).ssl_context()


def test_the_standing_membership_is_told_apart_by_node_and_topic_and_fits_kafka() -> None:
    settings = KafkaSettings(client_id="node-1")
    assert instance(settings, "orders") == "node-1.orders"
    long = [instance(settings, "t" * 248 + end) for end in "ab"]
    assert max(map(len, long)) <= 249
    assert long[0] != long[1]
