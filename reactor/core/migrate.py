"""A changed rule: what a wait had collected moves to the operands that accept it now. Nothing is dropped without a line in the ledger.

It happens to every open wait when an engine goes on under new definitions (`RuleChanged`), and to a single one before it is fed, where an event
comes to it first: a wait is never read by a rule that it was not collected under.
"""

from collections.abc import Iterator

import msgspec

from reactor.core.graph import Graph, Node
from reactor.core.plan import Term, accepts, feed
from reactor.core.runs import request
from reactor.core.state import State
from reactor.model.condition import SCHEDULE
from reactor.model.events import Dispose, Item
from reactor.model.ids import Instant, WaitKey
from reactor.model.partitions import Partitions, time_of
from reactor.model.ports import Ids
from reactor.model.slot import Wait

RELEASED = "the rule was changed and does not ask for event {seq} any more"


def migrate(graph: Graph, state: State, node: Node, key: WaitKey, now: Instant, ids: Ids) -> None:
    """Moves the wait, where it was collected under another rule than the node's. It must have been loaded."""
    wait = state.waits[node.name, key]
    if wait.plan == node.plan.digest or not wait.items:
        return
    fresh: list[tuple[Item, ...]] = []
    for seq, item in {i.seq: i for i in wait.items}.items():
        placed = tuple(msgspec.structs.replace(item, operand=t.index) for t in _takers(graph, node, key, item))
        if placed:
            fresh.append(placed)
        elif not item.used:
            state.dispose(item, node.name, Dispose.RELEASED, RELEASED.format(seq=seq), now)
    _rebuild(graph, state, node, wait, fresh, now, ids)


def _takers(graph: Graph, node: Node, key: WaitKey, item: Item) -> Iterator[Term]:
    """The operands that take this item for this key now. None where its asset, or the task, is cut otherwise today."""
    cut = graph.assets[item.asset].partitions if item.asset in graph.assets else None
    whole = item.asset.startswith(SCHEDULE) or _fits(cut, item.partition)
    if not whole or (node.by_partition and not _fits(node.partitions, key)):
        return
    fields = {"partition": item.partition, **msgspec.json.decode(item.evidence)}
    for term in node.plan.terms_of(item.asset):
        if accepts(term, fields)[0] and key in graph.keys(node, term, item.partition, fields):
            yield term


def _fits(partitions: Partitions | None, key: str) -> bool:
    """Whether the key has the shape of one of these. One from before their start has: it was let in when it came."""
    if partitions is None:
        return not key
    time = time_of(partitions)
    return (partitions.refuse(key) if time is None else time.refuse_shape(key)) is None


def _rebuild(
    graph: Graph, state: State, node: Node, wait: Wait, fresh: list[tuple[Item, ...]], now: Instant, ids: Ids
) -> None:
    settled = tuple(i for items in fresh if items[0].used for i in items)
    state.put_wait(Wait(wait.task, wait.key, wait.generation, settled, wait.since, node.plan.digest))
    for items in (items for items in fresh if not items[0].used):
        fed = feed(node.plan, state.waits[wait.task, wait.key], items, now)
        for item, outcome, detail in fed.gone:
            state.dispose(item, node.name, outcome, detail, now)
        state.put_wait(fed.wait)
        if fed.start is not None:
            request(graph, state, node, wait.key, fed.start, now, ids)
