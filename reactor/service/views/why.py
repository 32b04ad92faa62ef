"""Why: what one partition waits for, what came and was turned away, what happens next, and whose turn it is.

The tree is the core's own explanation of the wait; the rest is read from the ledger beside it.
"""

from collections.abc import Iterator, Mapping, Sequence

from reactor.core.announcers import announcers
from reactor.core.deadlines import due_at
from reactor.core.graph import Graph, Node
from reactor.core.why import Part, explain
from reactor.model.condition import SCHEDULE
from reactor.model.errors import NotFound, nearest
from reactor.model.events import DeadLetter
from reactor.model.ids import AssetName, Instant, PartitionKey, WaitKey
from reactor.model.partitions import time_of
from reactor.model.slot import Wait
from reactor.service.views import board
from reactor.service.views.answer import Letter, Needed, Rejected, Standing, Why
from reactor.service.views.board import Cell, Known, task_of, under_way
from reactor.service.views.runs import RunLine, line_of
from reactor.service.views.words import SlotState, called, iso
from reactor.store.base import Reader, RunFilter, Stored

LOOKED_AT = 200
"""Events of each input, the newest, that are searched for those that were turned away."""
SHOWN = 5


async def why(
    reader: Reader,
    graph: Graph,
    what: str,
    partition: str | None,
    now: Instant,
    troubles: Mapping[str, str] | None = None,
) -> Why:
    """Explains an asset, or a task, for one partition; for the newest one where none is named.

    `troubles`: what the running service says of sources that are not well, by their name.

    Raises:
        NotFound: there is no such asset or task, or it has no such partition.
    """
    task = task_of(graph, what)
    asset = AssetName(what) if what in graph.assets else None
    if task is None and asset is None:
        names = [*graph.assets, *graph.nodes]
        raise NotFound(
            f"There is no asset and no task called {what!r}.{nearest(what, names)} `reactor graph` lists them."
        )
    if task is not None:
        return await _Made(reader, graph, now, troubles or {}).explain(graph.nodes[task], asset, partition)
    assert asset is not None
    return await _Announced(reader, graph, now, troubles or {}).explain(asset, partition)


class _Asked:
    """What one question needs."""

    def __init__(self, reader: Reader, graph: Graph, now: Instant, troubles: Mapping[str, str]) -> None:
        self.reader, self.graph, self.now, self.troubles = reader, graph, now, troubles
        self.known = Known()
        self.sensors = announcers(graph)

    async def cell(self, asset: AssetName, partition: PartitionKey) -> Cell:
        """The state of the slot, judged like the board's, with everything above it."""
        for name, wanted in board.above(self.graph, asset, partition).items():
            await board.read(self.reader, self.graph, self.known, name, board.HOURS * 2)
            for key in wanted:
                await self._read_one(name, key)
            newest = board.keys(self.graph, self.known, name, self.now, board.HOURS * 2)
            for key in dict.fromkeys((*newest, *wanted)):
                board.judge(self.graph, self.known, name, key, self.now)
        return self.known.cells[asset, partition]

    async def _read_one(self, name: AssetName, partition: PartitionKey) -> None:
        """The slots that are asked about may be older than those that a board shows."""
        slot = await self.reader.slot(name, partition)
        if slot is not None:
            self.known.slots[name, partition] = slot
        maker = self.graph.makers.get(name)
        if maker is None:
            return
        for run in await self.reader.runs(RunFilter(task=maker, key=WaitKey(partition), limit=1)):
            self.known.runs[maker, partition] = run
        wait = await self.reader.wait(maker, WaitKey(partition))
        if wait is not None:
            self.known.waits[maker, partition] = wait

    def standing(self, cell: Cell) -> Standing | None:
        slot = self.known.slots.get((cell.asset, cell.partition))
        if slot is None or slot.held is None:
            return None
        return Standing(iso(slot.held.at), slot.held.reason, slot.held.by, slot.held.event, slot.held.rejected)

    def sources_of(self, asset: AssetName) -> list[str]:
        return [s.source.name for s in self.sensors.get(asset, ())]

    async def letters(self, assets: Sequence[AssetName]) -> tuple[Letter, ...]:
        mine = {s for a in assets for s in self.sources_of(a)}
        found = [d for d in await self.reader.dead("open", LOOKED_AT) if d.source in mine]
        return tuple(_letter(d) for d in found[:SHOWN])

    def sick(self, asset: AssetName) -> Iterator[str]:
        for name in self.sources_of(asset):
            if name in self.troubles:
                yield f"{name} is not well, so {asset} may be there and not seen: {self.troubles[name]}"


class _Announced(_Asked):
    """An asset that sensors announce."""

    async def explain(self, asset: AssetName, asked: str | None) -> Why:
        partition = _partition(self.graph, asset, asked) if asked is not None else await self._newest(asset)
        cell = await self.cell(asset, partition)
        owner = self.graph.owner_of(asset)
        letters = await self.letters([asset])
        ready = cell.state is SlotState.READY
        return Why(
            asset=asset,
            task="",
            partition=partition,
            state=cell.state,
            late=cell.late,
            owner=owner,
            since=cell.at,
            reason=cell.reason,
            tree=await self._leaf(asset, partition, cell),
            runs=(),
            letters=letters,
            next=tuple(self._next(asset, partition, cell, ready)),
            turn=() if ready else _turns({owner: called(asset, partition)}, letters),
            held=self.standing(cell),
        )

    async def _newest(self, asset: AssetName) -> PartitionKey:
        time = time_of(self.graph.assets[asset].partitions)
        if time is not None:
            return time.newest_finished(self.now)
        return next((s.partition for s in await self.reader.slots(asset, 1)), PartitionKey(""))

    async def _leaf(self, asset: AssetName, partition: PartitionKey, cell: Cell) -> Needed:
        last = await self.reader.last_arrival(asset)
        return Needed(
            "asset",
            asset,
            cell.state is SlotState.READY,
            int(cell.version > 0),
            1,
            asset=asset,
            owner=self.graph.owner_of(asset),
            arrived=cell.at,
            version=cell.version,
            last=iso(last.arrived) if last is not None else None,
            due=cell.due,
            late=cell.late,
            rejected=_rejected(await self.reader.events(None, LOOKED_AT, asset), "", [partition]),
            sensors=tuple(s.name for s in self.sensors.get(asset, ())),
        )

    def _next(self, asset: AssetName, partition: PartitionKey, cell: Cell, ready: bool) -> Iterator[str]:
        if ready:
            yield f"{called(asset, partition)} is there, version {cell.version}."
            return
        standing = self.standing(cell)
        if standing is not None:
            yield _decision(cell, standing)
        yield from self.sick(asset)
        sensors = self.sensors.get(asset, ())
        if sensors:
            yield f"It becomes ready when {' or '.join(f'{s.name} ({s.source.name})' for s in sensors)} announces it."
        else:
            yield "No sensor mentions it and no task makes it: nothing will make it ready until one does."
        if cell.due is not None and not cell.late:
            yield f"It is due at {cell.due}; if it is not there by then, {self.graph.owner_of(asset)} is told."


class _Made(_Asked):
    """A task, or an asset that a task makes."""

    async def explain(self, node: Node, asset: AssetName | None, asked: str | None) -> Why:
        asset = asset if asset is not None else next((AssetName(a.name) for a in node.task.outputs), None)
        key = WaitKey(asked) if asked is not None else await self._newest(node)
        if asset is not None and node.by_partition:
            _partition(self.graph, asset, key)
        wait = await self.reader.wait(node.name, key) or Wait(node.name, key)
        runs = await self.reader.runs(RunFilter(task=node.name, key=key, limit=SHOWN))
        cell = await self._cell_of(node, asset, key, [line_of(r) for r in runs])
        tree = await self._tree(node, key, explain(node, wait))
        ready = cell.state is SlotState.READY
        leaves = list(_leaves(tree))
        letters = await self.letters([AssetName(leaf.asset) for leaf in leaves])
        waiting = not ready and cell.state not in (SlotState.RUNNING, SlotState.FAILED)
        owners: dict[str, str] = {}
        for leaf in leaves if waiting else ():
            if not leaf.holds:
                owners[leaf.owner] = f"{owners[leaf.owner]}, {leaf.text}" if leaf.owner in owners else leaf.text
        if cell.state is SlotState.FAILED or self.standing(cell) is not None:
            owners = {node.task.owner: f"{node.name} {key}".rstrip()}
        return Why(
            asset=asset or "",
            task=node.name,
            partition=key,
            state=cell.state,
            late=cell.late,
            owner=node.task.owner,
            since=iso(wait.since) if wait.items else None,
            reason=under_way(runs[0]) if runs and cell.state is SlotState.RUNNING else cell.reason,
            tree=tree,
            runs=tuple(line_of(r) for r in runs),
            letters=letters,
            next=tuple(self._next(node, cell, tree, leaves)),
            turn=_turns(owners, letters if waiting else ()),
            held=self.standing(cell),
        )

    async def _newest(self, node: Node) -> WaitKey:
        time = time_of(node.partitions)
        if node.by_partition and time is not None:
            open_now = [
                w.key for w in await self.reader.waits(node.name, LOOKED_AT) if any(not i.used for i in w.items)
            ]
            return max(open_now, default=WaitKey(time.newest_finished(self.now)))
        runs = await self.reader.runs(RunFilter(task=node.name, limit=1))
        waits = await self.reader.waits(node.name, 1)
        return waits[0].key if waits else runs[0].key if runs else WaitKey("")

    async def _cell_of(self, node: Node, asset: AssetName | None, key: WaitKey, runs: Sequence[RunLine]) -> Cell:
        if asset is not None and node.by_partition:
            return await self.cell(asset, PartitionKey(key))
        states = {"succeeded": SlotState.READY, "failed": SlotState.FAILED, "cancelled": SlotState.FAILED}
        states |= {"expired": SlotState.FAILED}
        if not runs:
            return Cell("", key, SlotState.WAITING)
        return Cell("", key, states.get(runs[0].state, SlotState.RUNNING), reason=runs[0].error or "")

    async def _tree(self, node: Node, key: WaitKey, part: Part) -> Needed:
        terms = iter(node.plan.terms)

        async def walk(part: Part) -> Needed:
            if part.kind in ("asset", "schedule"):
                return await self._leaf(node, key, part, next(terms).asset)
            parts = [await walk(p) for p in part.parts]
            return Needed(part.kind, part.text, part.holds, part.have, part.needed, tuple(parts))

        return await walk(part)

    async def _leaf(self, node: Node, key: WaitKey, part: Part, asset: AssetName) -> Needed:
        if asset.startswith(SCHEDULE):
            return Needed(part.kind, part.text, part.holds, part.have, part.needed, asset=asset, owner=node.task.owner)
        last = await self.reader.last_arrival(asset)
        newest = max(part.came, key=lambda c: c.at, default=None)
        whole = node.by_partition and not part.missing and not any(c.partition != key for c in part.came)
        time = time_of(self.graph.assets[asset].partitions)
        fits = whole and time == time_of(node.partitions)
        due = due_at(self.graph.assets[asset], PartitionKey(key)) if fits and time is not None else None
        partitions = part.missing or ([key] if node.by_partition else None)
        return Needed(
            part.kind,
            part.text,
            part.holds,
            part.have,
            part.needed,
            asset=asset,
            owner=self.graph.owner_of(asset),
            arrived=iso(newest.at) if newest is not None else None,
            version=newest.version if newest is not None else 0,
            missing=part.missing,
            last=iso(last.arrived) if last is not None else None,
            due=iso(due),
            late=not part.holds and due is not None and due <= self.now,
            rejected=_rejected(await self.reader.events(None, LOOKED_AT, asset), node.name, partitions),
            sensors=tuple(s.name for s in self.sensors.get(asset, ())),
        )

    def _next(self, node: Node, cell: Cell, tree: Needed, leaves: Sequence[Needed]) -> Iterator[str]:
        match cell.state:
            case SlotState.READY:
                yield "Nothing is waited for. It is made again when an input comes anew."
            case SlotState.RUNNING:
                yield f"{node.name} announces its outputs when this attempt succeeds and its checks pass."
            case SlotState.FAILED:
                yield (
                    f"Nothing by itself: find the cause, then `reactor runs again {cell.run or 'RUN'}`; a new version of an input "
                    "starts it too."
                )
            case _:
                standing = self.standing(cell)
                if standing is not None:
                    yield _decision(cell, standing)
                yield from self._waiting(node, tree, leaves)
        if cell.due is not None and not cell.late and cell.state is not SlotState.READY:
            yield f"{called(cell.asset, cell.partition)} is due at {cell.due}; if it is not there by then, {node.task.owner} is told."

    def _waiting(self, node: Node, tree: Needed, leaves: Sequence[Needed]) -> Iterator[str]:
        missing = [leaf for leaf in leaves if not leaf.holds]
        for leaf in missing:
            yield from self.sick(AssetName(leaf.asset))
            if leaf.asset in self.graph.makers:
                yield f"{leaf.text} comes from {self.graph.makers[AssetName(leaf.asset)]}: `reactor why {leaf.asset}` says what that waits for."
        if missing:
            all_of = ", ".join(leaf.text for leaf in missing)
            some = (
                "one of these comes" if tree.kind == "any" else "it is there" if len(missing) == 1 else "they are there"
            )
            yield f"{node.name} waits for {all_of}, and starts by itself the moment {some}."


def _decision(cell: Cell, standing: Standing) -> str:
    what = called(cell.asset, cell.partition)
    if standing.rejected:
        return f"What came was {standing.rejected}. It stays closed until something newer of {what} comes."
    return f"A gate holds what came: nothing goes on by itself. `reactor approve {what} --reason ...` lets it pass, `reactor reject` closes it."


def _leaves(tree: Needed) -> Iterator[Needed]:
    if not tree.parts:
        yield tree
    for part in tree.parts:
        yield from _leaves(part)


def _partition(graph: Graph, asset: AssetName, key: str) -> PartitionKey:
    try:
        return graph.assets[asset].partition(key or None)
    except ValueError as error:
        raise NotFound(str(error)) from error


def _rejected(events: Sequence[Stored], task: str, partitions: Sequence[str] | None) -> tuple[Rejected, ...]:
    """Newest first. `superseded` and the like are ordinary; they are told too, because they are what came."""
    found = [
        Rejected(e.readiness.id, e.readiness.partition, iso(e.readiness.arrived), d.outcome, d.detail)
        for e in reversed(events)
        for d in e.dispositions
        if d.task in ("", task) and (partitions is None or e.readiness.partition in partitions)
    ]
    return tuple(found[:SHOWN])


def _letter(letter: DeadLetter) -> Letter:
    return Letter(letter.id, letter.sensor, letter.source, letter.reason, iso(letter.at))


def _turns(owners: Mapping[str, str], letters: Sequence[Letter]) -> tuple[str, ...]:
    found = [f"{owner}: {what}" for owner, what in owners.items() if owner]
    found.extend(f"whoever owns {d.sensor}: dead letter {d.id} (`reactor dead show {d.id}`)" for d in letters)
    return tuple(found)
