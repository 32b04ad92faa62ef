"""Commands that need no service: help, settings, definitions, init."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reactor.cli.main import COMMANDS
from tests.cli.conftest import Say, write_project


def test_help_lists_every_command_and_imports_none_of_them() -> None:
    program = (
        "import sys; from reactor.cli.main import run; code = run(['--help']);"
        "heavy = {'rich', 'pydantic', 'aiosqlite', 'starlette', 'aiokafka', 'opentelemetry'} & set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else code)"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    assert took < 3, "0.2 s on an idle machine"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(say: Say, name: str) -> None:
    assert say(name, "--help").code == 0


def test_a_misspelt_command_is_a_usage_error(say: Say) -> None:
    said = say("stauts")
    assert said.code == 2
    assert "stauts" in said.err


def test_check_prints_the_graph_and_fails_with_the_place(tmp_path: Path, say: Say) -> None:
    root = write_project(tmp_path)
    good = say("check", root=root)
    assert good.code == 0
    assert "└▶ build" in good.out
    assert say("check", "--json", root=root).json["tasks"] == 2
    (root / "workflows" / "daily.py").write_text("x = (")
    bad = say("check", root=root)
    assert (bad.code, bad.out) == (2, "")
    assert bad.err.startswith("reactor: workflows/daily.py:1: ")


def test_the_graph_is_data_too(tmp_path: Path, say: Say) -> None:
    found = say("graph", "--json", root=write_project(tmp_path)).json
    assert [a["name"] for a in found["assets"]] == ["orders", "refunds", "revenue", "report"]
    assert [(t["name"], t["needs"], t["outputs"]) for t in found["tasks"]] == [
        ("build", ["orders", "refunds"], ["revenue"]),
        ("tell", ["revenue"], ["report"]),
    ]


def test_settings_are_shown_with_their_origin_and_without_secrets(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_project(tmp_path)
    monkeypatch.setenv("REACTOR_TOKEN", "rx_hunter2")
    said = say("config", "show", "--origin", "--json", root=root)
    assert said.json["port"] == {"value": 0, "origin": "reactor.toml", "env": "REACTOR_PORT"}
    assert said.json["token"]["value"] == "(secret)"
    assert "hunter2" not in said.out + say("config", "show", root=root).out
    assert say("config", "show", "--run", "--json", root=root).json["kafka.servers"] == "localhost:9092"


def test_without_a_ledger_reads_say_so(tmp_path: Path, say: Say) -> None:
    said = say("events", root=write_project(tmp_path))
    assert (said.code, "no database" in said.err) == (4, True)


def test_outside_of_a_project_the_way_in_is_named(tmp_path: Path, say: Say) -> None:
    said = say("graph", root=tmp_path)
    assert (said.code, "reactor init" in said.err) == (2, True)


def test_init_makes_a_project_that_checks(tmp_path: Path, say: Say) -> None:
    assert say("init", str(tmp_path / "mine")).code == 0
    assert say("check", root=tmp_path / "mine").code == 0
    assert say("init", str(tmp_path / "mine")).code == 2


def test_colour_is_kept_out_of_pipes(tmp_path: Path) -> None:
    root = write_project(tmp_path)
    command = [sys.executable, "-m", "reactor.cli.main", "doctor", "--project", str(root)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout + done.stderr


MQTT = """
from reactor import Asset, Message, Mqtt, Ready, sensor
noted = Asset("noted")
@sensor(Mqtt("plant/{site}/closed"))
def on_closed(message: Message) -> Ready:
    return noted.ready()
"""


def test_the_doctor_looks_for_the_broker_of_mqtt_where_a_sensor_reads_it(tmp_path: Path, say: Say) -> None:
    root = write_project(tmp_path)

    def mqtt() -> tuple[str, str]:
        [found] = [f for f in say("doctor", "--json", root=root).json if f["what"] == "mqtt"]
        return found["state"], found["text"]

    assert mqtt() == ("ok", "no sensor reads MQTT")
    (root / "sensors" / "plant.py").write_text(MQTT)
    with socket.create_server(("127.0.0.1", 0)) as there:
        settings = f"[mqtt]\nserver = '127.0.0.1:{there.getsockname()[1]}'\nuser = 'a'\npassword = 'wonder-land-9'\n"
        (root / "reactor.toml").write_text(settings)
        state, text = mqtt()
        assert (state, "in the clear" in text, "wonder" in text) == ("note", True, False)
    state, text = mqtt()
    assert (state, "Start the broker, or correct mqtt.server" in text) == ("wrong", True)
    shown = say("config", "show", "--json", root=root)
    assert (shown.json["mqtt.user"], shown.json["mqtt.password"]) == ("a", "(secret)")


HOOK = """
from reactor import Asset, CloudEvent, Ready, Webhook, sensor
paid = Asset("paid")
@sensor(Webhook("/hooks/stripe", secret_file="secrets/stripe", style="stripe"))
def on_paid(event: CloudEvent) -> Ready:
    return paid.ready()
"""


def test_the_doctor_looks_for_the_secrets_of_webhooks(tmp_path: Path, say: Say) -> None:
    root = write_project(tmp_path)

    def webhooks() -> tuple[str, str]:
        [found] = [f for f in say("doctor", "--json", root=root).json if f["what"] == "webhooks"]
        return found["state"], found["text"]

    assert webhooks() == ("ok", "no sensor reads any")
    (root / "sensors" / "shop.py").write_text(HOOK)
    state, text = webhooks()
    assert (state, "Put the secret that the sender shows there" in text) == ("wrong", True)
    (root / "secrets").mkdir()
    (root / "secrets" / "stripe").write_text("whsec_of-the-shop-1234\n")
    assert webhooks() == ("ok", "1 with a secret that can be read")
