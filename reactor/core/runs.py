"""Runs: how a satisfied rule becomes one, when it may begin, and what the end of an attempt means."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from reactor.core.graph import Graph, Node
from reactor.core.state import Group, State
from reactor.model.commands import Alert, AlertKind, CancelAttempt, Noted, SetTimer, StartAttempt
from reactor.model.events import Dispose, Item, Json
from reactor.model.ids import Instant, Owner, RunId, WaitKey
from reactor.model.outcome import CancelRun, Ending, Lost, Outcome, RetryDue, RunAgain
from reactor.model.ports import Ids
from reactor.model.run import TRANSITIONS, Attempt, Move, Reason, Run, RunState

QUEUED, RUNNING, START, SUCCEED = RunState.QUEUED, RunState.RUNNING, Move.START, Move.SUCCEED
SUCCEEDED = Ending.SUCCEEDED
"""By names of their own, as every run asks for them: to look a member up in its enum costs as much as a call."""
LOST_AT_MOST = 5
"""Engines that may die under one run before it is taken for the cause."""


def moved(run: Run, move: Move) -> RunState:
    """The state after a move: looked up, never computed. A move that the table does not hold is a defect of ours."""
    return TRANSITIONS[run.state][move]


def request(
    graph: Graph, state: State, node: Node, key: WaitKey, inputs: tuple[Item, ...], now: Instant, ids: Ids
) -> None:
    """A rule was satisfied: its frozen inputs become a run, or join the one that is queued for the same partition."""
    generation = state.waits[node.name, key].generation
    queued = state.behind.get((node.name, key)) if node.by_partition else None
    if queued is not None:
        _merge(state, node, state.runs[queued], inputs, generation, now)
        return
    trigger, since = _span(inputs)
    again = generation > 1 and node.plan.again == "rerun"
    run = Run(
        id=ids.run(now),
        task=node.name,
        workflow=node.task.workflow,
        key=key,
        generation=generation,
        state=QUEUED,
        reason=Reason.NEW_VERSION if again else Reason.INPUTS,
        inputs=inputs,
        created=now,
        waited_since=since,
        order=state.take_order(),
        limit_key=_limit_key(node, key, inputs),
        digest=node.digest,
        traceparent=child(trigger.traceparent, ids),
        parent=trigger.traceparent,
    )
    _admit(graph, state, node, run, now, ids)


def _span(inputs: tuple[Item, ...]) -> tuple[Item, Instant]:
    """The input that came last, and the time of the first that has not had its start yet."""
    last, first = inputs[-1], None
    for item in inputs:
        if item.seq > last.seq:
            last = item
        if not item.used and (first is None or item.at < first):
            first = item.at
    assert first is not None, "a start has an input that is new"
    return last, first


def _admit(graph: Graph, state: State, node: Node | None, run: Run, now: Instant, ids: Ids) -> None:
    """A queued run begins at once where it may; else it waits, behind its partition or for a place."""
    place = (run.task, run.key)
    by_partition = node is not None and node.by_partition
    free = not by_partition or place not in state.busy
    if free and (not state.queue or (run.task, run.limit_key) not in state.queue) and state.has_room(graph, run):
        start(graph, state, run, now, ids)
        return
    state.put_run(run)
    if by_partition:
        state.behind[place] = run.id
    if free:
        state.enqueue(run)


def _merge(state: State, node: Node, run: Run, inputs: tuple[Item, ...], generation: int, now: Instant) -> None:
    if node.plan.rule.consumes == "all":
        known = {i.seq for i in inputs}
        inputs = (*(i for i in run.inputs if i.seq not in known), *inputs)
    else:
        still = {i.seq for i in inputs}
        left = {i.seq: i for i in run.inputs if i.seq not in still and not i.used}
        for item in left.values():
            state.dispose(item, node.name, Dispose.MERGED, f"a newer version joined run {run.id} before it began", now)
    fresh = {i.seq for i in run.inputs if not i.used}
    kept = tuple(replace(i, used=False) if i.used and i.seq in fresh else i for i in inputs)
    state.put_run(replace(run, inputs=kept, generation=generation, merged=run.merged + 1))


def _limit_key(node: Node, key: WaitKey, inputs: tuple[Item, ...]) -> str:
    limit = node.task.limit
    if limit is None or not limit.key:
        return ""
    for item in inputs:
        fields: Mapping[str, Json] = msgspec.json.decode(item.evidence)
        if limit.key in fields:
            return str(fields[limit.key])
    return str(key) if limit.key in ("partition", "key") else ""


def start(graph: Graph, state: State, run: Run, now: Instant, ids: Ids) -> None:
    """The next attempt begins: with a number and a fencing token that no attempt before it had."""
    node = graph.nodes.get(run.task)
    was_running = run.state is RUNNING
    begun = replace(
        run,
        state=moved(run, START),
        attempt=run.attempt + 1,
        token=run.token + 1,
        started=run.started if run.started is not None else now,
        attempt_started=now,
        next_at=None,
        digest=node.digest if node is not None else run.digest,
        attempt_traceparent=child(run.traceparent, ids),
    )
    if not was_running:
        state.count(graph, begun, +1)
    if node is not None and node.by_partition:
        place = (run.task, run.key)
        if state.behind.get(place) == run.id:
            del state.behind[place]
        state.busy[place] = run.id
    state.put_run(begun)
    state.changes.commands.append(StartAttempt(begun))


def on_outcome(graph: Graph, state: State, outcome: Outcome, now: Instant, ids: Ids) -> Run | None:
    """An attempt ended. Returns the run where it succeeded, for its outputs to be announced.

    An outcome that carries an older token than the run holds, or that comes for a run that is closed, is refused: it changes nothing.
    """
    run = state.runs.get(outcome.run)
    if run is None or run.state is not RUNNING or outcome.token != run.token:
        return None
    attempt = _attempt(run, outcome)
    if outcome.ending is SUCCEEDED:
        return _close(graph, state, replace(run, state=moved(run, SUCCEED), ended=now, error=None), attempt, now, ids)
    if outcome.ending is Ending.CANCELLED or run.cancel_asked is not None:
        why = run.cancel_asked or outcome.error
        _close(graph, state, replace(run, state=moved(run, Move.CANCEL), ended=now, error=why), attempt, now, ids)
        return None
    _failed(
        graph, state, replace(run, failures=run.failures + 1, error=outcome.error), attempt, outcome.permanent, now, ids
    )
    return None


def _failed(graph: Graph, state: State, run: Run, attempt: Attempt, permanent: bool, now: Instant, ids: Ids) -> None:
    node = graph.nodes.get(run.task)
    if node is None or permanent or run.failures >= node.task.retry.attempts:
        closed = replace(run, state=moved(run, Move.FAIL), ended=now)
        _close(graph, state, closed, attempt, now, ids)
        _alert_failed(graph, state, closed, now)
        return
    due = Instant(now + node.task.retry.wait(run.failures, ids.chance()))
    waiting = replace(run, state=moved(run, Move.RETRY), next_at=due)
    state.count(graph, run, -1)
    state.put_run(waiting)
    state.changes.attempts.append(attempt)
    state.changes.commands += [_noted(graph, waiting, attempt), SetTimer(run.id, run.token, due)]
    _fill(graph, state, run, now, ids)


def _close(graph: Graph, state: State, run: Run, attempt: Attempt | None, now: Instant, ids: Ids) -> Run:
    """A run that held a place is over: its place and its partition go to those who wait."""
    state.count(graph, run, -1)
    state.put_run(run)
    if attempt is not None:
        state.changes.attempts.append(attempt)
        state.changes.commands.append(_noted(graph, run, attempt))
    _give_up_partition(graph, state, run, now, ids)
    _fill(graph, state, run, now, ids)
    return run


def _give_up_partition(graph: Graph, state: State, run: Run, now: Instant, ids: Ids) -> None:
    place = (run.task, run.key)
    if state.busy.get(place) == run.id:
        del state.busy[place]
    next_id = state.behind.get(place)
    if next_id is not None and place not in state.busy:
        follower = state.runs[next_id]
        state.enqueue(follower)
        _fill(graph, state, follower, now, ids)


def _fill(graph: Graph, state: State, run: Run, now: Instant, ids: Ids) -> None:
    """Starts what waits for the places that a run gave back, oldest first."""
    while state.queue:
        best: Run | None = None
        for group in _groups(graph, state, run):
            head = state.runs[next(iter(state.queue[group]))]
            if (best is None or head.order < best.order) and state.has_room(graph, head):
                best = head
        if best is None:
            return
        state.dequeue(best)
        start(graph, state, best, now, ids)


def _groups(graph: Graph, state: State, run: Run) -> list[Group]:
    flow = graph.workflows.get(run.workflow)
    if flow is not None and flow.limit is not None:
        return list(state.groups.get(run.workflow, ()))
    group = (run.task, run.limit_key)
    return [group] if group in state.queue else []


def on_retry_due(graph: Graph, state: State, due: RetryDue, now: Instant, ids: Ids) -> None:
    run = state.runs.get(due.run)
    if run is None or run.state is not RunState.RETRYING or run.token != due.token:
        return
    if (run.task, run.limit_key) not in state.queue and state.has_room(graph, run):
        start(graph, state, run, now, ids)
    else:
        state.enqueue(run)


def on_lost(graph: Graph, state: State, lost: Lost, now: Instant, ids: Ids) -> None:
    """The engine died under a running attempt: it is offered again, with a higher token, and does not count as a failure."""
    run = state.runs.get(lost.run)
    if run is None or run.state is not RUNNING or run.token != lost.token:
        return
    attempt = Attempt(
        run.id,
        run.attempt,
        run.token,
        run.attempt_started or now,
        now,
        "lost",
        "the engine stopped under it",
        "",
        traceparent=run.attempt_traceparent,
    )
    if run.cancel_asked is not None:
        _close(
            graph,
            state,
            replace(run, state=moved(run, Move.CANCEL), ended=now, error=run.cancel_asked),
            attempt,
            now,
            ids,
        )
    elif not lost.drained and run.lost + 1 > LOST_AT_MOST:
        error = f"the engine died {run.lost + 1} times while this ran, so it is taken for the cause. Look at its log, then try it again."
        closed = replace(run, state=moved(run, Move.FAIL), ended=now, lost=run.lost + 1, error=error)
        _close(graph, state, closed, attempt, now, ids)
        _alert_failed(graph, state, closed, now)
    else:
        state.changes.attempts.append(attempt)
        state.changes.commands.append(_noted(graph, run, attempt))
        start(graph, state, replace(run, lost=run.lost + (not lost.drained)), now, ids)


def on_cancel(graph: Graph, state: State, ask: CancelRun, now: Instant, ids: Ids) -> str | None:
    """Returns why it cannot be, where it cannot."""
    run = state.runs.get(ask.run)
    if run is None:
        return f"Run {ask.run} is over already, or there is none."
    why = f"cancelled by {ask.by}" + (f": {ask.reason}" if ask.reason else "")
    if run.state is RUNNING:
        state.put_run(replace(run, cancel_asked=why))
        state.changes.commands.append(CancelAttempt(run.id, run.token, why))
        return None
    state.dequeue(run)
    if state.behind.get((run.task, run.key)) == run.id:
        del state.behind[run.task, run.key]
    closed = replace(run, state=moved(run, Move.CANCEL), ended=now, error=why, next_at=None)
    state.put_run(closed)
    state.changes.commands.append(_noted(graph, closed, None))
    _give_up_partition(graph, state, run, now, ids)
    return None


def on_resumed(graph: Graph, state: State, now: Instant, ids: Ids) -> None:
    """Limits may have been loosened, and tasks removed, since these runs were queued: what has room now begins, oldest first."""
    for run in sorted((r for r in state.runs.values() if r.state is QUEUED), key=lambda r: r.order):
        if run.id in state.queue.get((run.task, run.limit_key), ()) and state.has_room(graph, run):
            state.dequeue(run)
            start(graph, state, run, now, ids)


def on_again(graph: Graph, state: State, ask: RunAgain, now: Instant, ids: Ids) -> str | None:
    """Returns why it cannot be, where it cannot. Its new life has a span of its own, below that of the old one, which is written already."""
    run = state.closed.pop(ask.run, None)
    if run is None or Move.AGAIN not in TRANSITIONS[run.state]:
        return f"Run {ask.run} is {run.state if run else 'still open, or not known'}: only a failed, cancelled or expired run can be tried again."
    node = graph.nodes.get(run.task)
    if node is None:
        return f"Task {run.task!r} is not defined any more, so run {run.id} cannot be tried again."
    if node.by_partition and (run.task, run.key) in state.behind:
        other = state.behind[run.task, run.key]
        return f"A newer run of {run.task} {run.key} is queued already: {other}. Cancel that one first, or let it do the work."
    queued = replace(
        run,
        state=moved(run, Move.AGAIN),
        reason=Reason.MANUAL,
        traceparent=child(run.traceparent, ids),
        parent=run.traceparent,
        started=None,
        failures=0,
        lost=0,
        ended=None,
        cancel_asked=None,
        error=None,
        order=state.take_order(),
    )
    _admit(graph, state, node, queued, now, ids)
    return None


def _attempt(run: Run, outcome: Outcome) -> Attempt:
    return Attempt(
        run=run.id,
        number=run.attempt,
        token=run.token,
        started=run.attempt_started or run.created,
        ended=outcome.ended,
        result=outcome.ending.value,
        error=outcome.error,
        executor=outcome.executor,
        exit_code=outcome.exit_code,
        checks=outcome.checks,
        traceparent=run.attempt_traceparent,
    )


def _noted(graph: Graph, run: Run, attempt: Attempt | None) -> Noted:
    node = graph.nodes.get(run.task)
    return Noted(run, attempt, Owner(node.task.owner if node is not None else ""))


def _alert_failed(graph: Graph, state: State, run: Run, now: Instant) -> None:
    node = graph.nodes.get(run.task)
    owner = Owner(node.task.owner if node is not None else "")
    what = f"{run.task} {run.key}".strip()
    text = f"{what} failed after {run.attempt} attempt{'s' if run.attempt > 1 else ''}: {(run.error or 'no reason given').splitlines()[0]}"
    state.tell([Alert(f"failed/{run.id}/{run.attempt}", AlertKind.FAILED, owner, what, text, now)])


def child(parent: str | None, ids: Ids) -> str | None:
    """A new span's W3C trace context: in its parent's trace, else in a new one. The parent's own, or none, where nobody collects spans."""
    return new_span(parent, ids) if ids.traces else parent


def new_span(parent: str | None, ids: Ids) -> str:
    """A span's trace context, whoever looks at it."""
    if parent is None:
        return f"00-{ids.trace()}-{ids.span()}-01"
    return f"{parent[:36]}{ids.span()}{parent[52:]}"


__all__ = [
    "RunId",
    "child",
    "new_span",
    "on_again",
    "on_cancel",
    "on_lost",
    "on_outcome",
    "on_resumed",
    "on_retry_due",
    "request",
    "start",
]
