"""Loading definitions: what is collected, what is refused and how that reads, and that a broken file breaks nothing."""

import sys

import pytest

from reactor.model.errors import DefinitionError, NotFound
from reactor.model.ids import TaskName
from reactor.project.changes import changes
from reactor.project.load import load, resolve
from tests.project.conftest import Make

INPUTS = """
from reactor import Asset, Kafka, Record, sensor
orders = Asset("orders")

@sensor(Kafka("orders"))
def orders_seen(record: Record):
    return orders.ready()
"""
DAILY = """
from reactor import Asset, Run, Workflow
from sensors.inputs import orders
revenue = Asset("revenue")
daily = Workflow("daily", owner="me@example.com")

@daily.task(inputs=orders, outputs=revenue)
def build(run: Run) -> None:
    return None
"""


def test_files_import_each_other_and_what_they_hold_is_collected(make: Make) -> None:
    root = make(sensors__inputs=INPUTS, workflows__daily=DAILY)
    found = load(root)
    assert set(found.graph.assets) == {"orders", "revenue"}
    assert [s.name for s in found.graph.sensors] == ["orders_seen"]
    assert list(found.graph.nodes) == ["build"]
    assert found.warnings == ()


def test_each_task_carries_the_version_of_its_file(make: Make) -> None:
    root = make(sensors__inputs=INPUTS, workflows__daily=DAILY)
    first = load(root).graph.nodes[TaskName("build")].digest
    assert len(first) == 12
    make(workflows__daily=DAILY + "\n# another\n")
    assert load(root).graph.nodes[TaskName("build")].digest != first


def test_what_lists_and_dicts_hold_counts_too(make: Make) -> None:
    root = make(
        workflows__many="from reactor import Asset, Workflow\n"
        "flows = [Workflow(f'w{n}', owner='me@example.com') for n in range(3)]\n"
        "for w in flows:\n    w.command(f'do-{w.name}', ['true'], inputs=Asset('a'))\n"
    )
    assert set(load(root).graph.nodes) == {"do-w0", "do-w1", "do-w2"}


def test_a_file_that_was_saved_twice_within_a_second_is_the_newer_one(make: Make) -> None:
    root = make(sensors__inputs=INPUTS, workflows__daily=DAILY)
    load(root)
    make(sensors__inputs=INPUTS.replace("orders", "ordars"), workflows__daily=DAILY.replace("orders", "ordars"))
    assert "ordars" in load(root).graph.assets
    assert not list(root.rglob("__pycache__"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = (", r"^workflows/daily\.py:1: '\(' was never closed: x = \("),
        (
            "from sensors.input import orders",
            r"^workflows/daily\.py:1: No module named .*Did you mean 'sensors\.inputs'\?",
        ),
        ("from sensors.inputs import ordrs", r"^workflows/daily\.py:1: .*Did you mean 'orders'\?"),
        ("import nowhere_installed", r"Install it where reactor runs"),
        ("\n\n1 / 0", r"^workflows/daily\.py:3: ZeroDivisionError: division by zero\n.*work belongs in tasks"),
        ("raise SystemExit(3)", r"^workflows/daily\.py:1: SystemExit: 3"),
        ("from reactor import Asset\nAsset('no spaces')", r"^workflows/daily\.py:2: 'no spaces' cannot name an asset"),
        (
            DAILY.replace("inputs=orders", "inputs='ordes'"),
            r"^workflows/daily\.py:7: .*waits for 'ordes'.*Did you mean 'orders'\?",
        ),
    ],
)
def test_what_cannot_be_right_is_told_with_its_file_and_line(make: Make, text: str, said: str) -> None:
    root = make(sensors__inputs=INPUTS, workflows__daily=text)
    with pytest.raises(DefinitionError, match=said):
        load(root)


def test_a_broken_file_leaves_what_was_loaded_before(make: Make) -> None:
    root = make(sensors__inputs=INPUTS, workflows__daily=DAILY)
    load(root)
    before = sys.modules["workflows.daily"]
    make(workflows__daily="x = (")
    with pytest.raises(DefinitionError):
        load(root)
    assert sys.modules["workflows.daily"] is before


def test_a_folder_that_an_installed_package_hides_is_named(make: Make) -> None:
    root = make(email__rules="x = 1")
    with pytest.raises(
        DefinitionError, match=r"folder email/ .* same name is installed .*definitions = \[\"my_email\""
    ):
        load(root, ["email"])


def test_a_file_that_cannot_be_imported_by_its_name_is_named(make: Make) -> None:
    root = make(sensors__inputs=INPUTS)
    (root / "sensors" / "my-file.py").write_text("")
    with pytest.raises(DefinitionError, match=r"no Python name\. Rename it, for example to 'my_file'"):
        load(root)


def test_a_folder_without_definitions_says_what_to_do(make: Make) -> None:
    root = make(other__x="")
    with pytest.raises(DefinitionError, match=r"no Python file in sensors/ or workflows/.*reactor init"):
        load(root)


def test_what_is_probably_a_slip_is_a_warning(make: Make) -> None:
    lonely = INPUTS.replace('"orders")\n', '"orders")\nnobody = Asset("nobody")\nunused = Asset("unused")\n', 1)
    lonely += "\n@sensor(Kafka('u'))\ndef unused_seen(record: Record):\n    return unused.ready()\n"
    daily = DAILY.replace("import orders", "import nobody, orders").replace("=orders", "=orders & nobody")
    root = make(sensors__inputs=lonely, workflows__daily=daily)
    assert load(root).warnings == (
        "Nobody announces nobody: no sensor mentions it and no task makes it, so build will wait for ever.",
        "Sensor unused_seen announces unused, which no task waits for.",
    )


def test_a_sensor_that_answers_through_a_helper_is_no_slip(make: Make) -> None:
    helped = (
        INPUTS.replace("    return orders.ready()", "    return answer()")
        + "\ndef answer():\n    return orders.ready()\n"
    )
    assert load(make(sensors__inputs=helped, workflows__daily=DAILY)).warnings == ()


def test_a_worker_finds_tasks_by_name(make: Make) -> None:
    root = make(sensors__inputs=INPUTS, workflows__daily=DAILY)
    find = resolve(str(root), "sensors", "workflows")
    assert find(TaskName("build")).name == "build"
    with pytest.raises(NotFound, match="Did you mean 'build'"):
        find(TaskName("buld"))


def test_what_changed_is_said_in_words(make: Make) -> None:
    root = make(sensors__inputs=INPUTS, workflows__daily=DAILY)
    old = load(root).graph
    make(workflows__daily="# moved down by a line\n" + DAILY)
    assert changes(old, load(root).graph) == []
    make(
        workflows__daily=DAILY.replace("return None", "print(1)").replace(
            "outputs=revenue)", "outputs=revenue, timeout='5s')"
        )
    )
    assert changes(old, load(root).graph) == ["~ task build: its code changed; its timeout changed"]
    make(
        workflows__daily=DAILY.replace("inputs=orders", "inputs=orders.where('rows > 0')").replace(
            '"revenue"', '"income"'
        )
    )
    assert changes(old, load(root).graph) == [
        "+ asset income",
        "- asset revenue",
        "~ task build: its rule is now orders.where('rows > 0'); its outputs are now income",
    ]
