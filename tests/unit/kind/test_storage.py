"""What the laws do not ask: pods that were cut short, folders that are not ours, nodes, and what somebody else deletes."""

from __future__ import annotations

import uuid

import attrs
import pytest

from gpudev_kind import helpers
from gpudev_sdk.domain.disk import SnapshotRef, SnapshotSpec, SnapshotState
from gpudev_sdk.errors import GpudevError, NoCapacity, TryLater, Unworkable
from gpudev_sdk.kube import names
from tests.unit.kube.fake_store import now

HERE = "gpudev-kind"


def pods(fake):
    return [key for key in fake.store.objects if key[:2] == ("pods", HERE)]


def end(fake, phase, state=None, **more):
    """End the only pod as a kubelet does."""
    (key,) = pods(fake)
    status = {"phase": phase, "containerStatuses": [{"state": {"terminated": state}}] if state else [], **more}
    fake.store.change(key, status=status)


@pytest.fixture
def snapshot(storage, spec, volume):
    storage.create_volume(spec)
    wanted = SnapshotSpec(snapshot_id=uuid.uuid4(), volume=volume, owner_number=1)
    storage.create_snapshot(wanted)
    return SnapshotRef(snapshot_id=wanted.snapshot_id, disk_id=spec.disk_id)


def test_a_volume_in_the_making_is_present_and_cannot_be_used(storage, machine, spec, volume):
    machine.idle = True
    storage.create_volume(spec)
    seen = storage.get_volume(volume)

    assert (seen.presence, seen.ready, seen.reason) == ("present", False, "being made")
    assert [each.volume_id for each in storage.list_volumes()] == [spec.volume_id]
    for call in (lambda: storage.mount(volume), lambda: storage.delete_volume(volume)):
        with pytest.raises(TryLater):
            call()


def test_one_pod_makes_it_however_often_it_is_asked_for(storage, machine, fake, spec, volume):
    machine.idle = True
    for _ in range(3):
        storage.create_volume(spec)
    assert len(pods(fake)) == 1
    machine.run_all(fake.store)

    assert storage.get_volume(volume).ready
    assert (machine.ran, pods(fake)) == (1, [])
    storage.create_volume(spec)
    assert (machine.ran, pods(fake)) == (1, [])


def test_a_pod_that_was_killed_is_begun_again(storage, machine, fake, spec, volume):
    machine.idle = True
    storage.create_volume(spec)
    end(fake, "Failed", {"exitCode": 137})
    assert storage.get_volume(volume).presence == "absent"
    machine.idle = False
    storage.create_volume(spec)

    assert storage.get_volume(volume).ready


def test_a_pod_that_says_why_is_told_once_and_then_begun_anew(storage, machine, fake, spec, volume):
    machine.idle = True
    storage.create_volume(spec)
    end(fake, "Failed", {"exitCode": 10, "message": "only 7 kB are free on the node"})
    assert storage.get_volume(volume).presence == "absent"
    machine.idle = False
    with pytest.raises(Unworkable, match="only 7 kB are free"):
        storage.create_volume(spec)
    assert storage.list_volumes() == ()
    storage.create_volume(spec)

    assert storage.get_volume(volume).ready


@pytest.mark.parametrize("call", range(12))
@pytest.mark.parametrize("how", ["cut", "lose"])
def test_wherever_the_making_breaks_off_asking_again_finishes_it(storage, fake, spec, volume, call, how):
    """Law 1.2: before the call is carried out, and after it with its answer lost."""
    asked = iter(range(1000))
    fake.trouble = lambda _: how if next(asked) == call else None
    try:
        storage.create_volume(spec)
    except TryLater:
        fake.trouble = lambda _: None
        storage.create_volume(spec)
    fake.trouble = lambda _: None

    assert storage.get_volume(volume).ready
    assert storage.mount(volume).source == names.volume_name(uuid.UUID(int=7), spec.volume_id)


@pytest.mark.parametrize("call", range(12))
@pytest.mark.parametrize("how", ["cut", "lose"])
def test_wherever_a_removal_breaks_off_asking_again_finishes_it(storage, machine, fake, spec, volume, call, how):
    storage.create_volume(spec)
    storage.get_volume(volume)
    asked = iter(range(1000))
    fake.trouble = lambda _: how if next(asked) == call else None
    try:
        storage.delete_volume(volume)
    except TryLater:
        fake.trouble = lambda _: None
        storage.delete_volume(volume)
    fake.trouble = lambda _: None

    assert storage.list_volumes() == ()
    assert not machine.home(spec.volume_id).parent.exists()
    assert not [key for key in fake.store.objects if key[0].startswith("persistent") or key[0] == "configmaps"]


def test_a_removal_whose_pod_was_killed_goes_on_when_it_is_looked_at(storage, machine, fake, spec, volume):
    storage.create_volume(spec)
    storage.get_volume(volume)
    machine.idle = True
    storage.delete_volume(volume)
    end(fake, "Failed", reason="Evicted")
    machine.idle = False

    assert storage.get_volume(volume).presence == "present"
    assert storage.get_volume(volume).presence == "absent"
    assert not machine.home(spec.volume_id).parent.exists()


def test_a_folder_that_is_not_ours_is_neither_used_nor_removed(storage, machine, spec, volume):
    home = machine.home(spec.volume_id)
    home.mkdir(parents=True)
    (home / "precious").write_text("of somebody else")
    storage.create_volume(spec)
    assert storage.get_volume(volume).presence == "absent"

    with pytest.raises(Unworkable, match="is not what gpudev made"):
        storage.create_volume(spec)
    assert (home / "precious").exists()
    assert "left alone" in storage.get_volume(volume).reason


def test_a_folder_whose_card_was_lost_is_found_again_with_its_content(storage, machine, fake, spec, volume):
    storage.create_volume(spec)
    storage.get_volume(volume)
    (machine.home(spec.volume_id) / "work").write_text("mine")
    fake.store.remove(("configmaps", HERE, storage._volume_name(spec.volume_id)))
    assert storage.get_volume(volume).presence == "absent"
    storage.create_volume(spec)

    assert storage.get_volume(volume).ready
    assert (machine.home(spec.volume_id) / "work").read_text() == "mine"


def test_an_unknown_answer_is_not_absent(storage, fake, volume):
    fake.trouble = lambda _: "page"

    assert storage.get_volume(volume).presence == "unknown"
    assert storage.get_snapshot(SnapshotRef(snapshot_id=volume.volume_id, disk_id=volume.disk_id)).presence == "unknown"
    with pytest.raises(TryLater):
        storage.list_volumes()


def test_another_node_has_no_place_for_a_restored_disk(storage, spec, snapshot):
    elsewhere = attrs.evolve(spec, volume_id=uuid.uuid4(), node="gpudev-worker")

    with pytest.raises(Unworkable, match="lies on gpudev-control-plane") as raised:
        storage.create_volume_from_snapshot(elsewhere, snapshot)
    assert "gpudev-control-plane" in (raised.value.hint or "")


def test_no_node_is_no_room(storage, spec):
    with pytest.raises(NoCapacity):
        storage.create_volume(attrs.evolve(spec, node="nowhere"))


def test_an_empty_volume_is_never_taken_for_a_restored_one(storage, spec, snapshot):
    with pytest.raises(Unworkable, match="was made of nothing"):
        storage.create_volume_from_snapshot(spec, snapshot)
    restored = attrs.evolve(spec, volume_id=uuid.uuid4())
    storage.create_volume_from_snapshot(restored, snapshot)
    with pytest.raises(Unworkable, match="not of nothing"):
        storage.create_volume(restored)


def test_a_snapshot_that_failed_says_why(storage, machine, fake, spec, volume):
    storage.create_volume(spec)
    storage.get_volume(volume)
    machine.idle = True
    wanted = SnapshotSpec(snapshot_id=uuid.uuid4(), volume=volume, owner_number=1)
    storage.create_snapshot(wanted)
    ref = SnapshotRef(snapshot_id=wanted.snapshot_id, disk_id=spec.disk_id)
    assert storage.get_snapshot(ref).state is SnapshotState.PENDING
    end(fake, "Failed", {"exitCode": 10, "message": "the copy broke off: No space left on device"})
    seen = storage.get_snapshot(ref)

    assert (seen.state, seen.reason) == (SnapshotState.ERROR, "the copy broke off: No space left on device")
    with pytest.raises(Unworkable, match="broke off"):
        storage.create_volume_from_snapshot(attrs.evolve(spec, volume_id=uuid.uuid4()), ref)


def test_a_snapshot_that_was_killed_is_absent_and_can_be_begun_again(storage, machine, fake, spec, volume):
    storage.create_volume(spec)
    storage.get_volume(volume)
    machine.idle = True
    wanted = SnapshotSpec(snapshot_id=uuid.uuid4(), volume=volume, owner_number=1)
    storage.create_snapshot(wanted)
    ref = SnapshotRef(snapshot_id=wanted.snapshot_id, disk_id=spec.disk_id)
    end(fake, "Failed", reason="NodeShutdown")
    assert storage.get_snapshot(ref).presence == "absent"
    assert storage.list_snapshots() == ()
    machine.idle = False
    storage.create_snapshot(wanted)

    assert storage.get_snapshot(ref).state is SnapshotState.COMPLETED


def test_a_claim_that_somebody_deleted_is_told_and_its_data_named(storage, fake, spec, volume):
    storage.create_volume(spec)
    storage.get_volume(volume)
    fake.store.remove(("persistentvolumeclaims", "gpu-dev", storage._volume_name(spec.volume_id)))
    seen = storage.get_volume(volume)

    assert (seen.presence, seen.ready) == ("present", False)
    assert f"/var/lib/gpudev/volumes/{spec.volume_id}" in seen.reason
    with pytest.raises(GpudevError, match="no claim"):
        storage.mount(volume)


def test_a_pod_whose_image_cannot_be_had_is_given_up_after_a_while(storage, machine, fake, spec, volume):
    machine.idle = True
    storage.create_volume(spec)
    (key,) = pods(fake)
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not there"}}}
    fake.store.change(key, status={"containerStatuses": [waiting]})
    assert storage.get_volume(volume).reason == "ImagePullBackOff: not there"
    long_ago = "2001-01-01T00:00:00Z"
    assert long_ago < now()
    fake.store.change(key, metadata={"creationTimestamp": long_ago})

    assert storage.get_volume(volume).presence == "absent"
    with pytest.raises(Unworkable, match="ImagePullBackOff"):
        storage.create_volume(spec)


def test_the_namespace_is_made_once_and_closed(storage, fake, spec):
    storage.create_volume(spec)
    found = fake.store.get(("namespaces", "", HERE))

    assert found["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    policy = fake.store.get(("networkpolicies", HERE, "closed"))
    assert policy["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    helpers.ensure_namespace(fake.api(HERE), {})
