"""Gates: what stands before an asset becomes ready. A gate looks at what arrived and lets it through, or holds it.

Law: fail closed. Only a plain True opens a gate: one that answers anything else, nothing at all, raises, hangs or dies holds the
partition, its owner hears, and a person decides.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from reactor.model.asset import Asset
from reactor.model.duration import Duration, micros
from reactor.model.errors import DefinitionError
from reactor.model.events import Json
from reactor.model.ids import AssetName, Instant, PartitionKey


class Version(msgspec.Struct, frozen=True):
    """What was accepted of a partition before."""

    partition: PartitionKey
    version: int
    at: Instant
    evidence: Mapping[str, Json]


class Arrived(msgspec.Struct, frozen=True):
    """What a gate is shown: a partition that would become ready, with its evidence."""

    asset: AssetName
    partition: PartitionKey
    evidence: Mapping[str, Json]
    by: str
    """The sensor, or `task NAME` for the output of a run."""
    before: tuple[Version, ...] = ()
    """The newest partitions of this asset that were accepted, the greatest key first, ten at most; this partition's own last
    version is among them where it has one."""


Answer = bool | str
"""True: it may pass. False, or a text that says why: it is held."""


@dataclass(frozen=True)
class Gate:
    """A named judgement before an asset becomes ready. Calling it calls the function."""

    assets: tuple[AssetName, ...]
    judge: Callable[[Arrived], Answer | Awaitable[Answer]]
    name: str
    timeout: int
    """Microseconds that one call may take."""
    module: str = field(default="", compare=False)

    def __call__(self, arrived: Arrived) -> Answer | Awaitable[Answer]:
        return self.judge(arrived)


Judge = Callable[[Arrived], Answer] | Callable[[Arrived], Awaitable[Answer]]


def gate(asset: Asset, *more: Asset, timeout: Duration = "10s", name: str = "") -> Callable[[Judge], Gate]:
    """Makes a function a gate of one or more assets. It is given an `Arrived` and answers True, or why it holds the partition.

    Raises:
        DefinitionError: what it stands before is no asset, or the function takes something else than one argument.
    """
    for one in (asset, *more):
        if not isinstance(one, Asset):
            raise DefinitionError(
                f"@gate({one!r}): a gate stands before assets. Write @gate(orders), with the asset itself."
            )

    def wrap(judge: Judge) -> Gate:
        called = name or getattr(judge, "__name__", "gate")
        if len(inspect.signature(judge).parameters) != 1:
            raise DefinitionError(f"Gate {called!r} takes one argument: what arrived (an Arrived).")
        names = tuple(AssetName(a.name) for a in (asset, *more))
        return Gate(names, judge, called, micros(timeout), getattr(judge, "__module__", ""))

    return wrap
