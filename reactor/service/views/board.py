"""The board: one completeness state for each partition of each asset."""

from collections.abc import Iterable, Mapping

import msgspec

from reactor.core.deadlines import due_at
from reactor.core.graph import Graph, Node
from reactor.core.why import explain
from reactor.model.condition import SCHEDULE
from reactor.model.ids import AssetName, Instant, PartitionKey, TaskName, WaitKey
from reactor.model.partitions import time_of
from reactor.model.run import OPEN, Run, RunState
from reactor.model.slot import Held, Slot, Wait
from reactor.service.views.words import SlotState, called, iso
from reactor.store.base import Reader, RunFilter

HOURS = 25
"""Partitions of an hourly asset for each day that is shown."""


class Cell(msgspec.Struct, frozen=True):
    """One slot. `have` of `needed` parts of its rule are there; `reason` is said where the state leaves a question."""

    asset: str
    partition: str
    state: SlotState
    late: bool = False
    due: str | None = None
    version: int = 0
    at: str | None = None
    have: int = 0
    needed: int = 0
    reason: str = ""
    run: str = ""


class Row(msgspec.Struct, frozen=True):
    """One asset with its newest partitions first."""

    asset: str
    owner: str
    maker: str
    cells: tuple[Cell, ...]


class Known(msgspec.Struct):
    """What was read for a set of assets: everything that their states are computed from."""

    slots: dict[tuple[str, str], Slot] = {}
    waits: dict[tuple[str, str], Wait] = {}
    runs: dict[tuple[str, str], Run] = {}
    """The newest run of each task and key."""
    cells: dict[tuple[str, str], Cell] = {}


async def board(
    reader: Reader, graph: Graph, now: Instant, *, partitions: int = 7, only: str | None = None
) -> list[Row]:
    """Every asset, makers before what is made of them. `only`: one asset, with what stands above it computed but not shown."""
    known = Known()
    rows: list[Row] = []
    for name in in_order(graph, only):
        many = newest_of(graph, name, partitions)
        await read(reader, graph, known, name, many)
        cells = tuple(judge(graph, known, name, key, now) for key in keys(graph, known, name, now, many))
        if only is None or name == only:
            rows.append(Row(name, graph.owner_of(name), graph.makers.get(name, ""), cells))
    return rows


async def read(reader: Reader, graph: Graph, known: Known, name: AssetName, many: int) -> None:
    for slot in await reader.slots(name, many):
        known.slots[name, slot.partition] = slot
    maker = graph.makers.get(name)
    if maker is None:
        return
    for wait in await reader.waits(maker, many * 2):
        known.waits[maker, wait.key] = wait
    for run in reversed(await reader.runs(RunFilter(task=maker, limit=many * 4))):
        known.runs[maker, run.key] = run


def in_order(graph: Graph, only: str | None = None) -> list[AssetName]:
    """Assets, each behind those that it is made of. With `only`: that one and what stands above it."""
    done: dict[AssetName, None] = {}
    path = [AssetName(only)] if only is not None else sorted(graph.assets, reverse=True)
    while path:
        name = path[-1]
        above = [a for a in sorted(inputs_of(graph, name), reverse=True) if a not in done and a in graph.assets]
        if name in done or not above:
            done.setdefault(path.pop())
        else:
            path.extend(above)
    return list(done)


def inputs_of(graph: Graph, name: AssetName) -> set[AssetName]:
    maker = graph.makers.get(name)
    terms = graph.nodes[maker].plan.terms if maker is not None else ()
    return {t.asset for t in terms if not t.asset.startswith(SCHEDULE)}


def newest_of(graph: Graph, name: AssetName, partitions: int) -> int:
    """How many of an asset's partitions are shown: of an hourly one, as many days."""
    time = time_of(graph.assets[name].partitions)
    return partitions * HOURS if time is not None and time.unit == "hour" else partitions


def keys(graph: Graph, known: Known, name: AssetName, now: Instant, many: int) -> list[PartitionKey]:
    """The partitions of an asset that something is known of, and the newest that has ended; the greatest first."""
    found = {p for a, p in known.slots if a == name}
    maker = graph.makers.get(name)
    if maker is not None and graph.nodes[maker].by_partition:
        found |= {k for t, k in (*known.waits, *known.runs) if t == maker}
    time = time_of(graph.assets[name].partitions)
    if time is not None:
        newest = time.newest_finished(now)
        found |= {newest} if time.refuse(newest) is None else set()
    elif graph.assets[name].partitions is None:
        found = {""}
    return [PartitionKey(k) for k in sorted(found, reverse=True)[:many]]


def judge(graph: Graph, known: Known, name: AssetName, partition: PartitionKey, now: Instant) -> Cell:
    """The state of one slot. Those of its inputs are taken from `known.cells`, where they were judged before."""
    slot = known.slots.get((name, partition))
    due = due_at(graph.assets[name], partition)
    there = slot is not None and slot.version > 0
    cell = Cell(
        name,
        partition,
        SlotState.READY if there else SlotState.WAITING,
        late=not there and due is not None and due <= now,
        due=iso(due),
        version=slot.version if slot is not None else 0,
        at=iso(slot.at) if slot is not None and there else None,
        run=slot.run if slot is not None else "",
    )
    maker = graph.makers.get(name)
    if maker is not None:
        cell = _made(graph, known, graph.nodes[maker], cell)
    if slot is not None and slot.held is not None and cell.state is not SlotState.RUNNING:
        cell = msgspec.structs.replace(cell, state=SlotState.BLOCKED, reason=held_words(slot.held))
    known.cells[name, partition] = cell
    return cell


def _made(graph: Graph, known: Known, node: Node, cell: Cell) -> Cell:
    replace = msgspec.structs.replace
    run = known.runs.get((node.name, cell.partition))
    wait = known.waits.get((node.name, cell.partition)) or Wait(node.name, WaitKey(cell.partition))
    part = explain(node, wait)
    cell = replace(cell, have=part.have, needed=part.needed)
    if run is not None and run.state in OPEN:
        return replace(cell, state=SlotState.RUNNING, reason=under_way(run), run=run.id)
    if run is not None and run.state is not RunState.SUCCEEDED and run.id != cell.run:
        return replace(cell, state=SlotState.FAILED, reason=run.error or f"its last run was {run.state}", run=run.id)
    if cell.version:
        stale = _newer(known, run)
        return replace(cell, state=SlotState.STALE, reason=stale) if stale else cell
    if run is not None and not any(not i.used for i in wait.items):
        return replace(cell, reason=f"run {run.id} succeeded and announced nothing", run=run.id)
    blocked = _blocked(graph, known, node, cell.partition)
    if blocked:
        return replace(cell, state=SlotState.BLOCKED, reason=blocked)
    partial = any(not i.used for i in wait.items)
    return replace(cell, state=SlotState.PARTIAL) if partial else cell


def held_words(held: Held) -> str:
    """Why a slot stands before a closed gate."""
    return f"{held.rejected}: {held.reason}" if held.rejected else f"held: {held.reason}"


def under_way(run: Run) -> str:
    """What an open run is doing, in words."""
    if run.state is RunState.RETRYING:
        return f"attempt {run.attempt} failed ({run.error}); the next one starts at {iso(run.next_at)}"
    if run.state is RunState.QUEUED:
        return "queued: it waits for a free place, or for the run before it"
    return f"attempt {run.attempt} is under way since {iso(run.attempt_started)}"


def _newer(known: Known, run: Run | None) -> str:
    """The input that came anew after the run, where one did."""
    for item in run.inputs if run is not None else ():
        slot = known.slots.get((item.asset, item.partition))
        if slot is not None and slot.version > item.version:
            return f"{called(item.asset, item.partition)} has version {slot.version}; it was made from {item.version}"
    return ""


def _blocked(graph: Graph, known: Known, node: Node, partition: str) -> str:
    for term in node.plan.terms:
        for key in _needed_keys(graph, node, term.asset, partition):
            cell = known.cells.get((term.asset, key))
            if cell is not None and cell.state in (SlotState.FAILED, SlotState.BLOCKED):
                return f"{called(cell.asset, cell.partition)} {'failed' if cell.state is SlotState.FAILED else 'is blocked'}"
    return ""


def _needed_keys(graph: Graph, node: Node, asset: AssetName, partition: str) -> Iterable[str]:
    if asset not in graph.assets:
        return ()
    fine, unit = time_of(graph.assets[asset].partitions), time_of(node.partitions)
    if fine is None or unit is None or fine.unit == unit.unit:
        return (partition if graph.assets[asset].partitions is not None else "",)
    key = PartitionKey(partition)
    return fine.between(unit.begin(key), unit.end(key))


def above(graph: Graph, asset: AssetName, partition: PartitionKey) -> dict[AssetName, list[PartitionKey]]:
    """The slot and every slot that it is made of, by asset, makers' inputs before what is made of them."""
    order = in_order(graph, asset)
    found: dict[AssetName, set[str]] = {name: set() for name in order}
    found[asset].add(partition)
    for name in reversed(order):
        maker = graph.makers.get(name)
        if maker is None:
            continue
        for source in inputs_of(graph, name):
            for key in found[name]:
                found[source].update(_needed_keys(graph, graph.nodes[maker], source, key))
    return {name: [PartitionKey(k) for k in sorted(found[name])] for name in order}


def totals(rows: Iterable[Row]) -> Mapping[str, int]:
    """How many slots are in each state, and how many are late."""
    cells = [c for row in rows for c in row.cells]
    counted = {str(s): sum(c.state is s for c in cells) for s in SlotState}
    return {**counted, "late": sum(c.late for c in cells)}


def task_of(graph: Graph, name: str) -> TaskName | None:
    """The task that is called so, or that makes the asset that is called so."""
    return TaskName(name) if name in graph.nodes else graph.makers.get(AssetName(name))
