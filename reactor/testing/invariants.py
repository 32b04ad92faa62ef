"""The promises, checked over a finished play: never twice, never early, nothing stuck, the ledger balances.

What is checked is what was committed and what was handed out, not what the engine says of itself.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Protocol

from reactor.core.graph import Graph
from reactor.core.plan import present
from reactor.model.ids import Instant, SourceName, TaskName, WaitKey
from reactor.model.run import OPEN, Run
from reactor.testing.ledger import Ledger


class Played(Protocol):
    """What there is to look at."""

    ledger: Ledger
    starts: list[tuple[Instant, Run]]
    came: set[tuple[SourceName, int]]


def broken(graph: Graph, played: Played) -> list[str]:
    """Every broken promise, in words. Nothing: they were kept."""
    return [
        *_lost(played),
        *_doubled(played.ledger),
        *_twice(graph, played.ledger),
        *_fenced(played),
        *_early(graph, played.ledger),
        *_stuck(graph, played.ledger),
        *unbalanced(graph, played.ledger),
    ]


def _lost(played: Played) -> Iterator[str]:
    for source, position in sorted(played.came - played.ledger.done):
        yield f"lost: the event of {source} at {position} had no effect"


def _doubled(ledger: Ledger) -> Iterator[str]:
    count = Counter((e.source, e.id, e.asset, e.partition) for e in ledger.readiness.values())
    for (source, event, asset, partition), times in count.items():
        if times > 1:
            yield f"doubled: event {event} of {source} announced {asset} {partition} {times} times"


def _twice(graph: Graph, ledger: Ledger) -> Iterator[str]:
    count = Counter((r.task, r.key, r.generation) for r in ledger.runs.values())
    for (task, key, generation), runs in count.items():
        if runs > 1:
            yield f"twice: {task} {key}, generation {generation}, has {runs} runs"
    spells: defaultdict[tuple[TaskName, WaitKey], list[tuple[Instant, Instant, str]]] = defaultdict(list)
    for attempt in ledger.attempts:
        run = ledger.runs[attempt.run]
        if run.task in graph.nodes and graph.nodes[run.task].by_partition:
            spells[run.task, run.key].append((attempt.started, attempt.ended, attempt.run))
    for (task, key), found in spells.items():
        for (_, end, one), (begin, _, other) in pairwise(sorted(found)):
            if begin < end:
                yield f"two at once: {task} {key}, runs {one} and {other}"


def _fenced(played: Played) -> Iterator[str]:
    newest: dict[str, int] = {}
    for _, run in played.starts:
        if run.token <= newest.get(run.id, 0):
            yield f"fence: run {run.id} was handed out with token {run.token} after {newest[run.id]}"
        newest[run.id] = run.token


def _early(graph: Graph, ledger: Ledger) -> Iterator[str]:
    for run in ledger.runs.values():
        node = graph.nodes.get(run.task)
        if node is None:
            continue
        if not node.plan.holds(present(node.plan, run.key, run.inputs)):
            yield f"early: run {run.id} of {run.task} {run.key} was made without all of its inputs"
        for item in run.inputs:
            if item.seq not in ledger.readiness:
                yield f"early: run {run.id} holds event {item.event}, which is not in the ledger"


def _stuck(graph: Graph, ledger: Ledger) -> Iterator[str]:
    for run in ledger.runs.values():
        if run.state in OPEN:
            yield f"stuck: run {run.id} of {run.task} {run.key} is {run.state} at the end"
    for wait in ledger.waits.values():
        node = graph.nodes.get(wait.task)
        fresh = any(not i.used for i in wait.items)
        if node is not None and fresh and node.plan.holds(present(node.plan, wait.key, wait.items)):
            yield f"stuck: {wait.task} {wait.key} has all of its inputs and was not started"


def unbalanced(graph: Graph, ledger: Ledger) -> Iterator[str]:
    """For each event and each rule that it was offered to: exactly one of pending, used and disposed."""
    ends: Mapping[tuple[int, str], Counter[str]] = defaultdict(Counter)
    for wait in ledger.waits.values():
        for seq in {i.seq for i in wait.items if not i.used}:
            ends[seq, wait.task]["pending"] += 1
    for run in ledger.runs.values():
        for item in run.inputs:
            ends[item.seq, run.task]["used"] = 1
    for line in ledger.dispositions:
        ends[line.seq, line.task][line.outcome.value] += 1
    for event in ledger.readiness.values():
        for node, _ in graph.consumers.get(event.asset, ()):
            found = ends[event.seq, node.name]
            if sum(found.values()) != 1:
                what = ", ".join(f"{n} x {k}" for k, n in found.items()) or "nothing"
                which = f"{event.seq} ({event.asset} {event.partition})"
                yield f"ledger: event {which} ended {what} for {node.name}; it ends exactly once"
