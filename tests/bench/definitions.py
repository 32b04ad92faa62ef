"""What the bench's projects define: as short as a user could write it. `mark` notes a task's first line, on the monotonic clock of the machine."""

from __future__ import annotations

from pathlib import Path

HEAD = """
import os, time
from reactor import Asset, CloudEvent, Dynamic, File, Files, Http, Kafka, Ready, Record, Run, Workflow, sensor

_marks = os.open(os.environ.get("BENCH_MARKS", os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def mark(what: object) -> None:
    os.write(_marks, f"{what} {time.monotonic_ns()}\\n".encode())

order = Dynamic("order")
flow = Workflow("bench", owner="bench@example.com")
"""

JOIN = (
    HEAD
    + """
paid, packed = Asset("paid"), Asset("packed")

@sensor(Kafka("bench"))
def seen(record: Record) -> Ready | None:
    value = record.value
    if value["kind"] == "other":
        return None
    return (paid if value["kind"] == "paid" else packed).ready(order=value["order"])

@flow.task(inputs=(paid & packed).key("order"))
async def joined(run: Run) -> None: ...
"""
)
"""Two inputs with one key: one run for each two relevant events."""

SINGLE = (
    HEAD
    + """
single = Asset("single")

@sensor(Kafka("bench"))
def seen(record: Record) -> Ready:
    return single.ready(sent=record.value["sent"])

@flow.task(inputs=single)
async def first_line(run: Run) -> None:
    mark(run.inputs["single"].evidence["sent"])
"""
)
"""One run for each event, which notes when the event was sent and when its task began."""

NOTHING = (
    HEAD
    + """
single = Asset("single")

@sensor(Kafka("bench"))
def seen(record: Record) -> Ready:
    return single.ready()

@flow.task(inputs=single, executor=EXECUTOR)
ASYNC def nothing(run: Run) -> None: ...
"""
)


def no_op(executor: str) -> str:
    """One run that does nothing for each event."""
    return NOTHING.replace("EXECUTOR", repr(executor)).replace("ASYNC ", "async " if executor == "inline" else "")


STAMPED_JOIN = JOIN.replace('ready(order=value["order"])', 'ready(order=value["order"], sent=value["sent"])').replace(
    "async def joined(run: Run) -> None: ...",
    'async def joined(run: Run) -> None:\n    mark(max(run.inputs[name].evidence["sent"] for name in ("paid", "packed")))',
)
"""The same, and its task notes when the later of its two events was sent."""

POSTED = (
    HEAD
    + """
posted, quiet = Asset("posted", order), Asset("quiet")

@sensor(Http("posted"))
def seen(event: CloudEvent) -> Ready:
    return posted.ready(event.data["order"])

@sensor(Http("quiet"))
def nobody_waits(event: CloudEvent) -> Ready:
    return quiet.ready()

@flow.task(inputs=posted)
async def first_line(run: Run) -> None:
    mark(run.key)
"""
)
"""CloudEvents: one type that starts a run, one that nobody waits for."""

LANDED = (
    HEAD
    + """
landed = Asset("landed", order)

@sensor(Files("landing/{order}.txt", ready="named"))
def seen(file: File) -> Ready:
    return landed.ready(file.fields["order"])

@flow.task(inputs=landed)
async def first_line(run: Run) -> None:
    mark(run.key)
"""
)

CHAIN = (
    HEAD
    + """
posted = Asset("posted", order)

@sensor(Http("posted"))
def seen(event: CloudEvent) -> Ready:
    return posted.ready(event.data["order"])

steps = [posted, *(Asset(f"step{n}", order) for n in range(10))]
for before, after in zip(steps, steps[1:]):
    @flow.task(inputs=before, outputs=after, name=f"make_{after.name}")
    async def step(run: Run) -> None: ...

@flow.task(inputs=steps[-1])
async def after_the_last(run: Run) -> None:
    mark(run.key)
"""
)

FAN = (
    HEAD
    + """
posted = Asset("posted", order)

@sensor(Http("posted"))
def seen(event: CloudEvent) -> Ready:
    return posted.ready(event.data["order"])

parts = [Asset(f"part{n}", order) for n in range(100)]
for part in parts:
    @flow.task(inputs=posted, outputs=part, name=f"make_{part.name}")
    async def make(run: Run) -> None: ...

every = parts[0]
for part in parts[1:]:
    every = every & part

@flow.task(inputs=every)
async def after_all(run: Run) -> None:
    mark(run.key)
"""
)

RULES = (
    HEAD
    + """
inputs = [Asset(f"input{n}") for n in range(NUMBER)]

@sensor(Kafka("bench"))
def seen(record: Record) -> Ready:
    return inputs[record.value["input"]].ready()

for each in inputs:
    @flow.task(inputs=each, name=f"on_{each.name}")
    async def nothing(run: Run) -> None: ...
"""
)
"""Many rules; an event concerns one of them."""

SLOTS = (
    HEAD
    + """
paid, packed = Asset("paid"), Asset("packed")

@sensor(Http("bench.paid"))
def was_paid(event: CloudEvent) -> Ready:
    return paid.ready(order=event.data["order"])

@sensor(Http("bench.packed"))
def was_packed(event: CloudEvent) -> Ready:
    return packed.ready(order=event.data["order"])

@flow.task(inputs=(paid & packed).key("order"))
async def joined(run: Run) -> None:
    mark(run.key)
"""
)
"""The join, over HTTP."""


def project(root: Path, definitions: str, kafka: str = "embedded") -> None:
    """A folder with these definitions, whose topics are on the broker `kafka`."""
    (root / "sensors").mkdir(parents=True, exist_ok=True)
    (root / "landing").mkdir(exist_ok=True)
    (root / "sensors" / "bench.py").write_text(definitions)
    (root / "reactor.toml").write_text(f'definitions = ["sensors"]\nkafka.servers = "{kafka}"\n')
