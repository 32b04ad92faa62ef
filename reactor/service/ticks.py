"""Schedules inside conditions: each is a hidden asset, and a hidden sensor on its clock makes it ready at every slot."""

from reactor.core.graph import Graph
from reactor.model.events import Ready, Tick
from reactor.model.ids import AssetName, PartitionKey, SensorName
from reactor.model.sensor import AnySensor, Sensor
from reactor.model.source import schedule_of

TIMEOUT = 10_000_000


def hidden_sensors(graph: Graph) -> list[AnySensor]:
    """One for each schedule that stands in a rule."""
    return [_sensor(name) for name in graph.schedules]


def _sensor(asset: AssetName) -> AnySensor:
    async def tick(tick: Tick) -> Ready:
        return Ready(asset, PartitionKey(str(tick.at)))

    return Sensor(tick, schedule_of(asset), SensorName(asset), TIMEOUT)
