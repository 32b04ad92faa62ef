"""The verdict: is anything lost, doubled or early? Read from the ledger, after the story."""

from collections.abc import Mapping

import msgspec

from reactor.cli.demo.story import TODAY, YESTERDAY
from reactor.model.events import Json
from reactor.model.ids import AssetName, PartitionKey
from reactor.store.base import Reader, RunFilter

EXPECTED = {
    ("build_revenue", YESTERDAY): ["succeeded", "succeeded"],
    ("refresh_dashboard", YESTERDAY): ["succeeded", "succeeded"],
    ("build_revenue", TODAY): ["succeeded"],
    ("refresh_dashboard", TODAY): ["succeeded"],
}
HOURS = 24


class Verdict(msgspec.Struct):
    """`wrong` is empty where all is well."""

    wrong: list[str]
    totals: Mapping[str, Json]
    runs: int = 0
    retries: int = 0
    alerts: int = 0
    reruns: int = 0

    @property
    def good(self) -> bool:
        return not self.wrong


async def judge(reader: Reader) -> Verdict:
    """What the ledger says of the day."""
    wrong = [f"the ledger does not balance: {line}" for line in await reader.balance()]
    runs = await reader.runs(RunFilter(limit=100))
    found: dict[tuple[str, PartitionKey], list[str]] = {}
    for run in reversed(runs):
        found.setdefault((run.task, PartitionKey(run.key)), []).append(run.state.value)
        arrived = max(i.at for i in run.inputs)
        if run.started is not None and run.started < arrived:
            wrong.append(f"{run.task} {run.key} started early: at {run.started}, its last input came at {arrived}")
        hours = len({i.partition for i in run.inputs if i.asset == "orders"})
        if run.task == "build_revenue" and hours != HOURS:
            wrong.append(f"build_revenue {run.key} was started on {hours} of {HOURS} hours")
    wrong += [
        f"{key} has the runs {found.get(key, [])}, expected {want}"
        for key, want in EXPECTED.items()
        if found.get(key) != want
    ]
    wrong += [f"{key} ran, and nobody asked for it" for key in found if key not in EXPECTED]
    wrong += await _versions(reader)
    alerts = await reader.alerts(0, 100)
    retries = sum(run.failures for run in runs)
    if retries != 1:
        wrong.append(f"{retries} attempts failed; the story has one")
    dead = len(await reader.dead(None, 100))
    if dead != 1:
        wrong.append(f"{dead} dead letters; the story has one")
    return Verdict(
        wrong, await reader.totals(), len(runs), retries, len(alerts), sum(len(v) - 1 for v in found.values())
    )


async def _versions(reader: Reader) -> list[str]:
    """Nothing lost and nothing twice: each slot has as many versions as were made of it."""
    wrong = []
    slots = await reader.slots(AssetName("orders"), 200)
    if len(slots) != 2 * HOURS or any(s.version != 1 for s in slots):
        wrong.append(
            f"{len(slots)} hours of orders are there, with versions {sorted({s.version for s in slots})}; the shop closed {2 * HOURS}"
        )
    for asset, day, versions in [
        ("refunds", TODAY, 1),
        ("refunds", YESTERDAY, 2),
        ("payments", TODAY, 1),
        ("payments", YESTERDAY, 1),
        ("subscriptions", TODAY, 1),
        ("subscriptions", YESTERDAY, 1),
        ("revenue", TODAY, 1),
        ("revenue", YESTERDAY, 2),
    ]:
        slot = await reader.slot(AssetName(asset), day)
        have = slot.version if slot is not None else 0
        if have != versions:
            wrong.append(f"{asset} {day} has {have} versions, expected {versions}")
    return wrong
