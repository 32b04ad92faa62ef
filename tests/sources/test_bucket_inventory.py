"""What is new in a bucket, decided without one: versions, order, forgetting, and looks that race with listings."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from reactor.sources.bucket.inventory import Inventory, Sighting, same, sighted

S = 1_000_000
NOON = 1_795_000_000 * S


def seen(name: str, etag: str = "e1", at: int = NOON) -> Sighting:
    return sighted(name, etag, 3, at)


def listing(inventory: Inventory, *sightings: Sighting) -> None:
    inventory.begin()
    for sighting in sightings:
        inventory.listed(sighting)
    inventory.end(inventory.absent(list(inventory.seen)))


def told(inventory: Inventory) -> list[tuple[str, int]]:
    return [(a.sighting.name, a.version) for a in inventory.take(100)]


def test_each_content_is_told_once_and_the_oldest_first() -> None:
    inventory = Inventory({})
    found = [seen("a", at=NOON + 5 * S), seen("b", at=NOON), seen("c", at=NOON + 5 * S)]
    listing(inventory, *found)
    assert told(inventory) == [("b", 1), ("a", 1), ("c", 1)]
    listing(inventory, *found)
    assert told(inventory) == []


def test_what_is_overwritten_before_it_was_told_is_told_as_it_is_now() -> None:
    inventory = Inventory({})
    listing(inventory, seen("a", "e1"))
    listing(inventory, seen("a", "e2", NOON + 9 * S))
    [made] = inventory.take(100)
    assert (made.sighting.etag, made.version) == ("e2", 1)
    assert inventory.take(100) == []


def test_the_same_bytes_written_again_later_are_a_new_version_and_to_other_digits_are_not() -> None:
    inventory = Inventory({})
    listing(inventory, seen("a"))
    assert told(inventory) == [("a", 1)]
    inventory.looked_at("a", sighted("a", '"e1"', 3, NOON + 700_000))
    inventory.looked_at("a", sighted("a", 'W/"e1"', 3, NOON + S))
    assert told(inventory) == []
    inventory.looked_at("a", seen("a", at=NOON + 60 * S))
    assert told(inventory) == [("a", 2)]


def test_one_listing_may_miss_a_name_and_the_second_forgets_it() -> None:
    inventory = Inventory({})
    listing(inventory, seen("a"), seen("b"))
    told(inventory)
    listing(inventory, seen("b"))
    assert inventory.take_gone(9) == []
    listing(inventory, seen("a"), seen("b"))
    listing(inventory, seen("b"))
    assert inventory.take_gone(9) == []
    listing(inventory, seen("b"))
    assert inventory.take_gone(9) == ["a"]
    listing(inventory, seen("a", at=NOON + 60 * S), seen("b"))
    assert told(inventory) == [("a", 1)]


def test_what_came_back_before_it_was_forgotten_is_not_forgotten_after() -> None:
    inventory = Inventory({})
    listing(inventory, seen("a"))
    told(inventory)
    inventory.looked_at("a", None)
    inventory.looked_at("a", seen("a", "e2"))
    assert told(inventory) == [("a", 1)]
    assert inventory.take_gone(9) == []


def test_a_page_that_is_older_than_a_look_says_nothing_of_that_name() -> None:
    inventory = Inventory({})
    listing(inventory, seen("a"))
    told(inventory)
    inventory.begin()
    inventory.looked_at("a", seen("a", "e2", NOON + 60 * S))
    inventory.looked_at("new", seen("new"))
    assert told(inventory) == [("new", 1), ("a", 2)]
    inventory.listed(seen("a"))
    inventory.end(inventory.absent(list(inventory.seen)))
    assert told(inventory) == []
    listing(inventory, seen("a", "e2", NOON + 60 * S))
    assert inventory.take_gone(9) == []


steps = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.sampled_from(["list", "look", "gone", "take"])), max_size=60
)


@given(steps)
def test_whatever_happens_the_last_content_is_told_and_none_twice_in_a_row(moves: list[tuple[str, int, str]]) -> None:
    inventory, bucket = Inventory({}), dict[str, Sighting]()
    announced: dict[str, list[Sighting]] = {}

    def take() -> None:
        for made in inventory.take(100):
            announced.setdefault(made.sighting.name, []).append(made.sighting)

    for name, content, move in moves:
        match move:
            case "gone":
                bucket.pop(name, None)
            case "take":
                take()
            case _:
                bucket[name] = seen(name, f"e{content}", NOON + content * 10 * S)
                if move == "look":
                    inventory.looked_at(name, bucket[name])
        if move == "list":
            listing(inventory, *bucket.values())
    listing(inventory, *bucket.values())
    take()
    for name, now in bucket.items():
        assert announced[name][-1].etag == now.etag
    if not any(move == "gone" for _, _, move in moves):
        pairs = [pair for told_of in announced.values() for pair in pairwise(told_of)]
        assert not any(same(before.signature, after.signature) for before, after in pairs)
