"""What no writer can do to volumes and snapshots: nothing goes that holds the only copy of somebody's work."""

from __future__ import annotations

import uuid

import pytest
from psycopg.errors import CheckViolation, RestrictViolation


class Disk:
    """One disk with a ready volume that has no writer, written as the schema's owner."""

    def __init__(self, conn):
        self.conn = conn
        self.user, self.id, self.volume = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
        self.sql("INSERT INTO app_user (id, name) VALUES (%s, 'anna')", self.user)
        self.sql("INSERT INTO disk (id, owner_id, name, size_bytes) VALUES (%s, %s, 'work', 1)", self.id, self.user)
        self.sql(
            "INSERT INTO volume (id, disk_id, backend, node, state, detached_at)"
            " VALUES (%s, %s, 'local', 'n1', 'ready', now() - interval '1 hour')",
            *(self.volume, self.id),
        )

    def sql(self, text, *values):
        return self.conn.execute(text, values)

    def snapshot(self, state="completed", ago="0"):
        made = uuid.uuid4()
        self.sql(
            "INSERT INTO snapshot (id, disk_id, volume_id, backend, state, reason, requested_at, completed_at)"
            " VALUES (%s, %s, %s, 'local', %s, 'end', now() - %s::interval, now())",
            *(made, self.id, self.volume, state, ago),
        )
        return made

    def mark(self, reason, snapshot=None):
        self.sql(
            "UPDATE volume SET state = 'deleting', delete_reason = %s, deletable_snapshot_id = %s WHERE id = %s",
            *(reason, snapshot, self.volume),
        )

    def drop(self, snapshot):
        self.sql("UPDATE snapshot SET state = 'deleting' WHERE id = %s", snapshot)

    def delete(self, purge="0"):
        self.sql("UPDATE disk SET deleted_at = now(), purge_at = now() + %s::interval WHERE id = %s", purge, self.id)


@pytest.fixture
def disk(scratch):
    return Disk(scratch)


def test_a_volume_goes_when_a_later_snapshot_has_its_content(disk):
    disk.mark("snapshotted", disk.snapshot())


@pytest.mark.parametrize(
    ("state", "ago"), [("completed", "2 hours"), ("pending", "0"), ("error", "0"), ("deleting", "0")]
)
def test_a_volume_does_not_go_for_a_snapshot_that_is_older_or_not_whole(disk, state, ago):
    with pytest.raises(RestrictViolation):
        disk.mark("snapshotted", disk.snapshot(state, ago))


def test_a_volume_does_not_go_for_a_snapshot_of_another_volume(disk):
    other = uuid.uuid4()
    disk.sql(
        "INSERT INTO volume (id, disk_id, backend, node, state) VALUES (%s, %s, 'local', 'n1', 'ready')", other, disk.id
    )
    kept, disk.volume = disk.volume, other
    foreign = disk.snapshot()
    disk.volume = kept
    with pytest.raises(RestrictViolation):
        disk.mark("snapshotted", foreign)


def test_a_volume_that_may_have_a_writer_does_not_go(disk):
    disk.sql("UPDATE volume SET detached_at = NULL")
    with pytest.raises(RestrictViolation):
        disk.mark("snapshotted", disk.snapshot())


def test_a_volume_does_not_go_without_a_reason(disk):
    with pytest.raises((CheckViolation, RestrictViolation)):
        disk.mark(None)


def test_a_volume_of_a_live_disk_does_not_go_as_deleted(disk):
    with pytest.raises(RestrictViolation):
        disk.mark("disk-deleted")


def test_a_volume_of_a_deleted_disk_stays_while_it_can_be_had_back(disk):
    disk.delete(purge="1 day")
    with pytest.raises(RestrictViolation):
        disk.mark("disk-deleted")


def test_a_volume_of_a_deleted_disk_goes_when_its_time_is_over(disk):
    disk.delete()
    disk.mark("disk-deleted")


def test_a_volume_that_had_content_does_not_go_as_never_used(disk):
    with pytest.raises(RestrictViolation):
        disk.mark("never-used")


@pytest.mark.parametrize("state", ["ready", "intended"])
def test_a_marked_volume_is_never_mountable_again(disk, state):
    disk.mark("snapshotted", disk.snapshot())
    with pytest.raises(RestrictViolation):
        disk.sql("UPDATE volume SET state = %s", state)


def test_the_newest_good_snapshot_of_a_live_disk_stays(disk):
    disk.snapshot(ago="1 hour")
    newest = disk.snapshot()
    disk.snapshot("error")
    with pytest.raises(RestrictViolation):
        disk.drop(newest)


def test_an_older_good_snapshot_goes(disk):
    older = disk.snapshot(ago="1 hour")
    disk.snapshot()
    disk.drop(older)


def test_a_snapshot_that_is_to_be_restored_stays(disk):
    older = disk.snapshot(ago="1 hour")
    disk.snapshot()
    disk.sql("UPDATE disk SET restore_from = %s", older)
    with pytest.raises(RestrictViolation):
        disk.drop(older)


def test_the_newest_snapshot_of_a_deleted_disk_goes(disk):
    only = disk.snapshot()
    disk.delete()
    disk.drop(only)
    disk.sql("UPDATE snapshot SET state = 'deleted'")


def test_a_snapshot_that_is_going_does_not_come_back(disk):
    disk.snapshot()
    older = disk.snapshot(ago="1 hour")
    disk.drop(older)
    with pytest.raises(RestrictViolation):
        disk.sql("UPDATE snapshot SET state = 'completed' WHERE id = %s", older)
