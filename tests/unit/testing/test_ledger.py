"""What a simulated cloud remembers, and the order in which things happen in it."""

from __future__ import annotations

import datetime as dt

from gpudev_sdk.testing.cloud.ledger import MEMORY, Agenda, Ledger
from tests.unit.testing.sky import START, seconds


def test_things_happen_in_order_of_time_and_then_as_they_were_written_down():
    agenda, done = Agenda(), []
    for name, when in (("late", 5), ("first", 1), ("second", 1), ("never", 9)):
        agenda.at(START + seconds(when), lambda at, name=name: done.append((name, at - START)))

    agenda.run(START + seconds(5))

    assert done == [("first", seconds(1)), ("second", seconds(1)), ("late", seconds(5))]


def test_what_one_thing_brings_about_happens_in_its_turn():
    agenda, done = Agenda(), []
    agenda.at(START, lambda at: agenda.at(at + seconds(1), lambda at: done.append("brought about")))
    agenda.at(START + seconds(2), lambda at: done.append("planned"))

    agenda.run(START + seconds(2))

    assert done == ["brought about", "planned"]


def told(ledger, number):
    return ledger.find_then("disk", START + seconds(number))


def test_a_ledger_shows_each_state_as_it_was():
    ledger = Ledger()
    ledger.put("disk", "made", START + seconds(1))
    ledger.put("disk", "used", START + seconds(2))
    ledger.drop("disk", START + seconds(3))

    assert [told(ledger, number) for number in range(4)] == [None, "made", "used", None]
    assert [ledger.all_then(START + seconds(number)) for number in range(4)] == [(), ("made",), ("used",), ()]
    assert ledger.find("disk") is None


def test_a_ledger_forgets_only_what_no_read_can_show():
    ledger = Ledger()
    ledger.put("disk", "made", START + seconds(1))
    ledger.put("disk", "used", START + seconds(2))
    ledger.put("gone", "made", START)
    ledger.drop("gone", START + seconds(1))

    ledger.forget(START + seconds(1.5))

    assert [told(ledger, number) for number in (1.5, 2)] == ["made", "used"]
    assert ledger.all_then(START) == ()

    ledger.forget(START + seconds(3) + MEMORY)

    assert told(ledger, 1.5) is None
    assert told(ledger, MEMORY / dt.timedelta(seconds=1) + 3) == "used"
