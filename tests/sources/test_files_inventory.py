"""What is new, what is complete and which version it is, as a table of sightings."""

import pytest

from reactor.sources.files.inventory import GONE, ROUNDS, Inventory
from reactor.sources.files.scan import Look, Sighting, Signature


def sighting(name: str = "a", *, inode: int = 1, size: int = 10, at: int = 100, marked: int | None = None) -> Sighting:
    return Sighting(name, Signature(inode, size, at), marked)


def announced(inventory: Inventory, *standing: Sighting, gone: tuple[str, ...] = ()) -> list[tuple[str, int]]:
    inventory.take(1_000)
    return [(a.name, a.version) for a in inventory.confirm(Look(list(standing), []), gone)]


def rounds(inventory: Inventory, count: int) -> list[str]:
    due: list[str] = []
    for _ in range(count):
        due = inventory.round()
    return due


def test_a_named_file_is_complete_when_it_is_there() -> None:
    inventory = Inventory("named", {})
    inventory.observe(sighting())
    assert announced(inventory, sighting()) == [("a", 1)]


def test_what_was_announced_is_not_announced_again() -> None:
    inventory = Inventory("named", {"a": (sighting().signature, 3)})
    inventory.observe(sighting())
    assert (inventory.ready, inventory.waiting) == (0, 0)


@pytest.mark.parametrize("new", [sighting(inode=2), sighting(size=11), sighting(at=101)])
def test_other_content_is_the_next_version(new: Sighting) -> None:
    inventory = Inventory("named", {"a": (sighting().signature, 3)})
    inventory.observe(new)
    assert announced(inventory, new) == [("a", 4)]


def test_a_file_settles_after_a_whole_settling_time_without_a_change() -> None:
    inventory = Inventory("settled", {})
    inventory.observe(sighting(size=1))
    assert rounds(inventory, ROUNDS) == []
    inventory.observe(sighting(size=2))
    assert rounds(inventory, ROUNDS) == []
    inventory.observe(sighting(size=2))
    assert inventory.ready == 0
    assert rounds(inventory, 1) == ["a"]
    inventory.observe(sighting(size=2))
    assert announced(inventory, sighting(size=2)) == [("a", 1)]


def test_a_file_that_changes_while_it_is_handed_on_settles_again() -> None:
    inventory = Inventory("settled", {})
    inventory.observe(sighting())
    rounds(inventory, ROUNDS + 1)
    inventory.observe(sighting())
    assert announced(inventory, sighting(size=99)) == []
    assert (inventory.waiting, inventory.ready) == (1, 0)


def test_a_file_that_leaves_before_it_settled_was_never_there() -> None:
    inventory = Inventory("settled", {})
    inventory.observe(sighting())
    inventory.gone("a")
    assert (inventory.waiting, inventory.ready) == (0, 0)
    inventory.observe(sighting())
    inventory.only([])
    assert inventory.waiting == 0


def test_a_complete_file_that_is_gone_is_missing_and_the_next_content_counts_on() -> None:
    inventory = Inventory("named", {"a": (sighting().signature, 1)})
    inventory.observe(sighting(size=2))
    inventory.take(10)
    [missing] = inventory.confirm(Look([], []), ["a"])
    assert (missing.signature, missing.version) == (GONE, 2)
    assert "gone before it could be read" in missing.error
    inventory.observe(sighting(size=3))
    assert announced(inventory, sighting(size=3)) == [("a", 2)]


def test_a_named_file_that_came_and_went_is_missing_but_one_that_was_read_is_not() -> None:
    inventory = Inventory("named", {"read": (sighting().signature, 1)})
    inventory.gone("read")
    inventory.gone("never read")
    assert announced(inventory, gone=("never read",)) == [("never read", 1)]


def test_a_sighting_while_the_same_file_is_looked_at_again_counts_once() -> None:
    inventory = Inventory("named", {})
    inventory.observe(sighting())
    inventory.take(10)
    inventory.observe(sighting())
    assert [a.version for a in inventory.confirm(Look([sighting()], []), [])] == [1]
    assert announced(inventory, sighting()) == []


def test_a_marker_completes_a_file_and_an_old_marker_does_not_complete_new_content() -> None:
    inventory = Inventory("marker", {})
    inventory.observe(sighting(at=100))
    assert inventory.waiting == 1
    inventory.observe(sighting(at=100, marked=50))
    assert announced(inventory, sighting(at=100, marked=50)) == [("a", 1)]
    inventory.observe(sighting(at=200, marked=50))
    assert (inventory.waiting, inventory.ready) == (1, 0)
    inventory.observe(sighting(at=200, marked=200))
    assert announced(inventory, sighting(at=200, marked=200)) == [("a", 2)]


def test_the_oldest_content_goes_first() -> None:
    inventory = Inventory("named", {})
    for name, at in (("c", 1), ("a", 2), ("b", 2), ("d", 0)):
        inventory.observe(sighting(name, at=at))
    assert inventory.take(3) == ["d", "c", "a"]
    inventory.put_back()
    assert inventory.take(10) == ["d", "c", "a", "b"]


def test_content_that_is_back_before_it_was_announced_is_no_new_version() -> None:
    inventory = Inventory("named", {"a": (sighting().signature, 1)})
    inventory.observe(sighting(size=11))
    assert announced(inventory, sighting()) == []
