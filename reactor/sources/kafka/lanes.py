"""Where each partition stands. Law: bookkeeping without a client, a clock or an await."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reactor.model.ids import Lane
from reactor.sources.base import LaneStart


def lane_name(topic: str, partition: int) -> Lane:
    return Lane(f"{topic}/{partition}")


@dataclass(slots=True, eq=False)
class Partition:
    """One partition that is, or was just now, assigned to us."""

    topic: str
    number: int
    next: int = -1
    """Behind the last batch that was handed out. -1: not known here; the ledger is asked."""
    first_time: bool = False
    """No batch of it was ever in the ledger."""
    placed: bool = False
    """The client reads it from `next`."""
    in_flight: int = 0
    """Batches that were handed out and are not durable yet."""
    durable: int = -1
    """Below it everything is durable: what may be committed to the group."""
    committed: int = -1
    careful: bool = False
    """Read one by one, to find the record at which the client fails."""
    broken: str = ""
    """Why it is not read."""
    retry_at: float | None = None
    """When a broken one is tried again, on the loop's clock. None: never without a person."""
    trying: bool = False
    """Broken, and being tried again."""
    tries: int = 0
    answered: float = 0.0
    """When a broker last answered for it, on the loop's clock."""
    poll_mark: int | None = None

    @property
    def lane(self) -> Lane:
        return lane_name(self.topic, self.number)

    @property
    def settled(self) -> bool:
        return self.in_flight == 0

    def well(self) -> None:
        """It could be read."""
        self.broken, self.retry_at, self.trying, self.tries, self.careful = "", None, False, 0, False


@dataclass
class Partitions:
    """All of one topic, by number."""

    topic: str
    all: dict[int, Partition] = field(default_factory=dict)
    was_read: bool = False
    """Some of it has a place already: a lane that has none is new, and is read from its beginning."""

    def know(self, lanes: Mapping[Lane, LaneStart]) -> None:
        """Where the ledger stands, as the service told it at the start."""
        for lane, start in lanes.items():
            topic, _, number = lane.rpartition("/")
            if topic == self.topic and number.isdigit():
                self.all[int(number)] = Partition(topic, int(number), start.position, durable=start.position)
                self.was_read = True

    def assign(self, numbers: Iterable[int]) -> None:
        """These are ours now, to be placed, and no others. What is not in flight may have been moved by another
        node: it is asked for.
        """
        wanted = set(numbers)
        for number in list(self.all):
            if number not in wanted:
                del self.all[number]
        for number in wanted:
            self.all.setdefault(number, Partition(self.topic, number)).placed = False

    def revoke(self) -> None:
        """They may go to another node. What is in flight is still ours to finish, so those positions stay known."""
        for partition in self.all.values():
            if partition.placed and partition.settled:
                partition.next = -1
            partition.placed = False

    def unplaced(self) -> list[Partition]:
        return [p for _, p in sorted(self.all.items()) if not p.placed]

    def readable(self) -> list[Partition]:
        return [p for p in self.all.values() if p.placed and (p.trying or not p.broken)]

    def broken(self) -> list[Partition]:
        return [p for _, p in sorted(self.all.items()) if p.broken]

    def settled(self) -> bool:
        return all(p.settled for p in self.all.values())

    def handed_out(self, number: int, until: int) -> None:
        partition = self.all[number]
        partition.next, partition.first_time = until, False
        partition.in_flight += 1

    def done(self, lane: Lane, until: int) -> None:
        """A batch is durable. One of a partition that went to another node in the meantime is no longer our concern."""
        for partition in self.all.values():
            if partition.lane == lane:
                partition.in_flight = max(0, partition.in_flight - 1)
                partition.durable = max(partition.durable, until)

    def uncommitted(self) -> dict[int, int]:
        """Offsets that the group has not been told of, by partition."""
        return {n: p.durable for n, p in self.all.items() if p.placed and p.durable > max(p.committed, 0)}
