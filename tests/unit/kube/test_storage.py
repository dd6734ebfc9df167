"""Disks as claims: made once, of the right snapshot, and never given up while anybody may use them."""

from __future__ import annotations

import uuid

import attrs
import pytest

from gpudev_sdk.domain.disk import Mount, MountKind, SnapshotRef, SnapshotSpec, SnapshotState, VolumeRef, VolumeSpec
from gpudev_sdk.errors import Conflict, TryLater, Unworkable
from gpudev_sdk.kube.errors import ObjectChanged
from gpudev_sdk.kube.settings import KubeSettings
from tests.unit.kube.bench import Nth, rights
from tests.unit.kube.fake_api import NAMESPACE
from tests.unit.kube.objects import INSTALL, STRANGER

VOLUME, DISK, TAKEN, OTHER = (uuid.UUID(int=number) for number in (1, 2, 3, 4))
SPEC = VolumeSpec(volume_id=VOLUME, disk_id=DISK, owner_number=1, size_bytes=2**30, node="node-a")
NAME, SNAPSHOT = f"gd-aabbccdd-v-{VOLUME}", f"gd-aabbccdd-s-{TAKEN}"
KEY, SNAPSHOT_KEY = ("persistentvolumeclaims", NAMESPACE, NAME), ("volumesnapshots", NAMESPACE, SNAPSHOT)
FAULTS = ["cut", "page", "page-200", "404", "500", "401", "403", "410"]


@pytest.fixture
def storage(bench):
    return bench.storage


@pytest.fixture
def volume(storage):
    return VolumeRef(volume_id=VOLUME, disk_id=DISK, handle=storage.create_volume(SPEC))


@pytest.fixture
def snapshot(storage, volume):
    spec = SnapshotSpec(snapshot_id=TAKEN, volume=volume, owner_number=1)
    return SnapshotRef(snapshot_id=TAKEN, disk_id=DISK, handle=storage.create_snapshot(spec))


def again(**changes):
    """Return the spec of a volume to restore to."""
    return attrs.evolve(SPEC, volume_id=OTHER, **changes)


def claims(bench):
    return bench.fake.store.list("persistentvolumeclaims", NAMESPACE)[0]


def use(bench, phase="Running", **status):
    volumes = [{"name": "home", "persistentVolumeClaim": {"claimName": NAME}}]
    body = {"kind": "Pod", "metadata": {}, "spec": {"volumes": volumes}, "status": {"phase": phase} | status}
    return bench.fake.store.create(("pods", NAMESPACE, "user"), body)


def make_anew(bench, key):
    """Put another object of the same kind and labels in the place of one."""
    known = bench.fake.store.get(key)
    bench.fake.store.remove(key)
    metadata = {"labels": known["metadata"]["labels"], "finalizers": ["gpudev.io/kept"]}
    bench.fake.store.create(key, {"kind": known["kind"], "metadata": metadata, "spec": known["spec"]})
    return bench.fake.store.get(key)


def test_a_claim_made_twice_is_made_once(bench, storage, volume):
    assert storage.create_volume(SPEC) == volume.handle
    assert len(claims(bench)) == 1


@pytest.mark.parametrize("what", ["cut", "lose", "503"])
def test_a_claim_whose_making_was_cut_off_is_made_once(bench, storage, what):
    bench.fake.trouble = Nth(1, what)
    with pytest.raises(TryLater):
        storage.create_volume(SPEC)

    assert storage.create_volume(SPEC) == claims(bench)[0]["metadata"]["uid"]


def test_a_claim_of_that_name_that_is_of_another_disk_is_not_taken(storage, volume):
    with pytest.raises(Unworkable, match="another disk"):
        storage.create_volume(attrs.evolve(SPEC, disk_id=OTHER))


def test_a_claim_of_that_name_that_is_not_ours_is_not_taken(bench, storage):
    bench.fake.store.create(KEY, {"kind": "PersistentVolumeClaim", "metadata": {}, "spec": {"resources": {}}})

    with pytest.raises(TryLater, match="not ours"):
        storage.create_volume(SPEC)
    assert storage.get_volume(VolumeRef(volume_id=VOLUME, disk_id=DISK)).presence == "absent"


def test_a_volume_is_restored_of_its_snapshot(bench, storage, volume, snapshot):
    storage.create_volume_from_snapshot(again(), snapshot)

    made = bench.fake.store.get(("persistentvolumeclaims", NAMESPACE, f"gd-aabbccdd-v-{OTHER}"))
    assert made["spec"]["dataSource"] == {
        "apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": SNAPSHOT,
    }  # fmt: skip


def test_a_restored_volume_is_found_again_when_its_snapshot_is_gone(storage, volume, snapshot):
    handle = storage.create_volume_from_snapshot(again(), snapshot)
    storage.delete_snapshot(snapshot)

    assert storage.create_volume_from_snapshot(again(), snapshot) == handle


def test_a_snapshot_that_is_not_ready_is_waited_for(bench, storage, volume):
    bench.disks.idle = True
    spec = SnapshotSpec(snapshot_id=TAKEN, volume=volume, owner_number=1)
    snapshot = SnapshotRef(snapshot_id=TAKEN, disk_id=DISK, handle=storage.create_snapshot(spec))

    with pytest.raises(TryLater, match="not complete"):
        storage.create_volume_from_snapshot(again(), snapshot)
    assert len(claims(bench)) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"disk_id": OTHER}, "another disk"), ({"handle": "other"}, "made again"), ({"snapshot_id": OTHER}, "not there")],
)
def test_nothing_is_restored_of_another_snapshot(bench, storage, snapshot, changes, said):
    with pytest.raises(Unworkable, match=said):
        storage.create_volume_from_snapshot(again(), attrs.evolve(snapshot, **changes))

    assert len(claims(bench)) == 1


def test_nothing_is_restored_of_a_snapshot_that_is_being_deleted(bench, storage, snapshot):
    bench.fake.store.merge(SNAPSHOT_KEY, {"metadata": {"finalizers": ["their.io/bound"]}})
    storage.delete_snapshot(snapshot)

    with pytest.raises(Unworkable, match="being deleted"):
        storage.create_volume_from_snapshot(again(), snapshot)
    assert len(claims(bench)) == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_a_snapshot_that_cannot_be_looked_for_is_not_taken_for_gone(bench, storage, snapshot, fault):
    bench.fake.trouble = lambda call: fault if call.resource == "volumesnapshots" else None

    with pytest.raises(TryLater):
        storage.create_volume_from_snapshot(again(), snapshot)
    assert storage.get_snapshot(snapshot).presence == "unknown"


@pytest.mark.parametrize("resource", ["persistentvolumeclaims", "pods"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_volume_that_cannot_be_looked_for_is_unknown(bench, storage, volume, resource, fault):
    bench.fake.trouble = lambda call: fault if call.resource == resource else None

    assert storage.get_volume(volume).presence == "unknown"
    with pytest.raises(TryLater):
        storage.list_volumes()


def test_a_mount_is_the_claim(storage, volume):
    assert storage.mount(volume) == Mount(volume_id=VOLUME, disk_id=DISK, kind=MountKind.CLAIM, source=NAME)


@pytest.mark.parametrize(
    ("changes", "said"), [({"disk_id": OTHER}, "another disk"), ({"handle": "other"}, "made again")]
)
def test_what_is_not_the_volume_that_was_made_is_not_mounted(storage, volume, changes, said):
    with pytest.raises(Unworkable, match=said):
        storage.mount(attrs.evolve(volume, **changes))


def test_a_claim_that_was_made_anew_by_hand_is_not_taken_for_the_disk(bench, storage, volume):
    """It is empty."""
    make_anew(bench, KEY)

    for refused in (storage.mount, storage.delete_volume):
        with pytest.raises(Unworkable, match="made again by somebody else"):
            refused(volume)
    assert len(claims(bench)) == 1


def test_a_snapshot_is_not_taken_of_a_claim_that_was_made_anew(bench, storage, volume):
    make_anew(bench, KEY)

    with pytest.raises(Unworkable, match="made again by somebody else"):
        storage.create_snapshot(SnapshotSpec(snapshot_id=TAKEN, volume=volume, owner_number=1))
    assert storage.list_snapshots() == ()


def test_a_snapshot_that_was_made_anew_by_hand_is_not_deleted(bench, storage, snapshot):
    make_anew(bench, SNAPSHOT_KEY)

    with pytest.raises(Unworkable, match="made again by somebody else"):
        storage.delete_snapshot(snapshot)
    assert SNAPSHOT_KEY in bench.fake.store.objects


def test_a_claim_that_somebody_deletes_keeps_its_data_and_says_so(bench, storage, volume):
    bench.fake.store.delete(KEY)

    seen = storage.get_volume(volume)

    assert KEY in bench.fake.store.objects
    assert (seen.presence, seen.ready) == ("present", False)
    assert "deleted by somebody else; the data is kept" in seen.reason
    with pytest.raises(Unworkable, match="deleted by somebody else"):
        storage.mount(volume)


def test_a_claim_that_somebody_deleted_goes_when_we_give_it_up(bench, storage, volume):
    bench.fake.store.delete(KEY)

    storage.delete_volume(volume)

    assert storage.get_volume(volume).presence == "absent"


@pytest.mark.parametrize(
    ("phase", "status"),
    [
        ("Pending", {}),
        ("Running", {}),
        ("Unknown", {}),
        ("Failed", {
            "containerStatuses": [{"name": "box", "state": {"running": {}}}],
            "conditions": [{"type": "DisruptionTarget", "reason": "DeletionByPodGC"}],
        }),
    ],
    ids=["a pod that waits", "a pod that runs", "a pod nobody sees", "a pod that may run on a deleted node"],
)  # fmt: skip
def test_a_volume_is_not_deleted_while_anybodys_pod_may_use_it(bench, storage, volume, phase, status):
    use(bench, phase, **status)
    before = bench.fake.store.get(KEY)

    with pytest.raises(Conflict, match="in use by user"):
        storage.delete_volume(volume)

    assert bench.fake.store.get(KEY) == before
    assert storage.get_volume(volume).attachments == ("user",)


def test_a_volume_whose_users_cannot_be_looked_for_is_not_deleted(bench, storage, volume):
    bench.fake.trouble = lambda call: "403" if call.resource == "pods" else None

    with pytest.raises(TryLater):
        storage.delete_volume(volume)
    assert "deletionTimestamp" not in bench.fake.store.get(KEY)["metadata"]


@pytest.mark.parametrize("what", ["cut", "lose", "503"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_deletion_that_was_cut_off_and_is_repeated_is_whole(bench, storage, volume, number, what):
    bench.fake.trouble = Nth(number, what)
    with pytest.raises(TryLater):
        storage.delete_volume(volume)

    storage.delete_volume(volume)

    assert claims(bench) == []


def test_a_claim_that_changed_under_the_deletion_is_kept(bench, storage, volume):
    def change(call):
        if call.verb == "patch" and not done:
            done.append(make_anew(bench, KEY))

    done: list[dict] = []
    bench.fake.trouble = change

    with pytest.raises(ObjectChanged):
        storage.delete_volume(volume)
    assert bench.fake.store.get(KEY) == done[0]


def test_a_claim_that_was_made_anew_under_the_deletion_is_kept(bench, storage, volume):
    def change(call):
        if call.verb == "delete":
            done.append(make_anew(bench, KEY))

    done: list[dict] = []
    bench.fake.trouble = change

    with pytest.raises(ObjectChanged):
        storage.delete_volume(volume)
    assert bench.fake.store.get(KEY) == done[0]


def test_a_volume_of_a_class_that_waits_for_a_pod_is_ready_before_it_is_bound(bench, storage):
    bench.disks.idle = True
    bench.fake.store.merge(("storageclasses", "", "default"), {"volumeBindingMode": "WaitForFirstConsumer"})
    storage.create_volume(SPEC)

    assert storage.get_volume(VolumeRef(volume_id=VOLUME, disk_id=DISK)).ready


def test_without_the_right_to_see_classes_a_volume_is_ready_when_bound(bench, storage, eventually):
    bench.fake.trouble = lambda call: "403" if call.resource == "storageclasses" else None
    bench.disks.idle = True
    handle = storage.create_volume(SPEC)
    volume = VolumeRef(volume_id=VOLUME, disk_id=DISK, handle=handle)
    assert not storage.get_volume(volume).ready

    bench.fake.store.change(KEY, status={"phase": "Bound"})

    eventually(lambda: storage.get_volume(volume).ready)


def test_a_class_that_is_not_there_is_said(bench, storage, volume):
    bench.again(KubeSettings(storage_class="fast"))

    assert "no storage class 'fast'" in bench.storage.get_volume(volume).reason


def test_a_snapshot_of_a_claim_that_goes_wrong_says_why(bench, storage, volume):
    bench.fake.store.delete(KEY)
    spec = SnapshotSpec(snapshot_id=TAKEN, volume=volume, owner_number=1)

    snapshot = SnapshotRef(snapshot_id=TAKEN, disk_id=DISK, handle=storage.create_snapshot(spec))

    seen = storage.get_snapshot(snapshot)
    assert (seen.state, NAME in seen.reason) == (SnapshotState.ERROR, True)


def test_a_snapshot_of_that_name_that_is_of_another_disk_is_not_taken(bench, storage, snapshot):
    other = storage.create_volume(again(disk_id=OTHER))
    volume = VolumeRef(volume_id=OTHER, disk_id=OTHER, handle=other)

    with pytest.raises(Unworkable, match="another disk"):
        storage.create_snapshot(SnapshotSpec(snapshot_id=TAKEN, volume=volume, owner_number=1))


def test_another_install_sees_and_touches_nothing(bench, snapshot, volume):
    bench.again(context=attrs.evolve(bench.context, install_id=STRANGER))
    alike = bench.fake.store.get(KEY)

    bench.storage.delete_volume(volume)
    bench.storage.delete_snapshot(snapshot)

    assert (bench.storage.list_volumes(), bench.storage.list_snapshots()) == ((), ())
    assert bench.fake.store.get(KEY) == alike


def test_an_install_whose_name_looks_alike_sees_and_touches_nothing(bench, snapshot, volume):
    alike = uuid.UUID(int=INSTALL.int ^ (1 << 100))
    bench.again(context=attrs.evolve(bench.context, install_id=alike))

    bench.storage.delete_volume(volume)
    bench.storage.delete_snapshot(snapshot)

    assert bench.storage.get_volume(volume).presence == "absent"
    assert {KEY, SNAPSHOT_KEY} <= set(bench.fake.store.objects)


def test_every_call_is_within_the_engines_rights(bench, storage, volume, snapshot):
    storage.list_volumes()
    storage.list_snapshots()
    storage.create_volume_from_snapshot(again(), snapshot)
    storage.delete_snapshot(snapshot)
    storage.delete_volume(volume)

    assert bench.asked() - rights() == set()
