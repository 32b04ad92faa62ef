"""The chart of a run's states, printed from the transition table: the docs hold this text, and a test compares them."""

from reactor.model.run import TRANSITIONS, RunState

FIRST = RunState.QUEUED


def chart() -> str:
    """The transition table as Mermaid text."""
    lines = ["stateDiagram-v2", f"    [*] --> {FIRST}"]
    for state, moves in TRANSITIONS.items():
        lines += [f"    {state} --> {then}: {move}" for move, then in moves.items()]
    return "\n".join(lines)
