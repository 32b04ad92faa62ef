"""How a second delivery is told from a second publication. Values in, values out."""

import pytest

from reactor.sources.mqtt.window import ROOM, SETTLED, TOPICS, Delivery, Held, Window

NEW, WAITING, DURABLE, NO_ROOM = Delivery.NEW, Delivery.WAITING, Delivery.DURABLE, Delivery.NO_ROOM


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


def test_what_the_broker_has_heard_of_need_not_be_remembered() -> None:
    w = window()
    for packet in (1, 2):
        settle(w, deliver(w, packet)[1])
    w.confirmed(1)
    later = window(w.cursor([]))
    assert [deliver(later, packet, again=True)[0] for packet in (1, 2)] == [NEW, DURABLE]


def test_what_the_broker_does_not_repeat_before_it_goes_on_it_has_heard_of() -> None:
    before = window()
    for packet in (1, 2, 3):
        settle(before, deliver(before, packet)[1])
    w = window(before.cursor([]))
    assert deliver(w, 3, again=True)[0] is DURABLE
    w.acknowledged(w.receive(3, "a", again=True, anonymous=True)[1])
    assert deliver(w, 4)[0] is NEW
    assert w.cursor([]) == '[4,false,[[3,"a"]],[]]'


def test_an_acknowledgement_on_another_connection_is_not_confirmed_by_this_one() -> None:
    w = window()
    settle(w, deliver(w, 1)[1])
    w.connected(session=True)
    w.confirmed(w.sent)
    assert deliver(w, 1, again=True)[0] is DURABLE


def test_a_broker_that_sends_more_than_it_may_is_bounded_and_loses_nothing() -> None:
    w = window()
    taken = [deliver(w, packet)[1] for packet in range(1, ROOM + 1)]
    assert deliver(w, ROOM + 1)[0] is NO_ROOM
    for held in taken:
        settle(w, held)
    assert deliver(w, ROOM + 2)[0] is NO_ROOM, "it would come before the one that was let fall"
    w.connected(session=True)
    assert [deliver(w, ROOM + n, again=True)[0] for n in (1, 2)] == [NEW, NEW]


def test_what_waits_here_is_known_though_there_is_no_room() -> None:
    w = window()
    held = [deliver(w, packet)[1] for packet in range(1, ROOM + 1)]
    w.connected(session=True)
    assert [deliver(w, packet, again=True) for packet in range(1, ROOM + 1)] == [(WAITING, h) for h in held]


def test_what_is_remembered_is_bounded() -> None:
    w = window()
    for number in range(1, 2 * SETTLED):
        settle(w, deliver(w, number, "mark-mark-mark")[1])
        w.remember(f"topic/{number}", f"mark-{number:06}")
    cursor = w.cursor([])
    assert len(cursor) < 30 * (SETTLED + TOPICS)
    w.confirmed(w.sent)
    assert len(w.cursor([])) < 30 * TOPICS
    later = window(cursor)
    assert later.stale(f"mark-{2 * SETTLED - 1:06}")
    assert not later.stale("mark-000001")
    for number in range(TOPICS):
        later.remember(f"other/{number}", "x")
    assert not later.stale(f"mark-{2 * SETTLED - 1:06}")


@pytest.mark.parametrize("marks", [("a", "b")])
def test_of_a_topic_the_last_publication_alone_is_remembered(marks: tuple[str, str]) -> None:
    w = window()
    for mark in marks:
        w.remember("t", mark)
    assert (w.stale("a"), w.stale("b")) == (False, True)
