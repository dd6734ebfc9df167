"""The laws of a disk: what is deleted, and what never is."""

from __future__ import annotations

import datetime as dt
import uuid

from gpudev_sdk.domain.disk import SnapshotSighting, SnapshotState
from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.engine.disk_decide import (
    AskSnapshot,
    DeleteSnapshot,
    DeleteVolume,
    DiskRest,
    DiskWorld,
    MarkSnapshot,
    MarkVolume,
    NoteSnapshot,
    Purge,
    decide_disk,
)
from tests.unit.engine.make import HOUR, NOW

DAY = dt.timedelta(days=1)
LIMITS = Limits(keep_snapshots=2)
VOLUME = uuid.UUID(int=50)


def volume(detached=None, state="ready", from_snapshot_id=None):
    return {
        "id": VOLUME, "state": state, "detached_at": detached, "from_snapshot_id": from_snapshot_id,
        "deletable_snapshot_id": None,
    }  # fmt: skip


def snapshot(number, age, state="completed", reason="end"):
    return {
        "id": uuid.UUID(int=number), "volume_id": VOLUME, "state": state, "reason": reason, "requested_at": NOW - age,
    }  # fmt: skip


def world(volumes=(), snapshots=(), *, disk=None, held=False, keep=None, sightings=None):
    return DiskWorld(
        now=NOW,
        disk={"purge_at": None, "purged_at": None, "restore_from": None, "leaving": False} | (disk or {}),
        volumes=list(volumes),
        snapshots=list(snapshots),
        held=held,
        keep_volumes=keep,
        sightings=sightings or {},
    )


def test_a_disk_that_is_the_volume_keeps_it_for_ever():
    assert decide_disk(world([volume(NOW - 400 * DAY)], [snapshot(1, DAY)]), LIMITS) == DiskRest(None)


def test_an_idle_volume_goes_when_a_later_snapshot_has_its_content():
    step = decide_disk(world([volume(NOW - 3 * DAY)], [snapshot(1, 2 * DAY)], keep=DAY), LIMITS)
    assert isinstance(step, MarkVolume)
    assert step.snapshot_id == uuid.UUID(int=1)


def test_a_volume_that_is_kept_for_a_while_is_looked_at_when_that_is_over():
    kept = world([volume(NOW - 3 * DAY)], [snapshot(1, 2 * DAY)], keep=5 * DAY)

    assert decide_disk(kept, LIMITS) == DiskRest(2 * DAY)


def test_a_deleted_disk_rests_until_the_first_of_what_comes():
    kept = [volume(NOW - 3 * DAY)], [snapshot(1, 2 * DAY)]

    assert decide_disk(world(*kept, keep=5 * DAY, disk={"purge_at": NOW + DAY}), LIMITS) == DiskRest(DAY)
    assert decide_disk(world(*kept, keep=5 * DAY, disk={"purge_at": NOW + 9 * DAY}), LIMITS) == DiskRest(2 * DAY)


def test_an_idle_volume_stays_when_its_snapshot_is_older_than_its_last_use():
    assert decide_disk(world([volume(NOW - 3 * DAY)], [snapshot(1, 4 * DAY)], keep=DAY), LIMITS) == DiskRest(None)


def test_an_idle_volume_stays_while_its_snapshot_is_not_complete():
    kept = world([volume(NOW - 3 * DAY)], [snapshot(1, DAY, state="error")], keep=DAY)
    assert decide_disk(kept, LIMITS) == DiskRest(None)


def test_a_held_volume_stays():
    assert decide_disk(world([volume(NOW - 3 * DAY)], [snapshot(1, DAY)], keep=DAY, held=True), LIMITS) == DiskRest(
        None
    )


def test_the_oldest_snapshot_over_the_limit_goes_first():
    step = decide_disk(world([volume()], [snapshot(n, n * DAY) for n in (1, 2, 3, 4)]), LIMITS)
    assert isinstance(step, MarkSnapshot)
    assert step.snapshot["id"] == uuid.UUID(int=4)


def test_the_newest_good_snapshot_stays_whatever_the_limit_says():
    only = world([volume()], [snapshot(1, 400 * DAY)])
    assert decide_disk(only, Limits(keep_snapshots=0)) == DiskRest(None)


def test_failed_snapshots_do_not_count_as_good_ones():
    bad = [snapshot(n, n * DAY, state="error") for n in (1, 2)]
    assert decide_disk(world([volume()], [*bad, snapshot(3, 3 * DAY), snapshot(4, 4 * DAY)]), LIMITS) == DiskRest(None)


def test_a_snapshot_about_to_be_restored_stays():
    many = [snapshot(n, n * DAY) for n in (1, 2, 3)]
    assert decide_disk(world([], many, disk={"restore_from": uuid.UUID(int=3)}), LIMITS) == DiskRest(None)


def test_a_deleted_disk_stays_until_it_cannot_be_had_back():
    kept = world([volume()], [snapshot(1, DAY)], disk={"purge_at": NOW + HOUR})
    assert decide_disk(kept, LIMITS) == DiskRest(HOUR)


def test_a_purge_marks_volumes_before_snapshots_and_everything_before_it_is_done():
    over = {"purge_at": NOW}
    assert isinstance(decide_disk(world([volume()], [snapshot(1, DAY)], disk=over), LIMITS), MarkVolume)
    assert isinstance(decide_disk(world([], [snapshot(1, DAY)], disk=over), LIMITS), MarkSnapshot)
    assert decide_disk(world([], [], disk=over), LIMITS) == Purge()


def test_a_disk_that_is_purged_rests_for_good():
    assert decide_disk(world(disk={"purge_at": NOW - HOUR, "purged_at": NOW}), LIMITS) == DiskRest(None)


def test_a_deleted_disk_rests_until_its_purge():
    assert decide_disk(world(disk={"purge_at": NOW + HOUR}), LIMITS) == DiskRest(HOUR)


def test_a_purge_waits_for_whoever_has_the_disk():
    assert isinstance(decide_disk(world([volume()], disk={"purge_at": NOW}, held=True), LIMITS), DiskRest)


def test_what_is_marked_is_deleted_next():
    assert isinstance(decide_disk(world([volume(state="deleting")]), LIMITS), DeleteVolume)
    assert isinstance(decide_disk(world([volume()], [snapshot(1, DAY, state="deleting")]), LIMITS), DeleteSnapshot)


class TestAskedSnapshot:
    asked = snapshot(1, HOUR, state="intended", reason="asked")

    def seen(self, presence, state=None):
        sighting = SnapshotSighting(snapshot_id=self.asked["id"], presence=presence, state=state)
        return decide_disk(world([volume()], [self.asked], sightings={self.asked["id"]: sighting}), LIMITS)

    def test_is_asked_for_when_it_is_seen_to_be_absent(self):
        assert self.seen("absent") == AskSnapshot(self.asked)

    def test_is_not_asked_for_again_while_nothing_can_be_told(self):
        assert isinstance(self.seen("unknown"), DiskRest)

    def test_is_recorded_when_it_is_complete(self):
        assert isinstance(self.seen("present", SnapshotState.COMPLETED), NoteSnapshot)

    def test_waits_while_it_is_pending(self):
        assert isinstance(self.seen("present", SnapshotState.PENDING), DiskRest)
