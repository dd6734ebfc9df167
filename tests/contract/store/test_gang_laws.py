"""What no writer can do to a reservation of several nodes: the laws of the schema."""

from __future__ import annotations

import pytest
from psycopg.errors import CheckViolation, IntegrityConstraintViolation, RestrictViolation

from tests.contract.store.test_laws import STOPPING, Rows, refused

ALL = [(node, idx) for node in ("n1", "n2") for idx in (0, 1)]


class Nodes(Rows):
    """Rows on three nodes with two slots each, of which the last is in another zone."""

    def build(self):
        for node, zone in (("n1", "z1"), ("n2", "z1"), ("n3", "z2")):
            self.sql("INSERT INTO node VALUES ('local', %s, %s, true, '')", node, zone)
            for idx in range(2):
                self.sql(
                    "INSERT INTO gpu_slot (backend, node, gpu_type, idx) VALUES ('local', %s, 'h100', %s)", node, idx
                )

    def hold_of(self, row, places):
        for node, idx in places:
            self.sql("UPDATE gpu_slot SET reservation_id = %s WHERE node = %s AND idx = %s", row, node, idx)

    def place(self, row, places, node="n1"):
        with self.commit():
            self.change(row, f"state = 'preparing', backend = 'local', node = '{node}'")
            self.hold_of(row, places)


@pytest.fixture
def rows(scratch):
    made = Nodes(scratch)
    made.build()
    return made


@pytest.fixture
def gang(rows):
    return rows.reservation(rows.user(), slots=2, nodes=2)


def test_a_gang_holds_all_slots_of_each_of_its_nodes(rows, gang):
    rows.place(gang, ALL)

    held = rows.sql("SELECT node, idx FROM gpu_slot WHERE reservation_id = %s", gang).fetchall()
    assert len(held) == len(ALL)


@pytest.mark.parametrize(
    "places",
    [
        [],
        ALL[:2],
        ALL[:3],
        [*ALL, ("n3", 0)],
        [*ALL[:3], ("n3", 0)],
        [*ALL[:2], ("n3", 0), ("n3", 1)],
    ],
    ids=["none", "one node", "a part of one", "a part of one more", "parts of two", "two zones"],
)
def test_a_part_of_a_gang_is_refused(rows, gang, places):
    with refused(rows, IntegrityConstraintViolation):
        rows.place(gang, places)


def test_its_first_node_is_one_of_those_it_holds(rows, gang):
    with refused(rows, IntegrityConstraintViolation):
        rows.place(gang, ALL, node="n3")


def test_a_gang_gives_back_all_or_nothing(rows, gang):
    rows.place(gang, ALL)

    with refused(rows, IntegrityConstraintViolation):
        rows.change(gang, f"{STOPPING}, gone_at = now()")
        rows.sql("UPDATE gpu_slot SET reservation_id = NULL WHERE node = 'n2'")
    with rows.commit():
        rows.change(gang, f"{STOPPING}, gone_at = now()")
        rows.sql("UPDATE gpu_slot SET reservation_id = NULL")


def test_a_zone_that_is_written_otherwise_later_stops_no_work_on_the_row(rows, gang):
    rows.place(gang, ALL)
    rows.sql("UPDATE node SET zone = 'z9' WHERE name = 'n2'")

    rows.change(gang, STOPPING)


def test_how_many_nodes_a_reservation_has_stays(rows, gang):
    with refused(rows, RestrictViolation):
        rows.sql("UPDATE reservation SET nodes = 3 WHERE id = %s", gang)


def test_a_reservation_has_at_least_one_node(rows):
    with pytest.raises(CheckViolation):
        rows.reservation(rows.user("bob"), nodes=0)


def test_one_node_is_held_as_before(rows):
    one = rows.reservation(rows.user("bob"), slots=2)

    with refused(rows, IntegrityConstraintViolation):
        rows.place(one, ALL)
    with refused(rows, IntegrityConstraintViolation):
        rows.place(one, [("n1", 0), ("n2", 0)])
    rows.place(one, ALL[:2])
