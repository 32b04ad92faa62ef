"""Definitions that cannot be right are refused when they are loaded, each with its place and the nearest name."""

import time
from collections.abc import Callable

import pytest

from reactor import (
    Asset,
    Daily,
    DefinitionError,
    Hourly,
    Kafka,
    Monthly,
    Record,
    Static,
    Workflow,
    at_least,
    schedule,
    sensor,
)
from reactor.core.build import build
from reactor.model.ids import AssetName, TaskName
from tests.core.stage import does, flow, graph_of

DAYS = Daily("2026-01-01")
HOURS = Hourly("2026-01-01T00")


def refused(make: Callable[[], object]) -> str:
    with pytest.raises(DefinitionError) as error:
        make()
    return str(error.value)


def one(inputs: object, **options: object) -> Workflow:
    w = flow()
    does("t", w, inputs=inputs, **options)
    return w


def test_an_unknown_asset_is_named_with_its_place_and_the_nearest_name() -> None:
    text = refused(lambda: graph_of(one("ordrs"), assets=[Asset("orders")]))
    place, _, what = text.partition(": ")
    assert "stage.py:" in place
    assert what == "task 't' waits for 'ordrs', but no asset is called so. Did you mean 'orders'?"


def test_every_reason_is_told_at_once() -> None:
    w = flow()
    does("t", w, inputs="nobody")
    does("u", w, inputs="noone")
    assert len(refused(lambda: graph_of(w)).splitlines()) == 2


def test_a_cycle_is_shown_as_a_walk() -> None:
    a, b, c = Asset("a"), Asset("b"), Asset("c")
    w = flow()
    does("makes_b", w, inputs=a, outputs=b)
    does("makes_c", w, inputs=b, outputs=c)
    does("makes_a", w, inputs=c, outputs=a)
    assert refused(lambda: graph_of(w)) == (
        "These tasks wait for each other in a circle, so none could ever start: "
        "makes_b -> makes_a -> makes_c -> makes_b."
    )


def test_a_task_that_waits_for_its_own_output_is_a_cycle() -> None:
    a = Asset("a")
    w = flow()
    does("t", w, inputs=a, outputs=a)
    assert refused(lambda: graph_of(w)).endswith("could ever start: t -> t.")


def test_a_chain_of_thousands_of_tasks_loads() -> None:
    assets = [Asset(f"a{n}") for n in range(5_001)]
    w = flow()
    for n in range(5_000):
        does(f"t{n}", w, inputs=assets[n], outputs=assets[n + 1])
    graph = graph_of(w)
    assert len(graph.nodes) == 5_000
    does("last", w, inputs=assets[5_000], outputs=assets[0])
    assert "in a circle" in refused(lambda: graph_of(w))


def test_a_diamond_is_no_cycle() -> None:
    a, b, c, d = (Asset(n) for n in "abcd")
    w = flow()
    does("makes_b", w, inputs=a, outputs=b)
    does("makes_c", w, inputs=a & b, outputs=c)
    does("makes_d", w, inputs=b & c, outputs=d)
    assert graph_of(w).makers == {"b": "makes_b", "c": "makes_c", "d": "makes_d"}


def test_an_owner_is_asked_for() -> None:
    assert refused(lambda: Workflow("w", owner=" ")) == (
        "Workflow 'w' has no owner. Name who is told when it fails: owner=\"team@example.com\"."
    )
    assert "task 't' has no owner" in refused(lambda: graph_of(one(Asset("a"), owner=" ")))


def test_an_output_has_one_maker() -> None:
    a, out = Asset("a"), Asset("out")
    w = flow()
    does("t", w, inputs=a, outputs=out)
    does("u", w, inputs=a, outputs=out)
    assert "'out' is made by 'u' and by 't'. An output has one maker" in refused(lambda: graph_of(w))


def test_one_name_is_one_asset() -> None:
    w = one(Asset("a", DAYS) & Asset("b", DAYS))
    assert "Asset 'a' is defined twice, and differently" in refused(lambda: graph_of(w, assets=[Asset("a")]))
    assert graph_of(w, assets=[Asset("a", DAYS)]).assets[AssetName("a")] == Asset("a", DAYS)


def test_names_of_tasks_workflows_and_sensors_are_unique() -> None:
    a = Asset("a")
    twice = flow()
    does("t", twice, inputs=a)
    assert "two tasks called 't'" in refused(lambda: twice.command("t", ["true"], inputs=a))
    one_, other = flow("one"), flow("other")
    does("t", one_, inputs=a)
    does("t", other, inputs=a)
    assert "a task called 't' exists already at " in refused(lambda: graph_of(one_, other))
    assert "Two workflows are called 'flow'" in refused(lambda: graph_of(flow(), flow()))

    @sensor(Kafka("one"), name="s")
    def first(record: Record) -> None: ...

    @sensor(Kafka("two"), name="s")
    def second(record: Record) -> None: ...

    assert (
        refused(lambda: build([], [first, second], [])) == "Two sensors are called 's'. Rename one, or give it name=..."
    )


@pytest.mark.parametrize(
    "other", [None, HOURS, Daily("2026-01-02"), Daily("2026-01-01", "Europe/Berlin"), Static("eu")]
)
def test_keys_that_can_never_meet_are_refused(other: object) -> None:
    text = refused(lambda: graph_of(one(Asset("a", DAYS) & Asset("b", other))))  # type: ignore[arg-type]
    assert "their keys can never meet, so it would wait for ever" in text
    assert "Roll it up with b.all_of(...), or only read it: inputs=(...).reading(b)." in text


@pytest.mark.parametrize(
    ("operand", "reason"),
    [
        (Asset("a", DAYS).all_of(HOURS), "'a' is not cut finer than that"),
        (Asset("a", DAYS).all_of(DAYS), "'a' is not cut finer than that"),
        (Asset("a").all_of(DAYS), "'a' is not cut finer than that"),
        (Asset("a", HOURS).all_of(Daily("2026-01-01", "Europe/Berlin")), "Use one time zone"),
        (Asset("a", HOURS).all_of(DAYS, at_least=26), "asks for 26, but a day has at most 25: it could never start"),
        (Asset("a", HOURS).all_of(DAYS, at_least=0), "asks for 0"),
        (Asset("a", HOURS).all_of(DAYS, missing_at_most=25), "missing_at_most lies between 0 and 24"),
        (Asset("a", DAYS).all_of(Monthly("2026-01"), at_least=32), "a month has at most 31"),
    ],
    ids=str,
)
def test_a_roll_up_that_cannot_be_is_refused(operand: object, reason: str) -> None:
    assert reason in refused(lambda: graph_of(one(operand)))


def test_a_threshold_above_its_parts_is_refused() -> None:
    assert refused(lambda: at_least(4, "a", "b")) == "at_least(4, ...) of 2 parts can never hold. Ask for 1 to 2."


def test_and_or_in_words_are_refused() -> None:
    assert "Join conditions with & and |" in refused(lambda: Asset("a") and Asset("b"))


def test_options_come_last() -> None:
    assert "set them last" in refused(lambda: (Asset("a") & Asset("b")).within("1h") & Asset("c"))


def test_runs_are_cut_as_outputs_else_as_inputs() -> None:
    for inputs, outputs, cut in [
        (Asset("a", DAYS), (), DAYS),
        (Asset("a", DAYS), Asset("out", DAYS), DAYS),
        (Asset("a", HOURS).all_of(DAYS), Asset("out", DAYS), DAYS),
        (schedule(every="1h"), Asset("out", DAYS), DAYS),
        (Asset("a", DAYS), Asset("out"), None),
        (Asset("a"), (), None),
    ]:
        graph = graph_of(one(inputs, outputs=outputs))
        assert graph.nodes[TaskName("t")].partitions == cut


def test_conditions_carry_the_definitions_of_their_assets() -> None:
    graph = graph_of(one((Asset("a").where("n > 1") & Asset("b", due=None)).reading(Asset("c", owner="c@example.com"))))
    assert set(graph.assets) == {"a", "b", "c"}


def test_the_owner_of_an_asset_is_its_own_else_its_makers_else_a_consumers() -> None:
    made, own, raw = Asset("made"), Asset("own", owner="own@example.com"), Asset("raw")
    w = flow()
    does("t", w, inputs=raw & own, outputs=made, owner="maker@example.com")
    graph = graph_of(w)
    owners = [graph.owner_of(AssetName(a)) for a in ("own", "made", "raw", "nobody")]
    assert owners == ["own@example.com", "maker@example.com", "maker@example.com", ""]


def test_the_time_to_build_grows_with_the_tasks_and_not_with_their_square() -> None:
    """Sixteen times the tasks, in CPU, the best of three. Where each task looked at every asset, it was 256 times."""

    def cpu(tasks: int) -> float:
        w = flow()
        for n in range(tasks):
            does(f"t{n}", w, inputs=Asset(f"a{n}"))
        took = []
        for _ in range(3):
            began = time.process_time()
            graph_of(w)
            took.append(time.process_time() - began)
        return min(took)

    assert cpu(4_000) < 80 * cpu(250)
