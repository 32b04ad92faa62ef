"""The checker: reads a history and the ledger, and says which promise was broken. Its sentences are those of the guarantees."""

from __future__ import annotations

from collections import Counter, defaultdict

from reactor.model.ids import AssetName, PartitionKey, TaskName, WaitKey
from tests.simulation.world import BOUND, World

G = {
    "G1": "An acknowledged event is never lost: its effect and its source position are in the database before it is acknowledged.",
    "G2": "Each (rule, partition, generation) starts exactly one run.",
    "G3": "When all inputs of a rule are ready the run starts, also after any crash.",
    "G4": "Nothing happens in the outside world before its record is durable.",
    "G5": "No run starts before every declared input is ready in that generation.",
    "G6": "Every attempt has a fencing token that only grows; the result of a superseded attempt is refused.",
    "G8": "A poison event goes to the dead-letter table with the reason; it never blocks its topic.",
    "G9": "Memory is bounded: at most N records wait per source; then the source is paused, not dropped.",
    "G12": "Source positions are committed only in the same transaction as the state they produced; Kafka's committed offset may lag it, never lead.",
    "G13": "Two engines on one database never both act: on SQLite the second exits.",
    "G14": "Per Kafka partition, events take effect in order.",
    "one": "Never two runs of one task for one partition at once.",
    "G17": "The ledger balances.",
}


def broken(world: World) -> list[str]:
    """Every promise that this world saw broken."""
    found = [
        *_acknowledged(world),
        *_once(world),
        *_live(world),
        *_starts(world),
        *_fenced(world),
        *_poison(world),
        *_bounded(world),
        *_balanced(world),
    ]
    return [f"{G[g]} [{g}] {what}" for g, what in found]


def _acknowledged(world: World) -> list[tuple[str, str]]:
    history, platter = world.history, world.platter
    found = [("G1", what) for what in history.ahead[:3]]
    held = {(r.source, r.position) for r in platter.readiness.values()} | {(d.source, d.position) for d in platter.dead}
    ids = {r.id for r in platter.readiness.values()}
    for emit in history.emits:
        if emit.source == "kafka:paid" and emit.position < history.acked.get("kafka:paid", 0):
            if (emit.source, emit.position) not in held:
                found.append(("G1", f"record {emit.position} was acknowledged and left no trace"))
        elif emit.id in history.acked_ids and emit.id not in ids:
            found.append(("G1", f"post {emit.id} was answered and left no trace"))
    return found


def _once(world: World) -> list[tuple[str, str]]:
    runs: dict[tuple[str, str, int], set[str]] = defaultdict(set)
    for run in world.platter.runs.values():
        runs[run.task, run.key, run.generation].add(run.id)
    found = [("G2", f"{key} has {sorted(ids)}") for key, ids in runs.items() if len(ids) > 1]
    told: Counter[tuple[str, str]] = Counter()
    for emit in world.history.emits:
        if emit.order is not None:
            told["paid" if emit.source == "kafka:paid" else "packed", emit.order] += 1
    if not world.history.stuck:
        for (asset, order), count in told.items():
            slot = world.platter.slots.get((AssetName(asset), PartitionKey(order)))
            version = slot.version if slot is not None else 0
            if version != count:
                found.append(
                    (
                        "G2" if version > count else "G1",
                        f"{asset} {order} was told {count} times and has version {version}",
                    )
                )
    return found


def _live(world: World) -> list[tuple[str, str]]:
    found = [("G3", what) for what in world.history.stopped]
    if world.history.stuck:
        return [*found, ("G3", world.history.stuck)]
    for task in ("ship", "book", "tell"):
        node = world.graph.nodes[TaskName(task)]
        for order in {e.order for e in world.history.emits if e.order}:
            runs = [
                r for r in world.platter.runs.values() if (r.task, r.key) == (task, order) and r.state == "succeeded"
            ]
            newest = max(runs, key=lambda r: r.order, default=None)
            for asset in {t.asset for t in node.plan.terms}:
                slot = world.platter.slots.get((asset, PartitionKey(order)))
                given = max((i.version for i in newest.inputs if i.asset == asset), default=0) if newest else 0
                if slot is None or given != slot.version:
                    found.append(
                        (
                            "G3",
                            f"the newest run of {task} {order} saw {asset} version {given} of {slot.version if slot else 0}",
                        )
                    )
    return found


def _starts(world: World) -> list[tuple[str, str]]:
    found = [
        ("G4", f"{b.task} {b.key} began with token {b.token} before that was on the disk")
        for b in world.history.began
        if not b.durable
    ]
    found += [("G5", f"{b.task} {b.key} began on {dict(b.inputs)}") for b in world.history.began if not b.ready]
    found += [
        ("one", f"{b.task} {b.key} began while another of its runs had begun")
        for b in world.history.began
        if not b.alone
    ]
    return found


def _fenced(world: World) -> list[tuple[str, str]]:
    last: dict[str, int] = {}
    found = []
    for began in world.history.began:
        if began.token <= last.get(began.run, 0):
            found.append(("G6", f"run {began.run} was started with token {began.token} after {last[began.run]}"))
        last[began.run] = max(began.token, last.get(began.run, 0))
    began_tokens = {(b.run, b.token): b.at for b in world.history.began}
    for attempt in world.platter.attempts:
        later = [b for b in world.history.began if b.run == attempt.run and b.token > attempt.token]
        if attempt.result == "succeeded" and later:
            found.append(("G6", f"run {attempt.run} went on after token {attempt.token} succeeded"))
        if attempt.result != "lost" and (attempt.run, attempt.token) not in began_tokens:
            found.append(
                ("G6", f"an outcome with token {attempt.token} was taken for run {attempt.run}, which never had it")
            )
    found += [
        ("G6", f"run {a.run} holds token {a.token} and took the answer of {a.executor}")
        for a in world.platter.attempts
        if a.result != "lost" and a.executor != f"token {a.token}"
    ]
    per_run: Counter[tuple[str, int]] = Counter((a.run, a.token) for a in world.platter.attempts)
    found += [("G6", f"two outcomes were taken for {key}") for key, count in per_run.items() if count > 1]
    for run in world.platter.runs.values():
        final = [a for a in world.platter.attempts if a.run == run.id and a.result == "succeeded"]
        if run.state == "succeeded" and (len(final) != 1 or final[0].token != run.token):
            found.append(("G6", f"run {run.id} succeeded under {[a.token for a in final]} and holds {run.token}"))
    return found


def _poison(world: World) -> list[tuple[str, str]]:
    dead = {d.position: d for d in world.platter.dead if d.source == "kafka:paid"}
    found = []
    for emit in world.history.emits:
        if emit.order is None and emit.position < world.history.acked.get("kafka:paid", 0):
            letter = dead.get(emit.position)
            if letter is None or not letter.reason:
                found.append(("G8", f"poison at {emit.position} left {letter}"))
    return found


def _bounded(world: World) -> list[tuple[str, str]]:
    most = world.history.most_held
    return [("G9", f"{most} records were held, {BOUND} are allowed")] if most > BOUND else []


def _balanced(world: World) -> list[tuple[str, str]]:
    found = []
    platter = world.platter
    at: dict[tuple[str, str], int] = {}
    for span in platter.spans:
        key = (span.source, span.lane)
        if span.first != at.get(key, 0):
            found.append(("G12", f"{key}: a span begins at {span.first}, the last ended at {at.get(key, 0)}"))
        at[key] = span.until
        if span.ready + span.ignored + span.duplicate + span.dead + span.gap != span.until - span.first:
            found.append(("G17", f"{span} does not add up"))
    places: dict[int, set[str]] = defaultdict(set)
    for wait in platter.waits.values():
        for item in wait.items:
            places[item.seq].add(wait.task)
    for run in platter.runs.values():
        for item in run.inputs:
            places[item.seq].add(run.task)
    for line in platter.dispositions:
        places[line.seq].add(line.task)
    for seq, count in platter.offered.items():
        if len(places[seq]) != count:
            found.append(("G17", f"event {seq} was offered to {count} rules and is found at {sorted(places[seq])}"))
    return found


__all__ = ["G", "WaitKey", "broken"]
