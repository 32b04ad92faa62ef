"""The row of MQTT: publications of QoS 1 that waited at a real Mosquitto, until their effects are durable."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from reactor.model.ids import SourceName
from reactor.project.config import load_settings
from reactor.project.load import load
from reactor.sources.base import Condition
from reactor.web.runner import Runner, make_service
from tests.bench.measure import Figures, Size
from tests.services.mosquitto import Mosquitto
from tests.services.wait import eventually

SENSORS = """
from reactor import Asset, Message, Mqtt, Ready, sensor

reading = Asset("reading")

@sensor(Mqtt("bench/{site}"))
def seen(message: Message) -> Ready:
    return reading.ready(site=message.fields["site"])
"""
SOURCE = SourceName("mqtt:bench/{site}")


async def events(root: Path, size: Size) -> Figures:
    count = size.of(20_000, 500)
    (root / "sensors").mkdir()
    (root / "sensors" / "bench.py").write_text(SENSORS)
    broker = Mosquitto(root)
    await broker.start()
    try:
        await (await _service(root, broker)).close()  # its session stands; from here on the broker keeps what comes
        argv = [
            "mosquitto_pub",
            "-V",
            "5",
            "-p",
            str(broker.address[1]),
            "-u",
            str(broker.user),
            "-P",
            str(broker.password),
        ]
        lines = b"".join(b"%d\n" % n for n in range(count))
        subprocess.run([*argv, "-q", "1", "-t", "bench/north", "-l"], input=lines, check=True, timeout=120)  # noqa: ASYNC221
        began = time.perf_counter()
        runner = await _service(root, broker)
        await eventually(lambda: _read(runner) == count, 300.0)
        took = time.perf_counter() - began
        await runner.close()
        return {"events/s": count / took}
    finally:
        await broker.kill()


async def _service(root: Path, broker: Mosquitto) -> Runner:
    flags = {"port": 0, "mqtt.server": broker.server, "mqtt.user": broker.user, "mqtt.password": broker.password}
    runner = await make_service(load_settings(root, flags=flags).settings, load(root))
    await runner.open()
    await eventually(lambda: runner.health()[SOURCE].condition is Condition.CONNECTED)
    return runner


def _read(runner: Runner) -> int:
    return sum(at.position for (source, _), at in runner.service.engine.lanes.items() if source == SOURCE)
