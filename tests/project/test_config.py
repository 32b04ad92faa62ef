"""Settings: who wins, where each value comes from, and what is refused."""

from pathlib import Path

import pytest

from reactor.model.errors import ConfigError
from reactor.project.config import Kafka, Loaded, load_settings
from reactor.sources.kafka.settings import KafkaSettings


def loaded(root: Path, toml: str = "", env: dict[str, str] | None = None, **flags: object) -> Loaded:
    (root / "reactor.toml").write_text(toml)
    return load_settings(root, flags=flags, environ=env or {})


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(tmp_path: Path) -> None:
    toml, env = "port = 1", {"REACTOR_PORT": "2"}
    for found, value, origin in (
        (loaded(tmp_path), 8420, "default"),
        (loaded(tmp_path, toml), 1, "reactor.toml"),
        (loaded(tmp_path, toml, env), 2, "REACTOR_PORT"),
        (loaded(tmp_path, toml, env, port=3), 3, "--port"),
        (loaded(tmp_path, toml, env, port=None), 2, "REACTOR_PORT"),
    ):
        assert (found.settings.port, found.origins["port"]) == (value, origin)


def test_the_project_is_the_nearest_folder_above_with_settings(tmp_path: Path) -> None:
    inner = tmp_path / "workflows" / "deep"
    inner.mkdir(parents=True)
    (tmp_path / "reactor.toml").write_text("")
    assert load_settings(inner, environ={}).settings.root == tmp_path.resolve()


def test_topics_are_embedded_in_dev_and_never_by_default_in_run(tmp_path: Path) -> None:
    assert load_settings(tmp_path, mode="dev", environ={}).settings.kafka.servers == "embedded"
    assert load_settings(tmp_path, mode="run", environ={}).settings.kafka.servers == "localhost:9092"


def test_groups_are_set_by_tables_and_by_names(tmp_path: Path) -> None:
    found = loaded(
        tmp_path, "[kafka]\ngroup = 'a'", {"REACTOR_KAFKA_SERVERS": "b:1", "REACTOR_DEFINITIONS": "rules,more"}
    )
    assert (found.settings.kafka.group, found.settings.kafka.servers) == ("a", "b:1")
    assert found.settings.definitions == ("rules", "more")


def test_a_secret_is_read_from_a_file_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    for found in (
        loaded(tmp_path, env={"REACTOR_KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "secret")}),
        loaded(tmp_path, "[kafka]\nsasl_password_file = 'secret'"),
    ):
        password = found.settings.kafka.sasl_password
        assert password is not None
        assert password.get_secret_value() == "hunter2"
        assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("toml", "env", "said"),
    [
        ("prot = 1", {}, r"no setting 'prot'. Did you mean 'port'\?"),
        ("[kafka]\nserver = 'a:1'", {}, r"'kafka.server'. Did you mean 'kafka.servers'\?"),
        ("port = 99999", {}, r"port \(from reactor.toml\) cannot be right"),
        ("port = [", {}, "is no TOML"),
        ("retention = 'long'", {}, r"retention .* is not a length of time"),
        ("definitions = ['my-rules']", {}, "cannot be a folder of definitions"),
        ("", {"REACTOR_PRT": "1"}, "Did you mean 'REACTOR_PORT'"),
        ("", {"REACTOR_PORT": "many"}, r"port \(from REACTOR_PORT\)"),
        ("", {"REACTOR_TOKEN_FILE": "/nowhere"}, "the secret in /nowhere cannot be read"),
    ],
)
def test_what_cannot_be_right_is_refused_with_the_place(
    tmp_path: Path, toml: str, env: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        loaded(tmp_path, toml, env)


def test_the_environment_of_others_is_left_alone(tmp_path: Path) -> None:
    loaded(tmp_path, env={"REACTOR_RUN_ID": "r1", "REACTOR_TORTURE_KILLS": "5"})


def test_the_brokers_settings_have_the_names_that_the_client_knows() -> None:
    assert set(Kafka.model_fields) == set(KafkaSettings.model_fields)
    assert KafkaSettings(**Kafka().model_dump()) == KafkaSettings()
