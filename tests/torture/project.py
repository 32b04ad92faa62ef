"""The project that is tortured: three sources, three tasks, and poison among the good. Its tasks leave lines outside the service's database.

Everything that is told carries a number `n` of its own, which the evidence in the ledger carries on: so each can be found again, once.
"""

from __future__ import annotations

from pathlib import Path

ORDERS = tuple(f"o{n}" for n in range(1, 13))
SOURCES = ("paid", "packed", "stocked")
"""The assets that are told: by posts, by files, by records of a topic."""
WANTED = {"ship": frozenset(SOURCES), "tell": frozenset({"shipped"}), "count": frozenset({"stocked"})}
"""The inputs of each task."""
POISON = "poison"

SENSORS = """
from reactor import Asset, CloudEvent, Dynamic, File, Files, Http, Kafka, Ready, Record, sensor

order = Dynamic("order")
paid, packed, stocked = Asset("paid", order), Asset("packed", order), Asset("stocked", order)

def good(order: str, n: int) -> str:
    if order.startswith("poison"):
        raise ValueError(f"poison {n}")
    return order

@sensor(Http("paid"))
def on_paid(event: CloudEvent) -> Ready:
    n = event.data["n"]
    return paid.ready(good(event.data["order"], n), n=n)

@sensor(Files("landing/{order}.txt", ready="named"))
def on_packed(file: File) -> Ready:
    return packed.ready(good(file.fields["order"], file.size), n=file.size)

@sensor(Kafka("@TOPIC@"))
def on_stocked(record: Record) -> Ready:
    n = record.value["n"]
    return stocked.ready(good(record.value["order"], n), n=n)
"""
WORKFLOWS = """
import json, os, time, zlib
from pathlib import Path
from reactor import Asset, Limit, Retry, Run, Workflow
from sensors.shop import order, packed, paid, stocked

HISTORY = Path(__file__).parents[1] / "history.jsonl"
shipped, counted = Asset("shipped", order), Asset("counted", order)
shop = Workflow("shop", owner="shop@example.com", retry=Retry(attempts=20, first="5ms", most="20ms"))

def write(what: str, task: str, run: Run) -> None:
    line = {"what": what, "pid": os.getpid(), "task": task, "run": run.id, "token": run.token, "key": run.key}
    line["inputs"] = {name: view.version for name, view in run.inputs.items()}
    handle = os.open(HISTORY, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, (json.dumps(line) + "\\n").encode())
    os.close(handle)

def unlucky(run: Run, of: int) -> bool:
    return zlib.crc32(run.id.encode()) % of == 0

@shop.task(inputs=paid & packed & stocked, outputs=shipped)
async def ship(run: Run) -> dict[str, int]:
    write("began", "ship", run)
    if run.attempt == 1 and unlucky(run, 3):
        raise OSError("bad luck")
    write("ended", "ship", run)
    return {"token": run.token}

@shop.task(inputs=shipped, limit=Limit(2))
def tell(run: Run) -> None:
    write("began", "tell", run)
    write("ended", "tell", run)

@shop.task(inputs=stocked, outputs=counted, timeout="500ms")
def count(run: Run) -> dict[str, int]:
    write("began", "count", run)
    if run.attempt < 3 and unlucky(run, 20):  # the first is told to stop, and ends while the second is under way
        time.sleep(0.6 if run.attempt == 1 else 0.3)
    write("ended", "count", run)
    return {"token": run.token}
"""


def write_project(root: Path, topic: str, settings: str) -> None:
    """A new project whose records come from `topic`; `settings` is its reactor.toml."""
    for name, text in (
        ("sensors/shop.py", SENSORS.replace("@TOPIC@", topic)),
        ("workflows/shop.py", WORKFLOWS),
        ("landing/.keep", ""),
        ("history.jsonl", ""),
        ("failures.jsonl", ""),
        ("reactor.toml", settings),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
