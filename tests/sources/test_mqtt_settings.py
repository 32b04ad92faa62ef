"""What a setting of MQTT may be, and what is said where it cannot be right; and which topic filters there are."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from reactor.model.errors import ConfigError, DefinitionError
from reactor.model.source import Mqtt
from reactor.project.config import Mqtt as Group
from reactor.project.config import load_settings
from reactor.sources.mqtt.client import identifier
from reactor.sources.mqtt.settings import MqttSettings
from reactor.wiring import redactor


def refused(**settings: object) -> str:
    with pytest.raises(ValidationError) as caught:
        MqttSettings.model_validate(settings)
    return str(caught.value)


def test_the_project_s_settings_have_the_names_that_the_client_knows() -> None:
    assert set(Group.model_fields) == set(MqttSettings.model_fields)
    assert MqttSettings(**Group().model_dump()) == MqttSettings()


@pytest.mark.parametrize(("server", "address"), [("a:1883", ("a", 1883)), (" [::1]:1 ", ("::1", 1))])
def test_a_server_is_a_host_with_a_port(server: str, address: tuple[str, int]) -> None:
    assert MqttSettings(server=server).address == address


@pytest.mark.parametrize("server", ["", "a", "a:0", "a:65536", "mqtt://a:1", "a:1,b:1"])
def test_anything_else_is_refused_with_an_example(server: str) -> None:
    assert "is not host:port. Write for example 'broker:1883'" in refused(server=server)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"password": "x"}, "mqtt.user is not"),
        ({"tls_cafile": "ca.pem"}, "mqtt.tls is false, which does not encrypt"),
        ({"tls": True, "tls_certfile": "a.pem"}, "belong together"),
        ({"session_expiry": "10s"}, "at least a minute"),
        ({"client_id": "ä"}, "client_id"),
    ],
)
def test_what_does_not_go_together_is_refused(settings: dict[str, object], said: str) -> None:
    assert said in refused(**settings)


def test_the_password_comes_from_a_file_and_is_shown_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("wonder-land-9\n")
    (tmp_path / "reactor.toml").write_text("[mqtt]\nuser = 'alice'\npassword_file = 'secret'\n")
    loaded = load_settings(tmp_path, environ={})
    settings = MqttSettings(**loaded.settings.mqtt.model_dump())
    assert settings.password is not None
    assert settings.password.get_secret_value() == "wonder-land-9"
    assert loaded.origins["mqtt.password"] == "secret"
    assert "wonder-land-9" not in repr(settings) + repr(loaded) + refused(**settings.model_dump() | {"server": ""})
    assert "wonder-land-9" not in redactor(loaded.settings)("it was wonder-land-9")


def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("this is no certificate")
    for file in (tmp_path / "ca.pem", tmp_path / "none.pem"):
        with pytest.raises(ConfigError, match=r"mqtt.tls_cafile: .* cannot be used: .* Give the path of a PEM file"):
            MqttSettings(tls=True, tls_cafile=file).ssl_context()


def test_a_source_is_one_client_to_the_broker_over_restarts_and_another_than_its_neighbours() -> None:
    settings = MqttSettings()
    names = [identifier(settings, source) for source in ("mqtt:a", "mqtt:a", "mqtt:b")]
    assert names[0] == names[1] != names[2]
    assert all(name.startswith("reactor-") and len(name) < 60 for name in names)


@pytest.mark.parametrize(
    "topic", ["", "a/#/b", "a+/b", "a#", "{site", "{si te}", "a{b}", "{a}/{a}", "$share/g/a", "a\0", "ä" * 40_000]
)
def test_what_is_no_topic_filter_is_refused(topic: str) -> None:
    with pytest.raises(DefinitionError):
        Mqtt(topic)


def test_names_are_wildcards_to_the_broker() -> None:
    assert Mqtt("plant/{site}/+/#").filter == "plant/+/+/#"
    assert Mqtt("plant/{site}").name == "mqtt:plant/{site}"
