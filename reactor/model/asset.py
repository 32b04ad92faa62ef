"""Assets: named data products, usually cut into partitions."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime

from reactor.model.condition import Condition, Operand
from reactor.model.duration import micros
from reactor.model.errors import DefinitionError, nearest
from reactor.model.events import SHAPE, Json, Ready, SchemaChange, Status, evidence_json
from reactor.model.ids import NO_PARTITION, AssetName, PartitionKey
from reactor.model.partitions import Partitions, instant, time_of
from reactor.model.schema import Compatibility

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,127}")


HOLD_OR_PASS = ("hold", "pass")


class Accepted:
    """The mark of a schema that is whatever was accepted last."""

    def __repr__(self) -> str:
        return "accepted"


accepted = Accepted()
"""`Asset(..., schema=accepted)`: the first content says what the schema is; later ones are compared with what was accepted last."""


@dataclass(frozen=True)
class Asset(Condition):
    """A named data product. It is a condition itself: joined with `&` and `|`; `ready` announces a partition of it.

    `due` is when a partition should be there: a local time of day on the day after the period (`"02:00"`), or a length of time
    after its end (`"15m"`).
    """

    name: str
    partitions: Partitions | None = None
    _: KW_ONLY
    owner: str | None = None
    due: str | None = None
    description: str = ""
    schema: object = field(default=None, hash=False)
    """What its data is made of: a pydantic model, an Avro or JSON schema (as a dict), a PyArrow schema, a `Schema`, or `accepted`: what was
    accepted last. None: nobody looks."""
    on_change: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What a change of the schema does, by its class: `hold` or `pass`. A breaking one holds where nothing is said; the others pass."""

    def __post_init__(self) -> None:
        self._check_changes()
        if not NAME.fullmatch(self.name):
            raise DefinitionError(
                f"{self.name!r} cannot name an asset. Begin with a letter; then letters, digits, '_', '.' and '-', 128 at most."
            )
        self._check_due()

    def _check_changes(self) -> None:
        for kind, what in self.on_change.items():
            known = [c.value for c in Compatibility]
            if kind not in known or what not in HOLD_OR_PASS:
                raise DefinitionError(
                    f"Asset {self.name!r}: on_change={{{kind!r}: {what!r}}} says nothing. A class is one of {', '.join(known)}; what it does is "
                    f"'hold' or 'pass'.{nearest(kind, known)}"
                )
        if self.on_change and self.schema is None:
            raise DefinitionError(
                f"Asset {self.name!r} has on_change, but no schema to compare with. Give it schema=..., or schema=accepted for the last one."
            )

    def _check_due(self) -> None:
        if self.due is None:
            return
        if time_of(self.partitions) is None:
            raise DefinitionError(
                f"Asset {self.name!r} has due={self.due!r}, but its partitions are not cut by time, so there is no moment to "
                "count from. Give it Daily, Hourly or Monthly partitions, or leave `due` out."
            )
        if ":" in self.due:
            try:
                datetime.strptime(self.due, "%H:%M")
            except ValueError as error:
                raise DefinitionError(
                    f"Asset {self.name!r}: due={self.due!r} is not a time of day such as '08:00'."
                ) from error
        else:
            micros(self.due)

    def ready(
        self,
        partition: str | None = None,
        *,
        status: Status | str = Status.OK,
        at: datetime | None = None,
        evidence: Mapping[str, Json] | None = None,
        schema: object = None,
        **more: Json,
    ) -> Ready:
        """A partition of this asset has arrived. Keyword arguments are its evidence: JSON values that describe it.

        `schema`: what this content is made of, where the asset has a schema and it cannot be read from the file that landed.

        Raises:
            ValueError: the partition is not one of this asset's, or the evidence is no JSON or larger than 16 KiB.
        """
        key = self.partition(partition)
        facts = {**evidence, **more} if evidence else more
        try:
            body = evidence_json(facts)
        except ValueError as error:
            raise ValueError(f"The evidence for {self.name} cannot be kept: {error}.") from error
        when = None if at is None else instant(at)
        told = status if type(status) is Status else Status(status)
        return Ready(AssetName(self.name), key, facts, told, when, body, schema)

    def changed(self, change: Json) -> Ready:
        """The shape of this asset's source is another one now: what a sensor of schema changes says. `change` is the `SchemaChange` that it was
        given, or a schema. Whether partitions may go on is decided by `on_change`.
        """
        what = {"change": change.name, "by": change.command} if isinstance(change, SchemaChange) else {}
        return Ready(AssetName(SHAPE + self.name), NO_PARTITION, what, body=evidence_json(what), shape=change)

    def partition(self, key: str | None) -> PartitionKey:
        """The key as a partition of this asset. Raises ValueError with the reason where it is none."""
        if self.partitions is None:
            if key:
                raise ValueError(f"{self.name} is not partitioned, but was given the partition {key!r}.")
            return NO_PARTITION
        if key is None:
            raise ValueError(f"{self.name} is partitioned ({self.partitions.describe()}), but no partition was given.")
        wrong = self.partitions.refuse(str(key))
        if wrong:
            raise ValueError(f"{self.name} has no such partition: {wrong}")
        return PartitionKey(str(key))

    def operands(self) -> Iterator[Operand]:
        yield self.operand()

    def operand(self) -> Operand:
        return Operand(AssetName(self.name), of=self)

    def where(self, text: str = "", /, **fields: Json) -> Operand:
        """See `Operand.where`."""
        return self.operand().where(text, **fields)

    def columns(self, *names: str) -> Operand:
        """See `Operand.columns`."""
        return self.operand().columns(*names)

    def all_of(self, unit: Partitions, *, missing_at_most: int = 0, at_least: int | None = None) -> Operand:
        """See `Operand.all_of`."""
        return self.operand().all_of(unit, missing_at_most=missing_at_most, at_least=at_least)

    def __str__(self) -> str:
        return self.name
