"""What no writer can do to reservations, disks and history, whoever it is: the laws of the schema."""

from __future__ import annotations

import contextlib
import uuid

import pytest
from psycopg.errors import (
    CheckViolation,
    ForeignKeyViolation,
    IntegrityConstraintViolation,
    NotNullViolation,
    RestrictViolation,
    UniqueViolation,
)

HOUR = "1 hour"


class Rows:
    """Writes rows as the schema's owner, who has every right."""

    def __init__(self, conn):
        self.conn, self.depth = conn, 0

    def sql(self, text, *values):
        return self.conn.execute(text, values)

    @contextlib.contextmanager
    def commit(self):
        """Check at the end of the outermost block what a commit checks; undo the block if that fails."""
        self.depth += 1
        try:
            with self.conn.transaction():
                yield
                if self.depth == 1:
                    self.sql("SET CONSTRAINTS ALL IMMEDIATE")
                    self.sql("SET CONSTRAINTS ALL DEFERRED")
        finally:
            self.depth -= 1

    def user(self, name="anna"):
        made = uuid.uuid4()
        self.sql("INSERT INTO app_user (id, name) VALUES (%s, %s)", made, name)
        return made

    def event(self, row):
        self.sql(
            "INSERT INTO reservation_event (reservation_id, generation, what, to_state, actor)"
            " SELECT id, generation, 'test', state, 'test' FROM reservation WHERE id = %s",
            row,
        )

    def reservation(self, owner, *, disk=None, slots=1, nodes=1, name="work", event=True):
        made = uuid.uuid4()
        with self.commit():
            self.sql(
                "INSERT INTO reservation (id, owner_id, name, request, request_digest, idempotency_key, gpu_type, gpus,"
                " slots_needed, nodes, priority, state, granted, state_deadline, queue_deadline, disk_id)"
                " VALUES (%s, %s, %s, '{}', '', %s, 'h100', %s, %s, %s, 0, 'queued', %s, now(), now(), %s)",
                *(made, owner, name, str(made), slots, slots, nodes, HOUR, disk),
            )
            if event:
                self.event(made)
        return made

    def change(self, row, assignments, *, event=True):
        """Change a row as the engine does: a generation on, with its event."""
        with self.commit():
            self.sql(f"UPDATE reservation SET generation = generation + 1, {assignments} WHERE id = %s", row)
            if event:
                self.event(row)

    def node(self, count=2):
        self.sql("INSERT INTO node VALUES ('local', 'n1', 'z', true, '')")
        for idx in range(count):
            self.sql("INSERT INTO gpu_slot (backend, node, gpu_type, idx) VALUES ('local', 'n1', 'h100', %s)", idx)

    def hold(self, row, *indices):
        self.sql("UPDATE gpu_slot SET reservation_id = %s WHERE idx = ANY(%s)", row, list(indices))

    def disk(self, owner, name="work"):
        made = uuid.uuid4()
        self.sql("INSERT INTO disk (id, owner_id, name, size_bytes) VALUES (%s, %s, %s, 1)", made, owner, name)
        return made

    def lease(self, disk, row):
        self.sql("INSERT INTO disk_lease (disk_id, reservation_id, attempt) VALUES (%s, %s, 1)", disk, row)

    def prepare(self, row, *indices, disk=None):
        """Give a reservation its place, whole."""
        with self.commit():
            self.change(row, "state = 'preparing', backend = 'local', node = 'n1'")
            self.hold(row, *indices)
            if disk is not None:
                self.lease(disk, row)


@pytest.fixture
def rows(scratch):
    return Rows(scratch)


@pytest.fixture
def anna(rows):
    return rows.user()


@pytest.fixture
def queued(rows, anna):
    rows.node()
    return rows.reservation(anna)


@pytest.fixture
def preparing(rows, queued):
    rows.prepare(queued, 0)
    return queued


@contextlib.contextmanager
def refused(rows, error=RestrictViolation):
    """The work of the block is refused, at the latest when it is committed."""
    with pytest.raises(error), rows.commit():
        yield


ACTIVE = "state = 'active', started_at = now(), expires_at = now() + interval '1 hour'"
STOPPING = "state = 'stopping', state_deadline = now()"
ENDED = "state = 'ended', ended_at = now(), end_reason = 'cancelled'"
FORBIDDEN = {
    "queued": [ACTIVE, ENDED],
    "preparing": ["state = 'queued'", ENDED],
    "active": ["state = 'queued'", "state = 'preparing'", ENDED],
}


@pytest.mark.parametrize("wanted", FORBIDDEN["queued"])
def test_a_queued_one_moves_only_on_or_out(rows, queued, wanted):
    with refused(rows):
        rows.change(queued, wanted)


@pytest.mark.parametrize("wanted", FORBIDDEN["preparing"])
def test_a_preparing_one_moves_only_on_or_out(rows, preparing, wanted):
    with refused(rows):
        rows.change(preparing, wanted)


@pytest.mark.parametrize("wanted", FORBIDDEN["active"])
def test_an_active_one_leaves_only_through_stopping(rows, preparing, wanted):
    rows.change(preparing, ACTIVE)
    with refused(rows):
        rows.change(preparing, wanted)


def end(rows, row):
    with rows.commit():
        rows.change(row, STOPPING)
        rows.hold(None, 0)
    rows.change(row, ENDED)


def test_the_lawful_way_is_open(rows, preparing):
    rows.change(preparing, ACTIVE)
    end(rows, preparing)


def test_the_way_back_into_the_line_is_one_more_attempt(rows, preparing):
    with rows.commit():
        rows.change(preparing, STOPPING)
        rows.hold(None, 0)
    with refused(rows):
        rows.change(preparing, "state = 'queued', backend = NULL, node = NULL")
    rows.change(preparing, "state = 'queued', backend = NULL, node = NULL, attempt = attempt + 1")


@pytest.mark.parametrize(
    "change", ["detail = 'x'", "wake_at = now()", "generation = generation + 1", "state = 'queued'"]
)
def test_an_ended_one_never_changes(rows, preparing, change):
    end(rows, preparing)
    with refused(rows):
        rows.sql(f"UPDATE reservation SET {change} WHERE id = %s", preparing)


def test_the_reason_of_an_end_is_decided_once(rows, preparing):
    rows.change(preparing, STOPPING + ", end_reason = 'failed'")
    with refused(rows):
        rows.change(preparing, "end_reason = 'cancelled'")


@pytest.mark.parametrize(
    "change",
    [
        "generation = generation + 2",
        "generation = generation - 1",
        "seq = seq + 1",
        "request = '{\"gpus\": 9}'",
        "lease_epoch = lease_epoch - 1",
        "attempt = attempt + 1",
        "slots_needed = 2",
        "owner_id = gen_random_uuid()",
    ],
)
def test_what_makes_a_reservation_what_it_is_stays(rows, queued, change):
    with refused(rows):
        rows.sql(f"UPDATE reservation SET {change} WHERE id = %s", queued)


def test_a_move_raises_the_generation(rows, queued):
    with refused(rows):
        rows.sql(f"UPDATE reservation SET {STOPPING} WHERE id = %s", queued)


def test_a_change_comes_with_its_entry_in_the_history(rows, queued):
    with refused(rows, IntegrityConstraintViolation):
        rows.change(queued, "cancel_requested_at = now()", event=False)


def test_a_reservation_begins_with_its_entry_in_the_history(rows, anna):
    with pytest.raises(IntegrityConstraintViolation):
        rows.reservation(anna, event=False)


def test_a_reservation_begins_in_line(rows, queued):
    with refused(rows):
        rows.sql("INSERT INTO reservation SELECT (jsonb_populate_record(r, '{\"state\": \"stopping\"}')).*"
                 " FROM reservation r WHERE id = %s", queued)  # fmt: skip


def test_an_end_that_is_not_start_plus_grant_is_refused(rows, preparing):
    with refused(rows, CheckViolation):
        rows.change(preparing, "state = 'active', started_at = now(), expires_at = now() + interval '2 hours'")


def test_an_end_over_a_change_of_the_clocks_is_start_plus_grant_in_any_zone(rows, preparing):
    rows.sql("SET timezone = 'Europe/Berlin'")
    start = "timestamptz '2026-10-24 12:00:00+00'"
    rows.change(
        preparing,
        f"state = 'active', granted = interval '1 day', started_at = {start}, expires_at = {start} + interval '24 hours'",
    )


def test_a_preparing_one_holds_its_slots(rows, queued):
    with refused(rows, IntegrityConstraintViolation):
        rows.change(queued, "state = 'preparing', backend = 'local', node = 'n1'")


def test_it_holds_no_more_than_its_slots(rows, queued):
    with pytest.raises(IntegrityConstraintViolation):
        rows.prepare(queued, 0, 1)


def test_a_queued_one_holds_nothing(rows, queued):
    with refused(rows, IntegrityConstraintViolation):
        rows.hold(queued, 0)


def test_a_slot_is_not_taken_from_its_holder(rows, anna, preparing):
    other = rows.reservation(anna, name="other")
    with pytest.raises(IntegrityConstraintViolation):
        rows.prepare(other, 0)


def test_slots_of_another_place_are_not_held(rows, queued):
    with refused(rows, IntegrityConstraintViolation):
        rows.change(queued, "state = 'preparing', backend = 'local', node = 'n2'")
        rows.hold(queued, 0)


def test_slots_are_not_free_while_the_box_may_still_run(rows, preparing):
    rows.change(preparing, "launch_intended_at = now()")
    rows.change(preparing, STOPPING)
    with refused(rows, IntegrityConstraintViolation):
        rows.hold(None, 0)
    with rows.commit():
        rows.change(preparing, "gone_at = now()")
        rows.hold(None, 0)


def test_an_ended_one_holds_nothing(rows, preparing):
    rows.change(preparing, STOPPING)
    with refused(rows, IntegrityConstraintViolation):
        rows.change(preparing, ENDED)


@pytest.fixture
def disk(rows, anna):
    return rows.disk(anna)


def test_a_preparing_one_has_its_disk(rows, anna, disk):
    rows.node()
    row = rows.reservation(anna, disk=disk)
    with pytest.raises(IntegrityConstraintViolation):
        rows.prepare(row, 0)
    rows.prepare(row, 0, disk=disk)


def test_a_disk_has_one_writer(rows, anna, disk):
    rows.node()
    first, second = rows.reservation(anna, disk=disk), rows.reservation(anna, disk=disk, name="other")
    rows.prepare(first, 0, disk=disk)
    with pytest.raises(UniqueViolation):
        rows.prepare(second, 1, disk=disk)


def test_a_disk_in_use_is_not_released_under_its_writer(rows, anna, disk):
    rows.node()
    row = rows.reservation(anna, disk=disk)
    rows.prepare(row, 0, disk=disk)
    with refused(rows, IntegrityConstraintViolation):
        rows.sql("UPDATE disk_lease SET released_at = now()")


def test_one_in_line_has_no_disk(rows, anna, disk):
    row = rows.reservation(anna, disk=disk)
    with refused(rows, IntegrityConstraintViolation):
        rows.lease(disk, row)


def test_a_disk_that_is_not_its_own_is_not_leased(rows, anna, disk, preparing):
    with refused(rows, IntegrityConstraintViolation):
        rows.lease(disk, preparing)


def test_another_disk_does_not_stand_in_for_its_own(rows, anna, disk):
    rows.node()
    row = rows.reservation(anna, disk=disk)
    with pytest.raises(IntegrityConstraintViolation):
        rows.prepare(row, 0, disk=rows.disk(anna, "other"))


def test_two_live_boxes_of_one_person_have_two_names(rows, anna, preparing):
    other = rows.reservation(anna)
    with pytest.raises(UniqueViolation):
        rows.prepare(other, 1)


def test_an_idempotency_key_makes_one_reservation(rows, queued):
    with refused(rows, UniqueViolation):
        rows.sql("INSERT INTO reservation SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid(),"
                 " 'seq', nextval('reservation_seq')))).* FROM reservation r WHERE id = %s", queued)  # fmt: skip


@pytest.mark.parametrize("table", ["reservation_event", "audit_event"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET actor = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
def test_history_is_append_only(rows, queued, table, statement):
    with refused(rows):
        rows.sql(statement.format(table))


@pytest.mark.parametrize("table", ["reservation", "disk", "volume", "snapshot"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_rows_are_never_deleted(rows, queued, table, statement):
    with refused(rows):
        rows.sql(statement.format(table))


@pytest.mark.parametrize("name", ["", "a\n", "-a", "a-", "A", "ä", "a" * 41, "a..b", "a b"])
@pytest.mark.parametrize("make", ["user", "disk", "reservation"])
def test_a_name_out_of_grammar_is_refused(rows, anna, make, name):
    with pytest.raises(CheckViolation):
        rows.user(name) if make == "user" else getattr(rows, make)(anna, name=name)


def test_an_event_belongs_to_a_reservation_that_exists(rows):
    with refused(rows, ForeignKeyViolation):
        rows.sql("INSERT INTO reservation_event (reservation_id, generation, what, to_state, actor)"
                 " VALUES (gen_random_uuid(), 1, 'x', 'queued', 'x')")  # fmt: skip


def test_a_state_has_its_deadline(rows, queued):
    with refused(rows, CheckViolation):
        rows.change(queued, "state_deadline = NULL")


def test_an_end_has_its_reason(rows, queued):
    rows.change(queued, STOPPING)
    with refused(rows, (CheckViolation, NotNullViolation)):
        rows.change(queued, "state = 'ended', ended_at = now()")
