"""Random rules for the properties."""

from hypothesis import strategies as st

from reactor import Asset, at_least
from reactor.model.condition import Condition, Reset

NAMES = "abcd"
ASSETS = {n: Asset(n) for n in NAMES}


def _join(parts: list[Condition], kind: str, count: int) -> Condition:
    if kind == "at least":
        return at_least(min(count, len(parts)), *parts)
    found = parts[0]
    for part in parts[1:]:
        found = found & part if kind == "all" else found | part
    return found


leaves = st.one_of(
    st.sampled_from(NAMES).map(lambda n: ASSETS[n]),
    st.tuples(st.sampled_from(NAMES), st.integers(0, 2)).map(lambda x: ASSETS[x[0]].where(f"n > {x[1]}")),
)
trees = st.recursive(
    leaves,
    lambda inner: st.builds(
        _join, st.lists(inner, min_size=2, max_size=3), st.sampled_from(["all", "any", "at least"]), st.integers(1, 3)
    ),
    max_leaves=6,
)


@st.composite
def rules(draw: st.DrawFn) -> Condition:
    """A condition with any of its options."""
    found = draw(trees)
    if draw(st.booleans()):
        found = found.consume("all")
    resets: list[Reset | None] = [None, "all", "branch", "none"]
    reset = draw(st.sampled_from(resets))
    if reset is not None:
        found = found.reset(reset)
    within = draw(st.sampled_from([None, None, 5, 30]))
    return found if within is None else found.within(within)
