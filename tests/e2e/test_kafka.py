"""The service as its users run it, over a real broker: what starts, what the command line says of it, and what no restart can undo."""

from __future__ import annotations

from collections import Counter

from tests.e2e.conftest import NewProject
from tests.e2e.project import Project, until
from tests.e2e.topic import Topic
from tests.services.kafka import Kafka, KafkaBroker


def orders(first: int, count: int) -> list[str]:
    return [f"o{n}" for n in range(first, first + count)]


def once(project: Project, wanted: list[str]) -> None:
    """Each order came in once by each way, and was shipped by one run, whose attempts began under growing tokens."""
    runs = project.read("runs", "--task", "ship", "--limit", "9999")
    assert Counter(run["key"] for run in runs) == Counter(wanted)
    assert {run["state"] for run in runs} == {"succeeded"}
    for asset in ("paid", "packed"):
        events = project.read("events", asset, "--limit", "9999")
        assert Counter(event["partition"] for event in events) == Counter(wanted)
        assert {event["version"] for event in events} == {1}
    tokens: dict[str, int] = {}
    for effect in project.effects:
        assert effect["token"] > tokens.get(effect["run"], 0), effect
        tokens[effect["run"]] = effect["token"]
    assert project.balances()


async def test_a_record_and_a_file_start_a_task_and_every_view_tells_the_same(
    kafka: Kafka, project: NewProject
) -> None:
    topic = await Topic.new(kafka)
    shop = project(topic.settings).shop(topic.name)
    with shop.serving("run") as service:
        await topic.paid(["o1"])
        until(lambda: shop.read("why", "shipped", "o1")["state"] == "partial")
        waiting = shop.read("why", "shipped", "o1")
        assert waiting["turn"] == ["stock@example.com: packed"]
        shop.land("o1.csv")
        until(lambda: shop.shipped() == {"o1"})
        until(lambda: shop.say("why", "shipped", "o1").code == 0)
        why = shop.read("why", "shipped", "o1")
        page = shop.read("runs", "show", why["runs"][0]["id"])
        assert (page["run"]["state"], [a["result"] for a in page["attempts"]]) == ("succeeded", ["succeeded"])
        assert [(i["asset"], i["partition"], i["version"]) for i in page["inputs"]] == [
            ("paid", "o1", 1), ("packed", "o1", 1),
        ]  # fmt: skip
        events = {e["asset"]: e for e in shop.read("events")}
        assert {name: (e["lane"], e["position"], e["by"]) for name, e in events.items()} == {
            "paid": (f"{topic.name}/0", 0, "on_paid"),
            "packed": ("0", 0, "on_packed"),
            "shipped": ("runs", 0, "task ship"),
        }
        assert events["paid"]["runs"] == events["packed"]["runs"] == [page["run"]["id"]]
        sensors = {s["sensor"]: s for s in shop.read("sensors")}
        assert sensors["on_paid"]["lanes"] == {f"{topic.name}/0": 1}
        assert {s["health"]["condition"] for s in sensors.values()} == {"connected"}
        assert service.ask("/readyz").body == {"ready": True, "reason": None}
    once(shop, ["o1"])
    assert await topic.stands_at() == {0: 1}


async def test_a_broker_that_is_not_there_yet_and_one_that_is_restarted(
    own_kafka: KafkaBroker, project: NewProject
) -> None:
    topic = Topic(own_kafka, "paid")
    shop = project(topic.settings).shop(topic.name)
    with shop.serving("run") as service:
        nobody = (
            f"Kafka at {own_kafka.bootstrap}: ConnectionRefusedError: [Errno 111] Connection refused. No broker answers there. Check that "
            "one runs, that kafka.servers names it, and that kafka.security_protocol is that of its listener. Reading goes on by itself once "
            "it answers."
        )
        until(lambda: service.health(topic.source)["error"])
        assert service.health(topic.source)["condition"] == "connecting"
        assert service.health(topic.source)["error"] == nobody
        doctor = {f["what"]: f for f in shop.say("doctor", "--json").json}
        assert doctor["kafka"]["text"] == (
            f"nobody listens at {own_kafka.bootstrap}. Start the broker, or correct kafka.servers."
        )
        assert doctor["kafka"]["state"] == "wrong"
        published = shop.say("publish", topic.name, '{"order": "o1"}')
        assert (published.code, published.err) == (69, f"reactor: {nobody}\n")
        shop.land("o1.csv")
        until(lambda: shop.read("why", "shipped", "o1")["state"] == "partial")
        assert nobody in " ".join(shop.read("why", "shipped", "o1")["next"])
        until(lambda: service.logged(f"Source {topic.source} is not well (connecting): {nobody}"))

        await own_kafka.start()
        await own_kafka.create_topic(topic.name)
        await topic.paid(["o1"])
        until(lambda: shop.shipped() == {"o1"}, 30)
        until(lambda: service.logged(f"Source {topic.source} is well again."))

        await own_kafka.stop()
        shop.land("o2.csv")
        until(lambda: "the broker is down" in (service.health(topic.source)["error"] or ""))
        await own_kafka.start()
        await topic.paid(["o2"])
        until(lambda: shop.shipped() == {"o1", "o2"}, 30)
        until(lambda: service.health(topic.source)["error"] is None)
    once(shop, ["o1", "o2"])


async def test_offsets_that_somebody_else_rewound_double_nothing_and_are_told(
    kafka: Kafka, project: NewProject
) -> None:
    topic = await Topic.new(kafka)
    shop = project(topic.settings).shop(topic.name)
    with shop.serving("run"):
        await topic.paid(orders(0, 10))
        for order in orders(0, 11):
            shop.land(f"{order}.csv")
        until(lambda: len(shop.shipped()) == 10)
    assert await topic.stands_at() == {0: 10}
    await topic.reset_offsets(3)
    with shop.serving("run") as service:
        until(lambda: f"{topic.name}/0 at 3 instead of 10" in service.health(topic.source)["detail"])
        await topic.paid(["o10"])
        until(lambda: len(shop.shipped()) == 11)
        assert service.logged(
            f"The offsets of the consumer group '{topic.group}' are not where the ledger stands: {topic.name}/0 at 3 instead of 10. A service "
            "that was killed before it could tell the group leaves them so, and so does somebody who resets them. The ledger counts: reading "
            "goes on where it stands, nothing is read twice or left out"
        )
    once(shop, orders(0, 11))
    assert await topic.stands_at() == {0: 11}


async def test_after_kill_9_in_the_middle_each_record_and_file_has_its_effect_once(
    kafka: Kafka, project: NewProject
) -> None:
    topic = await Topic.new(kafka, partitions=3)
    shop = project(topic.settings).shop(topic.name)
    wanted = orders(0, 450)
    service = shop.start("run").up()
    for part in range(0, 450, 50):
        if part == 300:  # some are done, some are under way, and the rest comes while nobody reads
            until(lambda: len(shop.effects) > 50)
            service.kill()
        await topic.paid(wanted[part : part + 50])
        for order in reversed(wanted[part : part + 50]):
            shop.land(f"{order}.csv")
    assert 0 < len(shop.shipped()) < 450
    gone = shop.say("runs", "cancel", "any")
    assert (gone.code, "does not answer" in gone.err) == (69, True)
    with shop.serving("run"):
        until(lambda: len(shop.shipped()) == 450, 30)
        until(lambda: len(shop.read("runs", "--state", "succeeded", "--limit", "9999")) == 450)
    once(shop, wanted)
