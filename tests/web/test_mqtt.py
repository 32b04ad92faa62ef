"""MQTT through the whole service, on a real broker: what a publication becomes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from pydantic import BaseModel

from reactor import Asset, Dynamic, Message, Mqtt, Ready, Run, Workflow, sensor
from reactor.core.build import build
from reactor.core.graph import Graph
from reactor.model.ids import AssetName, PartitionKey, SourceName
from reactor.project.config import load_settings
from reactor.project.load import Definitions
from reactor.service.commands import Refused
from reactor.sources.base import Condition
from reactor.store.base import RunFilter
from reactor.web.runner import Runner, make_service
from tests.services.mosquitto import Mosquitto
from tests.services.wait import eventually

pytestmark = pytest.mark.mqtt
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SOURCE = "mqtt:plant/{site}/closed"
NAME = SourceName(SOURCE)


class Closing(BaseModel):
    day: str
    units: int


def graph() -> Graph:
    site, day = Dynamic("site"), Dynamic("day")
    seen, closed = Asset("seen", site), Asset("closed", day)

    @sensor(Mqtt("plant/{site}/closed"))
    async def on_seen(message: Message) -> Ready:
        return seen.ready(message.fields["site"], units=message.value["units"])

    @sensor(Mqtt("plant/{site}/closed"))
    async def on_closed(closing: Closing) -> Ready:
        return closed.ready(closing.day, units=closing.units)

    flow = Workflow("plant", owner="plant@example.com")

    @flow.task(inputs=closed)
    async def book(run: Run) -> None: ...

    return build([seen, closed], [on_seen, on_closed], [flow])


@pytest.fixture
async def runner(tmp_path: Path, own_mqtt: Mosquitto) -> AsyncIterator[Runner]:
    await own_mqtt.start()
    flags = {"port": 0, "mqtt.server": own_mqtt.server, "mqtt.user": own_mqtt.user, "mqtt.password": own_mqtt.password}
    settings = load_settings(tmp_path, flags=flags, environ={}).settings
    runner = await make_service(settings, Definitions(tmp_path, (), graph(), {}, ()))
    await runner.open()
    await eventually(lambda: runner.health()[NAME].condition is Condition.CONNECTED)
    yield runner
    await runner.close()


async def read(runner: Runner, count: int) -> None:
    """So many publications are durable."""
    reader = await runner.assembly.reader()

    async def position() -> bool:
        return max((at.position for at in await reader.lanes() if at.source == SOURCE), default=0) == count

    await eventually(position)


async def test_a_poisoned_publication_costs_itself_and_is_kept_whole(runner: Runner, own_mqtt: Mosquitto) -> None:
    bodies = (b'{"day": "mon", "units": 1}', b"no json \xff", b'{"day": 7}', b'{"day": "tue", "units": 2}')
    await own_mqtt.publish("plant/north/closed", *bodies)
    await read(runner, 4)
    reader = await runner.assembly.reader()
    slots = [await reader.slot(AssetName("closed"), PartitionKey(day)) for day in ("mon", "tue")]
    assert [slot.version for slot in slots if slot is not None] == [1, 1]
    letters = {(letter.sensor, letter.position): letter for letter in await reader.dead(None, 10)}
    assert set(letters) == {("on_seen", 1), ("on_closed", 1), ("on_seen", 2), ("on_closed", 2)}
    kept = msgspec.json.decode(letters["on_closed", 1].body, type=Message)
    assert (kept.topic, kept.fields, kept.body) == ("plant/north/closed", {"site": "north"}, b"no json \xff")
    with pytest.raises(Refused, match="It failed again: the payload is no Closing"):
        await runner.assembly.commands.retry_dead(letters["on_closed", 1].id, "test")
    assert list(await reader.balance()) == []


async def test_the_publisher_s_trace_goes_on_in_the_run(runner: Runner, own_mqtt: Mosquitto) -> None:
    await own_mqtt.publish("plant/north/closed", b'{"day": "mon", "units": 1}', traceparent=TRACE)
    reader = await runner.assembly.reader()

    async def runs() -> list[Any]:
        return list(await reader.runs(RunFilter(limit=10)))

    [run] = await eventually(runs)
    assert [item.traceparent for item in run.inputs] == [TRACE]


async def test_a_publication_with_the_identity_of_another_has_no_effect(runner: Runner, own_mqtt: Mosquitto) -> None:
    for units in (1, 2):
        await own_mqtt.publish("plant/north/closed", b'{"day": "mon", "units": %d}' % units, id="closing-7")
    await own_mqtt.publish("plant/south/closed", b'{"day": "tue", "units": 3}', id="closing-7")
    await read(runner, 3)
    reader = await runner.assembly.reader()
    found = [await reader.slot(AssetName("closed"), PartitionKey(day)) for day in ("mon", "tue")]
    assert [slot.version for slot in found if slot is not None] == [1, 1], "an id is one within its topic"


async def test_its_health_is_told_by_the_api_and_the_metrics(runner: Runner, own_mqtt: Mosquitto) -> None:
    headers = {"authorization": f"Bearer {runner.token}"}
    async with httpx.AsyncClient(base_url=runner.url, headers=headers, trust_env=False) as client:

        async def told() -> dict[str, Any]:
            answer = await client.get("/api/sources")
            found: dict[str, Any] = answer.json()[SOURCE]
            return found

        await own_mqtt.publish("plant/north/closed", b'{"day": "mon", "units": 1}')
        await read(runner, 1)
        well = await told()
        assert (well["condition"], well["error"]) == ("connected", None)
        assert well["last_event"] > well["since"] > 0
        await own_mqtt.stop()

        async def broken() -> bool:
            return bool((await told())["condition"] != "connected")

        await eventually(broken)
        assert "Check that a broker runs there" in (await told())["error"]
        assert f'reactor_source_up{{source="{SOURCE}"}} 0.0' in (await client.get("/metrics")).text


async def test_definitions_that_are_loaded_again_read_on_where_the_others_stood(
    runner: Runner, own_mqtt: Mosquitto
) -> None:
    body = b'{"day": "mon", "units": %d}'
    await own_mqtt.publish("plant/north/closed", *(body % n for n in range(50)))
    await runner.reload(Definitions(runner.settings.root, (), graph(), {}, ()))
    await own_mqtt.publish("plant/north/closed", *(body % n for n in range(50, 60)))
    await read(runner, 60)
    slot = await (await runner.assembly.reader()).slot(AssetName("closed"), PartitionKey("mon"))
    assert slot is not None
    assert slot.version == 60
