"""How a second delivery is told from a second publication. Values in, values out."""

import pytest

from reactor.sources.mqtt.window import TOPICS, WINDOW, Delivery, Held, Window

NEW, WAITING, DURABLE = Delivery.NEW, Delivery.WAITING, Delivery.DURABLE


def window(cursor: str = "") -> Window:
    made = Window(cursor)
    made.connected(session=True)
    return made


def deliver(to: Window, packet: int, mark: str = "a", *, again: bool = False) -> tuple[Delivery, Held]:
    return to.receive(packet, mark, again=again, anonymous=True)


def settle(of: Window, held: Held) -> None:
    assert of.durable(held)
    of.acknowledged(held)


def test_what_waits_here_and_is_delivered_again_is_one_publication() -> None:
    w = window()
    _, held = deliver(w, 1)
    w.connected(session=True)
    assert deliver(w, 1, again=True) == (WAITING, held)
    assert w.durable(held)


def test_it_is_acknowledged_only_on_the_connection_that_delivered_it_last() -> None:
    w = window()
    _, held = deliver(w, 1)
    w.connected(session=True)
    assert not w.durable(held), "the broker may deliver it again before it hears of an acknowledgement"
    assert deliver(w, 1, again=True) == (DURABLE, held)


def test_a_packet_identifier_that_was_acknowledged_is_free_for_another_publication() -> None:
    w = window()
    settle(w, deliver(w, 9)[1])
    state, held = deliver(w, 9)
    assert state is NEW
    assert w.durable(held)


def test_an_acknowledgement_that_got_lost_is_made_up_for() -> None:
    w = window()
    settle(w, deliver(w, 1)[1])
    settle(w, deliver(w, 2)[1])
    w.connected(session=True)
    assert deliver(w, 1, "another", again=True)[0] is NEW
    assert deliver(w, 2, again=True)[0] is DURABLE


@pytest.mark.parametrize(("given", "next", "believed"), [(1, 1, False), (7, 3, False), (7, 8, True), (65_535, 1, True)])
def test_a_broker_that_uses_identifiers_again_soon_is_not_believed(given: int, next: int, believed: bool) -> None:
    """An equal reading under the lowest free identifier must not be lost."""
    w = window()
    settle(w, deliver(w, given)[1])
    settle(w, deliver(w, next)[1])
    later = window(w.cursor([]))
    assert (deliver(later, next, again=True)[0] is DURABLE) is believed
    later.connected(session=False)
    settle(later, deliver(later, 1)[1])
    assert deliver(later, 1, again=True)[0] is DURABLE, "it may be another broker"


def test_a_later_process_knows_what_was_handed_out_and_what_was_acknowledged() -> None:
    w = window()
    settle(w, deliver(w, 9, "a")[1])
    early, late = deliver(w, 9 + 1, "b")[1], deliver(w, 9 + 2, "c")[1]
    cursor = w.cursor([early])
    later = window(cursor)
    assert [deliver(later, 9 + n, mark, again=True)[0] for n, mark in enumerate("abc")] == [DURABLE, DURABLE, NEW]
    assert window(w.cursor([late])).receive(9 + 2, "c", again=True, anonymous=True)[0] is DURABLE


def test_a_session_that_the_broker_lost_means_that_no_identifier_is_known() -> None:
    w = window()
    _, held = deliver(w, 9)
    settle(w, deliver(w, 9 + 1)[1])
    w.connected(session=False)
    assert not w.durable(held), "the identifier may be another publication's by now"
    assert deliver(w, 9, again=True)[0] is NEW
    assert deliver(w, 9 + 1, again=True)[0] is NEW


def test_a_publication_with_an_identity_is_left_to_the_ledger_and_takes_no_room_in_the_cursor() -> None:
    w = window()
    held = w.receive(9, "a", again=False, anonymous=False)[1]
    assert w.cursor([held]) == "[9,false,[],[]]"
    settle(w, held)
    assert w.receive(9, "a", again=True, anonymous=False)[0] is NEW


def test_what_is_remembered_is_bounded() -> None:
    w = window()
    for number in range(1, 3_000):
        settle(w, deliver(w, number, "mark-mark-mark")[1])
        w.remember(f"topic/{number}", f"mark-{number:06}")
    cursor = w.cursor([])
    assert len(cursor) < 30 * (WINDOW + TOPICS)
    later = window(cursor)
    assert later.stale("mark-002999")
    assert not later.stale("mark-000001")
    for number in range(TOPICS):
        later.remember(f"other/{number}", "x")
    assert not later.stale("mark-002999")


@pytest.mark.parametrize("marks", [("a", "b")])
def test_of_a_topic_the_last_publication_alone_is_remembered(marks: tuple[str, str]) -> None:
    w = window()
    for mark in marks:
        w.remember("t", mark)
    assert (w.stale("a"), w.stale("b")) == (False, True)
