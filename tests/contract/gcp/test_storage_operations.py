"""What becomes of operations on disks: those that run on, those that fail, and which of several says how it went."""

from __future__ import annotations

import uuid

import attrs
import pytest

from gpudev_sdk.domain.disk import VolumeRef
from gpudev_sdk.errors import NoCapacity, TryLater, Unworkable


def ref(spec, handle=None):
    """Return what names a volume that was asked for."""
    return VolumeRef(volume_id=spec.volume_id, disk_id=spec.disk_id, handle=handle)


def test_a_disk_that_is_begun_and_not_shown_is_present_with_its_zone(bench, fake):
    fake.world.shown_late, fake.world.looks = True, 99
    spec = bench.spec()
    handle = bench.storage.create_volume(spec)

    seen = bench.storage.get_volume(ref(spec))

    assert (seen.presence, seen.ready, seen.handle, seen.zone) == ("present", False, handle, "us-central1-a")
    assert seen.reason == "it is being made"


def test_a_disk_that_is_being_deleted_and_not_shown_any_more_is_absent(bench, fake):
    volume = bench.made()
    fake.world.looks = 99
    bench.storage.delete_volume(volume)
    fake.world.disks.clear()

    assert bench.storage.get_volume(volume).presence == "absent"


def test_of_several_tries_the_newest_says_how_it_went(bench, fake):
    spec = bench.spec()
    fake.world.failing = [("QUOTA_EXCEEDED", "Quota exceeded."), ("ZONE_RESOURCE_POOL_EXHAUSTED", "No room.")]
    bench.storage.create_volume(spec)
    bench.settle()
    with pytest.raises(NoCapacity, match="a quota of the project is used up"):
        bench.storage.create_volume(spec)
    bench.storage.create_volume(spec)
    bench.settle()

    with pytest.raises(NoCapacity, match="Google has no room for it in this zone now"):
        bench.storage.create_volume(spec)
    assert "ZONE_RESOURCE_POOL_EXHAUSTED" in bench.storage.get_volume(ref(spec)).reason


def test_a_process_that_starts_later_is_told_of_a_failed_try_too(bench, fake):
    spec = bench.spec()
    fake.world.failing = [("QUOTA_EXCEEDED", "Quota exceeded.")]
    bench.storage.create_volume(spec)
    bench.settle()

    with pytest.raises(NoCapacity, match="a quota"):
        bench.again().create_volume(spec)


def test_a_create_that_fails_at_once_is_told_at_once_and_can_be_tried_again(bench, fake):
    fake.world.looks = 0
    fake.world.failing = [("QUOTA_EXCEEDED", "Quota exceeded.")]
    spec = bench.spec()

    with pytest.raises(NoCapacity, match="a quota"):
        bench.storage.create_volume(spec)

    bench.storage.create_volume(spec)
    assert len(fake.world.disks) == 1


def test_a_delete_that_fails_at_once_is_told_and_the_disk_stays(bench, fake):
    volume = bench.made()
    fake.world.looks = 0
    fake.world.failing = [("INTERNAL_ERROR", "Internal error.")]

    with pytest.raises(TryLater, match="cannot delete a disk: Google has trouble"):
        bench.storage.delete_volume(volume)

    assert len(fake.world.disks) == 1


def test_a_volume_that_somebody_made_meanwhile_is_taken_only_if_it_is_of_the_disk(bench, fake):
    spec = bench.spec()
    bench.storage.create_volume(spec)
    bench.settle()
    fake.hidden = {"disks", "operations"}
    fake.world._requests.clear()

    with pytest.raises(Unworkable, match="is of another disk"):
        bench.storage.create_volume(attrs.evolve(spec, disk_id=uuid.uuid4()))
    assert bench.storage.create_volume(spec) == f"us-central1-a/{bench.disk()['id']}"


@pytest.mark.parametrize(
    ("status", "reason"), [("FAILED", "Google could not make it"), ("DELETING", "it is being deleted")]
)
def test_a_disk_that_will_not_come_is_not_mounted_and_its_snapshot_is_the_way_back(bench, status, reason):
    volume = bench.made()
    bench.disk()["status"] = status

    with pytest.raises(Unworkable, match=f"the disk cannot be mounted: {reason}") as caught:
        bench.storage.mount(volume)

    assert caught.value.hint == "Restore it from a snapshot."


def test_a_volume_that_is_there_is_taken_only_if_it_is_of_the_disk(bench):
    spec = bench.spec()
    bench.storage.create_volume(spec)
    bench.settle()

    with pytest.raises(Unworkable, match="is of another disk"):
        bench.storage.create_volume(attrs.evolve(spec, disk_id=uuid.uuid4()))


def test_a_volume_that_is_there_is_found_even_when_its_node_is_gone(bench, fake):
    spec = bench.spec()
    handle = bench.storage.create_volume(spec)
    bench.settle()
    fake.world.instances.clear()

    assert bench.storage.create_volume(spec) == handle
