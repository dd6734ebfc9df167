"""Snapshots on Compute Engine: how far they are, whose they are, and what is said when one is lost."""

from __future__ import annotations

import datetime as dt
import uuid

import attrs
import pytest

from gpudev_gcp import marks
from gpudev_sdk.domain.disk import SnapshotRef, SnapshotSpec, SnapshotState
from gpudev_sdk.errors import TryLater, Unworkable
from tests.contract.gcp.fake_compute_world import Answer

ZONE = "us-central1-a"


def ref(spec, **changes):
    """Return what names a snapshot that was asked for."""
    return SnapshotRef(**({"snapshot_id": spec.snapshot_id, "disk_id": spec.volume.disk_id} | changes))


@pytest.fixture
def volume(bench):
    return bench.made()


@pytest.fixture
def spec(volume):
    return SnapshotSpec(snapshot_id=uuid.uuid4(), volume=volume, owner_number=1)


def test_a_snapshot_is_of_our_disk_and_says_so(bench, fake, spec):
    handle = bench.storage.create_snapshot(spec)

    (taken,) = fake.world.snapshots.values()
    assert taken["sourceDisk"].endswith(f"/zones/{ZONE}/disks/{bench.disk()['name']}")
    assert taken["labels"] == {
        "gpudev-install": str(bench.context.install_id),
        "gpudev-disk": str(spec.volume.disk_id),
        "gpudev-volume": str(spec.volume.volume_id),
        "gpudev-snapshot": str(spec.snapshot_id),
        "gpudev-source": bench.disk()["id"],
    }
    assert handle == taken["id"]


def test_a_snapshot_that_is_not_complete_is_pending_and_not_restored(bench, fake, spec):
    fake.world.snapshots_stay = True
    bench.storage.create_snapshot(spec)
    bench.settle()

    assert bench.storage.get_snapshot(ref(spec)).state is SnapshotState.PENDING
    with pytest.raises(TryLater, match="is not complete yet"):
        bench.storage.create_volume_from_snapshot(bench.spec(), ref(spec))
    fake.world.snapshots_stay = False
    bench.settle()
    assert bench.storage.get_snapshot(ref(spec)).state is SnapshotState.COMPLETED


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        ("CREATING", SnapshotState.PENDING, ""),
        ("UPLOADING", SnapshotState.PENDING, ""),
        ("DELETING", SnapshotState.PENDING, "it is being deleted"),
        ("FAILED", SnapshotState.ERROR, "Google could not make it"),
        ("SOMETHING_NEW", SnapshotState.PENDING, ""),
    ],
)
def test_a_snapshots_state_is_told_by_its_status(bench, fake, spec, status, state, reason):
    bench.storage.create_snapshot(spec)
    bench.settle()
    next(iter(fake.world.snapshots.values()))["status"] = status

    seen = bench.storage.get_snapshot(ref(spec))

    assert (seen.presence, seen.state, seen.reason, seen.completed_at) == ("present", state, reason, None)


def test_a_complete_snapshot_says_since_when_and_how_large(bench, spec):
    bench.storage.create_snapshot(spec)
    bench.settle()

    seen = bench.storage.get_snapshot(ref(spec))

    assert seen.size_bytes == 10 * 2**30
    assert seen.completed_at.utcoffset() == dt.timedelta(hours=-8)


def test_a_snapshot_deleted_by_hand_is_absent_and_its_restore_is_refused(bench, fake, spec):
    bench.storage.create_snapshot(spec)
    bench.settle()
    fake.world.snapshots.clear()
    again = bench.spec()

    assert bench.storage.get_snapshot(ref(spec)).presence == "absent"
    with pytest.raises(Unworkable, match=f"the snapshot {spec.snapshot_id} is not there any more"):
        bench.storage.create_volume_from_snapshot(again, ref(spec))
    assert len(fake.world.disks) == 1


@pytest.mark.parametrize("status", ["DELETING", "FAILED"])
def test_a_snapshot_that_goes_or_failed_is_not_restored(bench, fake, spec, status):
    bench.storage.create_snapshot(spec)
    bench.settle()
    next(iter(fake.world.snapshots.values()))["status"] = status

    with pytest.raises(Unworkable, match=f"cannot be restored: it is {status.lower()}"):
        bench.storage.create_volume_from_snapshot(bench.spec(), ref(spec))


def test_labels_copied_by_a_scanner_do_not_make_a_snapshot_ours(bench, fake, spec):
    bench.storage.create_snapshot(spec)
    bench.settle()
    (taken,) = fake.world.snapshots.values()
    fake.world.snapshots["nightly-1"] = taken | {"name": "nightly-1", "id": "99"}

    assert [seen.handle for seen in bench.storage.list_snapshots()] == [taken["id"]]


def test_a_snapshot_of_our_name_and_labels_but_of_another_disk_is_never_chosen(bench, fake, spec):
    bench.storage.create_snapshot(spec)
    bench.settle()
    (taken,) = fake.world.snapshots.values()
    taken["sourceDiskId"] = "424242"

    assert bench.storage.get_snapshot(ref(spec)).presence == "absent"
    assert bench.storage.list_snapshots() == ()
    with pytest.raises(Unworkable, match="is not there any more"):
        bench.storage.create_volume_from_snapshot(bench.spec(), ref(spec))


def test_a_snapshot_that_was_made_again_by_somebody_else_is_not_restored_nor_deleted(bench, fake, spec):
    handle = bench.storage.create_snapshot(spec)
    bench.settle()
    next(iter(fake.world.snapshots.values()))["id"] = "77"

    with pytest.raises(Unworkable, match="was deleted and made again"):
        bench.storage.create_volume_from_snapshot(bench.spec(), ref(spec, handle=handle))
    with pytest.raises(Unworkable, match="was deleted and made again"):
        bench.storage.delete_snapshot(ref(spec, handle=handle))


def test_a_snapshot_is_not_restored_to_another_disk(bench, spec):
    bench.storage.create_snapshot(spec)
    bench.settle()

    with pytest.raises(Unworkable, match="is of another disk"):
        bench.storage.create_volume_from_snapshot(bench.spec(), ref(spec, disk_id=uuid.uuid4()))


def test_a_snapshot_of_a_disk_made_again_by_somebody_else_is_not_taken(bench, fake, spec):
    bench.disk()["id"] = "5"

    with pytest.raises(Unworkable, match="made again by somebody else"):
        bench.storage.create_snapshot(spec)
    assert fake.world.snapshots == {}


def test_a_snapshot_that_is_there_is_not_taken_for_one_of_another_disk(bench, spec):
    bench.storage.create_snapshot(spec)

    with pytest.raises(Unworkable, match="is of another disk"):
        bench.storage.create_snapshot(attrs.evolve(spec, volume=attrs.evolve(spec.volume, disk_id=uuid.uuid4())))


def test_a_snapshot_that_cannot_be_looked_at_is_not_absent(bench, fake, spec):
    fake.denied = {"compute.snapshots.get"}

    seen = bench.storage.get_snapshot(ref(spec))

    assert seen.presence == "unknown"
    assert "compute.snapshots.get" in seen.reason


def test_a_snapshot_whose_answer_was_lost_is_found(bench, fake, spec):
    fake.trouble = lambda call: "lose" if call.verb == "POST" else None
    with pytest.raises(TryLater):
        bench.storage.create_snapshot(spec)
    fake.trouble = lambda call: None

    handle = bench.storage.create_snapshot(spec)

    assert [taken["id"] for taken in fake.world.snapshots.values()] == [handle]


def test_a_snapshot_that_failed_is_absent_with_the_reason_and_can_be_begun_again(bench, fake, spec):
    fake.world.failing = [("INTERNAL_ERROR", "Internal error. Please try again.")]
    bench.storage.create_snapshot(spec)
    bench.settle()

    assert bench.storage.get_snapshot(ref(spec)).presence == "absent"
    assert "INTERNAL_ERROR" in bench.storage.get_snapshot(ref(spec)).reason
    with pytest.raises(TryLater, match="cannot take a snapshot: Google has trouble: INTERNAL_ERROR"):
        bench.storage.create_snapshot(spec)
    bench.storage.create_snapshot(spec)
    bench.settle()
    assert bench.storage.get_snapshot(ref(spec)).state is SnapshotState.COMPLETED


def test_a_snapshot_over_the_quota_waits_since_a_disk_stands_in_no_line(bench, fake, spec):
    fake.world.failing = [("QUOTA_EXCEEDED", "Quota 'SNAPSHOTS' exceeded.")]
    bench.storage.create_snapshot(spec)
    bench.settle()

    with pytest.raises(TryLater, match="a quota of the project is used up") as caught:
        bench.storage.create_snapshot(spec)

    assert caught.value.delay == 60.0


def test_a_snapshot_that_comes_too_soon_after_another_is_taken_later(bench, fake, spec):
    fake.world.failing = [("RESOURCE_OPERATION_RATE_EXCEEDED", "Operation rate exceeded for resource.")]
    bench.storage.create_snapshot(spec)
    bench.settle()

    with pytest.raises(TryLater, match="this was done too often with that disk just now") as caught:
        bench.storage.create_snapshot(spec)

    assert caught.value.delay == 60.0


def test_a_try_that_failed_is_not_made_again_by_the_same_request_even_where_operations_are_not_shown(bench, fake, spec):
    fake.hidden = {"operations"}
    fake.world.failing = [("INTERNAL_ERROR", "Internal error.")]
    bench.storage.create_snapshot(spec)
    bench.settle()

    with pytest.raises(TryLater, match="INTERNAL_ERROR"):
        bench.storage.create_snapshot(spec)
    bench.storage.create_snapshot(spec)

    assert [taken["status"] for taken in fake.world.snapshots.values()] == ["CREATING"]


def test_a_snapshot_that_is_gone_when_its_end_is_asked_for_is_fine(bench, fake, spec):
    bench.storage.create_snapshot(spec)
    bench.settle()
    name = next(iter(fake.world.snapshots))
    path = f"projects/gpu-lab-1/global/snapshots/{name}"
    gone = Answer(404, "notFound", f"The resource '{path}' was not found")
    fake.trouble = lambda call: gone if call.verb == "DELETE" else None

    bench.storage.delete_snapshot(ref(spec))

    assert [call.verb for call in fake.writes()][2:] == ["DELETE"]


def test_a_snapshot_that_is_begun_and_not_shown_is_pending(bench, fake, spec):
    fake.world.looks = 99
    bench.storage.create_snapshot(spec)
    fake.world.snapshots.clear()

    assert bench.storage.get_snapshot(ref(spec)).state is SnapshotState.PENDING
    bench.storage.create_snapshot(spec)
    assert [call.path.rpartition("/")[2] for call in fake.writes()] == ["disks", "snapshots"]


def test_a_number_is_taken_from_an_operation_only_if_it_is_that_of_the_snapshot(bench, fake, spec):
    fake.world.names_source = True
    with pytest.raises(TryLater, match="is begun, and not shown yet"):
        bench.storage.create_snapshot(spec)

    handle = bench.storage.create_snapshot(spec)

    assert [taken["id"] for taken in fake.world.snapshots.values()] == [handle]


def test_a_snapshot_that_somebody_began_meanwhile_is_taken_only_if_it_is_of_the_disk(bench, fake, spec):
    bench.storage.create_snapshot(spec)
    (name,) = fake.world.snapshots
    fake.world.snapshots[name]["labels"]["gpudev-disk"] = str(uuid.uuid4())
    hidden = [Answer(404, "notFound", f"The resource 'projects/gpu-lab-1/global/snapshots/{name}' was not found")]
    fake.hidden = {"operations"}
    fake.trouble = lambda call: hidden.pop() if hidden and call.path.endswith(name) else None
    fake.world._requests.clear()

    with pytest.raises(Unworkable, match="is of another disk"):
        bench.storage.create_snapshot(spec)


def test_a_name_that_is_taken_by_somebody_else_is_not_taken_over(bench, fake, spec):
    name = marks.snapshot_name(bench.context.install_id, spec.snapshot_id)
    bench.storage.create_snapshot(spec)
    bench.settle()
    fake.world.snapshots[name]["labels"] = {}

    with pytest.raises(TryLater, match="is there and not ours"):
        bench.storage.create_snapshot(spec)


def test_a_list_of_snapshots_is_read_to_its_end(bench, fake, spec):
    bench.storage.create_snapshot(spec)
    bench.settle()
    (taken,) = fake.world.snapshots.values()
    for number in range(1, 1000):
        snapshot_id = uuid.UUID(int=number)
        name = marks.snapshot_name(bench.context.install_id, snapshot_id)
        labels = taken["labels"] | {"gpudev-snapshot": str(snapshot_id)}
        fake.world.snapshots[name] = taken | {"name": name, "labels": labels}
    fake.calls.clear()

    assert len(bench.storage.list_snapshots()) == 1000
    assert len(fake.calls) <= 3


def test_deleting_again_while_it_is_being_deleted_asks_nothing_more(bench, fake, spec):
    bench.storage.create_snapshot(spec)
    bench.settle()
    fake.world.looks = 99
    bench.storage.delete_snapshot(ref(spec))

    bench.storage.delete_snapshot(ref(spec))

    assert [call.verb for call in fake.writes()][2:] == ["DELETE"]
