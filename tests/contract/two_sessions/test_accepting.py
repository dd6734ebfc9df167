"""Two requests at once: limits, names, keys and disks are decided once, and who is shut out gets nothing in."""

from __future__ import annotations

import attrs

from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.engine import accounts, disk_edits


def submitting(theatre, bench=None, **asked):
    """Return the work of one request of kim's."""
    return lambda: (bench or theatre.api).submit(theatre.kim, **asked) and "accepted"


def test_two_requests_at_the_limit_are_one_too_many(theatre):
    limits = attrs.evolve(Limits.one_machine(), max_reservations_per_user=1)
    bench = attrs.evolve(theatre.api, engine=attrs.evolve(theatre.api.engine, limits=limits))

    def law(*outcomes):
        assert sorted(outcomes) == ["LimitReached", "accepted"]
        assert theatre.count("reservation") == 1

    outcomes = theatre.in_every_order(lambda: (submitting(theatre, bench), submitting(theatre, bench)), law)
    assert len(outcomes) == 2


def test_one_key_is_one_reservation(theatre):
    bench = theatre.bench

    def work():
        return theatre.api.submit(theatre.kim, key="one")

    def law(first, second):
        assert first == second == bench.sql("SELECT id FROM reservation")[0]["id"]

    theatre.in_every_order(lambda: (work, work), law)


def test_one_name_is_one_box(theatre):
    def arrange():
        return submitting(theatre, name="box"), submitting(theatre, name="box")

    def law(*outcomes):
        assert sorted(outcomes) == ["Conflict", "accepted"]

    assert len(theatre.in_every_order(arrange, law)) == 2


def test_one_new_disk_is_made_once_and_asked_for_once(theatre):
    def arrange():
        return submitting(theatre, disk="work"), submitting(theatre, disk="work")

    def law(*outcomes):
        assert sorted(outcomes) == ["Conflict", "accepted"]
        assert theatre.count("disk") == 1

    assert len(theatre.in_every_order(arrange, law)) == 2


def test_a_disk_is_deleted_or_asked_for_never_both(theatre):
    bench = theatre.bench

    def arrange():
        disk_edits.create(bench.engine, theatre.kim, "work", None)
        return submitting(
            theatre, disk="work"
        ), lambda: disk_edits.delete(theatre.api.engine, theatre.kim, "work") or "deleted"

    def law(accepted, deleted):
        asked = bench.sql("SELECT d.deleted_at FROM reservation r JOIN disk d ON d.id = r.disk_id")
        assert [row["deleted_at"] for row in asked] == [None]
        assert theatre.count("disk") == (2 if deleted == "deleted" else 1)

    outcomes = theatre.in_every_order(arrange, law)
    assert set(outcomes) == {("accepted", "deleted"), ("accepted", "Conflict")}


def test_who_is_shut_out_gets_nothing_in_afterwards(theatre):
    def shut_out():
        accounts.set_disabled(theatre.api.engine, "kim", disabled=True)
        return "shut out"

    def law(accepted, shut):
        assert shut == "shut out"
        assert theatre.count("reservation") == (accepted == "accepted")

    outcomes = theatre.in_every_order(lambda: (submitting(theatre), shut_out), law)
    assert set(outcomes) == {("accepted", "shut out"), ("NotAllowed", "shut out")}
