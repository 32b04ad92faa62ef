"""`why` is printed from the plan that the engine uses: it says that a rule holds exactly where an event would
start it.
"""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.graph import Node
from reactor.core.plan import accepts, feed
from reactor.core.why import Part, explain
from reactor.model.condition import Condition
from reactor.model.events import Item
from reactor.model.ids import AssetName, EventId, Instant, PartitionKey, TaskName, WaitKey
from reactor.model.slot import Wait
from tests.core.stage import does, flow, graph_of
from tests.core.strategies import ASSETS, NAMES, rules

events = st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 3), st.integers(0, 20)), max_size=25)


def items(node: Node, seq: int, name: str, n: int, at: int) -> tuple[Item, ...]:
    evidence = {"n": n}
    return tuple(
        Item(
            t.index,
            seq,
            EventId(f"{name}{seq}"),
            AssetName(name),
            PartitionKey(""),
            seq,
            Instant(at),
            msgspec.json.encode(evidence),
            None,
        )
        for t in node.plan.terms_of(AssetName(name))
        if accepts(t, evidence)[0]
    )


@given(rule=rules(), sequence=events)
def test_why_agrees_with_feed(rule: Condition, sequence: list[tuple[str, int, int]]) -> None:
    w = flow()
    does("t", w, inputs=rule)
    node = graph_of(w, assets=list(ASSETS.values())).nodes[TaskName("t")]
    wait, at = Wait(node.name, WaitKey("")), 0
    for seq, (name, n, gap) in enumerate(sequence, 1):
        at += gap * 1_000_000
        fresh = items(node, seq, name, n, at)
        if not fresh:
            continue
        fed = feed(node.plan, wait, fresh, Instant(at))
        if fed.start is None:
            assert not explain(node, fed.wait).holds
        else:
            assert explain(node, msgspec.structs.replace(wait, items=fed.start)).holds
        _sound(explain(node, fed.wait))
        wait = fed.wait


def _sound(part: Part) -> None:
    """A part holds exactly where enough of its parts do."""
    if part.parts:
        assert part.have == sum(p.holds for p in part.parts)
        assert part.holds == (part.have >= part.needed)
        for inner in part.parts:
            _sound(inner)
    else:
        assert part.holds == bool(part.came)


def test_why_is_written_as_the_rule_was() -> None:
    a, b, c = (ASSETS[n] for n in "abc")
    w = flow()
    does("t", w, inputs=(a & (b.where("n > 1") | c)).within("1h"))
    node = graph_of(w).nodes[TaskName("t")]
    part = explain(node, Wait(node.name, WaitKey("")))
    assert (part.kind, part.text, part.needed) == ("all", "a & (b.where('n > 1') | c)", 2)
    assert [(p.kind, p.text) for p in part.parts] == [("asset", "a"), ("any", "b.where('n > 1') | c")]
    assert [p.text for p in part.parts[1].parts] == ["b.where('n > 1')", "c"]
