"""MQTT under `kill -9`: publications without any identity, the service killed between receipt, commit and acknowledgement.

Promised is: none is lost; and none is announced twice, because the ledger knows which packets it has.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from reactor.model.ids import AssetName, PartitionKey
from reactor.sources.base import Condition
from reactor.store.sqlite import SqliteReader
from tests.services.mosquitto import Mosquitto, Mqtt
from tests.services.wait import eventually
from tests.torture.lives import Life, Zygote

KILLS = int(os.environ.get("REACTOR_TORTURE_MQTT_KILLS", "30"))
SEED = int(os.environ.get("REACTOR_TEST_SEED", "0"))
POINTS = ("before-commit", "after-commit", "after-commit", "after-ack", "")
SENSORS = """
from reactor import Asset, Dynamic, Message, Mqtt, Ready, sensor

reading = Asset("reading", Dynamic("n"))

@sensor(Mqtt("kill/{site}/closed"))
def on_closed(message: Message) -> Ready:
    assert message.fields["site"] == "north"
    return reading.ready(message.text)
"""


class Plant:
    """A project that reads readings, and lives of its service."""

    def __init__(self, root: Path, broker: Mqtt, zygote: Zygote) -> None:
        self.root, self.broker = root, broker
        self.rng = random.Random(SEED)
        (root / "secret").write_text(f"{broker.password}\n")
        settings = f'[mqtt]\nserver = "{broker.server}"\nuser = "{broker.user}"\npassword_file = "secret"\n'
        for name, text in (("sensors/plant.py", SENSORS), ("workflows/none.py", ""), ("reactor.toml", settings)):
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text)
        self.zygote = zygote
        self.published = 0
        self.alive: Life | None = None
        """The newest life, which a test that failed leaves behind."""

    def begin(self, point: str = "", nth: int = 0) -> Life | None:
        """A life. None: it was over before it could say where it is."""
        _, opened = self.zygote.fork(self.root, point, nth)
        self.alive = opened()
        return self.alive

    def close(self) -> None:
        if self.alive is not None and self.alive.alive:
            self.alive.kill()

    async def publish(self) -> None:
        """Some more readings, with QoS 1 or 2, some of them equal in all but what they say."""
        count = self.rng.randint(1, 60)
        bodies = [b"%d" % (self.published + n) for n in range(count)]
        await self.broker.publish("kill/north/closed", *bodies, qos=self.rng.choice((1, 2)))
        self.published += count

    async def killed_once(self) -> None:
        life = self.begin(self.rng.choice(POINTS), self.rng.randint(1, 6))
        await self.publish()
        if life is None:
            return
        if self.rng.random() < 0.5:
            life.kill()
        else:  # a labelled point will be passed soon, for there is something to read
            await eventually(lambda: not life.alive or self._idle(life), 20.0)
            life.kill()

    def _idle(self, life: Life) -> bool:
        answer = life.ask("GET", "/api/sources")
        if answer is None:
            return False
        [health] = answer[1].values()
        return bool(health["condition"] == Condition.CONNECTED and health["lag"] == 0)

    async def versions(self) -> dict[int, int]:
        reader = await SqliteReader.open(self.root / ".reactor" / "reactor.db")
        try:
            wrong = {}
            for n in range(self.published):
                slot = await reader.slot(AssetName("reading"), PartitionKey(str(n)))
                if slot is None or slot.version != 1:
                    wrong[n] = 0 if slot is None else slot.version
            assert list(await reader.balance()) == []
            return wrong
        finally:
            await reader.close()


@pytest.fixture
def plant(tmp_path: Path, own_mqtt: Mosquitto, zygote: Zygote) -> Iterator[Plant]:
    made = Plant(tmp_path, own_mqtt, zygote)
    yield made
    made.close()


async def test_none_is_lost_and_none_is_announced_twice_under_kill_9(plant: Plant, own_mqtt: Mosquitto) -> None:
    await own_mqtt.start()
    first = plant.begin()
    assert first is not None
    await eventually(lambda: plant._idle(first))  # its session stands: from here on the broker keeps what comes
    first.kill()
    for _ in range(KILLS):
        await plant.killed_once()
    last = plant.begin()
    assert last is not None

    async def all_there() -> bool:
        return plant._idle(last) and 0 not in (await plant.versions()).values()

    await eventually(all_there, 30.0)
    last.stop()
    print(f"\n{KILLS} kills, {plant.published} publications")
    assert await plant.versions() == {}, "by number: how often it was announced, where that is not once"
