"""What storage asks of the API server, what it knows from its copies, and what it never takes from them."""

from __future__ import annotations

import uuid

import attrs
import pytest

from gpudev_sdk.domain.disk import SnapshotRef, SnapshotSpec, SnapshotState, VolumeRef, VolumeSpec
from gpudev_sdk.domain.server import Phase, Presence
from gpudev_sdk.errors import Conflict, TryLater, Unworkable
from gpudev_sdk.kube.errors import ObjectChanged
from gpudev_sdk.kube.view import JUST_NOW
from tests.unit.kube.bench import READS
from tests.unit.kube.fake_api import NAMESPACE
from tests.unit.kube.objects import SERVER

VOLUME, DISK, TAKEN, OTHER = (uuid.UUID(int=number) for number in (1, 2, 3, 4))
SPEC = VolumeSpec(volume_id=VOLUME, disk_id=DISK, owner_number=1, size_bytes=2**30, node="node-a")
KEY = ("persistentvolumeclaims", NAMESPACE, f"gd-aabbccdd-v-{VOLUME}")
SNAPSHOT_KEY = ("volumesnapshots", NAMESPACE, f"gd-aabbccdd-s-{TAKEN}")


@pytest.fixture
def storage(bench):
    """Storage that has looked once at all that it copies."""
    nobody = VolumeRef(volume_id=OTHER, disk_id=OTHER)
    bench.storage.get_volume(nobody)
    bench.storage.get_snapshot(SnapshotRef(snapshot_id=OTHER, disk_id=OTHER))
    bench.compute.observe(SERVER)
    bench.storage._waits_for_pod()
    return bench.storage


@pytest.fixture
def volume(storage):
    return VolumeRef(volume_id=VOLUME, disk_id=DISK, handle=storage.create_volume(SPEC))


@pytest.fixture
def spec(volume):
    return SnapshotSpec(snapshot_id=TAKEN, volume=volume, owner_number=1)


@pytest.fixture
def snapshot(storage, spec):
    return SnapshotRef(snapshot_id=TAKEN, disk_id=DISK, handle=storage.create_snapshot(spec))


def asked(bench, begun=0):
    return [(call.verb, call.resource) for call in bench.fake.calls[begun:] if call.verb != "watch"]


def live(bench, volume, eventually, number):
    """Lead a life on a disk, as the engine does."""
    compute, storage = bench.compute, bench.storage
    server = attrs.evolve(SERVER, attempt=number)
    bench.launch(server_id=server, mount=storage.mount(volume))
    eventually(lambda: compute.observe(server).phase is Phase.READY)
    compute.configure(server, {"notice": b"soon\n"})
    eventually(lambda: (compute.terminate(server), compute.observe(server))[1].presence is Presence.ABSENT)
    eventually(lambda: storage.get_volume(volume).attachments == ())
    taken = uuid.UUID(int=100 + number)
    storage.create_snapshot(SnapshotSpec(snapshot_id=taken, volume=volume, owner_number=1))
    ref = SnapshotRef(snapshot_id=taken, disk_id=DISK)
    eventually(lambda: storage.get_snapshot(ref).state is SnapshotState.COMPLETED)
    storage.get_volume(volume)


def test_a_life_with_a_kept_disk_and_its_snapshot_takes_few_calls(bench, storage, volume, eventually):
    eventually(lambda: storage.get_volume(volume).ready)
    live(bench, volume, eventually, 1)
    begun = len(bench.fake.calls)

    live(bench, volume, eventually, 2)

    calls = asked(bench, begun)
    assert [call for call in calls if call[1] in ("persistentvolumeclaims", "volumesnapshots")] == [
        ("create", "volumesnapshots")
    ]
    assert len(calls) <= 12


def test_a_new_disk_is_looked_for_and_made_and_no_more(bench, storage, eventually):
    bench.disks.idle = True
    begun = len(bench.fake.calls)
    ref = VolumeRef(volume_id=VOLUME, disk_id=DISK)

    assert storage.get_volume(ref).presence == "absent"
    storage.create_volume(SPEC)
    for _ in range(5):
        assert not storage.get_volume(ref).ready

    assert asked(bench, begun) == [("get", "persistentvolumeclaims"), ("create", "persistentvolumeclaims")]


def test_a_restore_looks_at_the_snapshot_and_makes_the_claim(bench, storage, snapshot):
    begun = len(bench.fake.calls)

    storage.create_volume_from_snapshot(attrs.evolve(SPEC, volume_id=OTHER), snapshot)

    assert asked(bench, begun) == [("get", "volumesnapshots"), ("create", "persistentvolumeclaims")]


def test_a_snapshot_on_its_way_is_not_asked_for(bench, storage, spec):
    bench.disks.idle = bench.fake.stalled = True
    storage.create_snapshot(spec)
    begun = len(bench.fake.calls)

    for _ in range(5):
        assert storage.get_snapshot(SnapshotRef(snapshot_id=TAKEN, disk_id=DISK)).state is SnapshotState.PENDING

    assert asked(bench, begun) == []


def test_a_snapshot_that_an_older_process_made_is_found(bench, storage, snapshot):
    bench.again()

    assert bench.storage.get_snapshot(snapshot).state is SnapshotState.COMPLETED
    assert bench.storage.get_snapshot(attrs.evolve(snapshot, handle=None)).presence == "present"


def test_that_a_snapshot_is_complete_is_taken_from_the_copy_only_while_it_is_news(
    bench, storage, snapshot, passing, eventually
):
    """A volume may be given up for it."""
    eventually(lambda: storage.get_snapshot(snapshot).state is SnapshotState.COMPLETED)
    bench.fake.stalled = True
    bench.fake.store.remove(SNAPSHOT_KEY)

    passing(JUST_NOW)

    assert storage.get_snapshot(snapshot).presence == "absent"


def test_that_a_snapshot_is_complete_is_unknown_where_the_server_does_not_say_so(
    bench, storage, snapshot, passing, eventually
):
    eventually(lambda: storage.get_snapshot(snapshot).state is SnapshotState.COMPLETED)
    bench.fake.trouble = lambda call: "503" if call.resource == "volumesnapshots" else None

    passing(JUST_NOW)

    assert storage.get_snapshot(snapshot).presence == "unknown"


def put_user(bench):
    volumes = [{"name": "home", "persistentVolumeClaim": {"claimName": KEY[2]}}]
    body = {"kind": "Pod", "metadata": {}, "spec": {"volumes": volumes}, "status": {"phase": "Running"}}
    bench.fake.store.create(("pods", NAMESPACE, "user"), body)


def test_a_volume_is_not_deleted_because_the_copy_lacks_who_uses_it(bench, storage, volume, eventually):
    """The last user was seen to go, and another processor launched the next one a moment ago."""
    put_user(bench)
    eventually(lambda: storage.get_volume(volume).attachments == ("user",))
    bench.fake.store.remove(("pods", NAMESPACE, "user"))
    eventually(lambda: storage.get_volume(volume).attachments == ())
    bench.fake.stalled = True
    put_user(bench)

    with pytest.raises(Conflict, match="in use by user"):
        storage.delete_volume(volume)

    assert "deletionTimestamp" not in bench.fake.store.get(KEY)["metadata"]


@pytest.mark.parametrize(("key", "delete"), [(KEY, "delete_volume"), (SNAPSHOT_KEY, "delete_snapshot")])
def test_what_was_made_anew_is_not_deleted_for_the_one_that_the_copy_has(
    bench, storage, volume, snapshot, eventually, key, delete
):
    ref = volume if key == KEY else snapshot
    eventually(lambda: storage.get_volume(volume).ready and storage.get_snapshot(snapshot).state == "completed")
    bench.fake.stalled = True
    known = bench.fake.store.get(key)
    bench.fake.store.remove(key)
    bench.fake.store.create(
        key, {"kind": known["kind"], "metadata": {"labels": known["metadata"]["labels"]}, "spec": known["spec"]}
    )
    made = bench.fake.store.get(key)

    with pytest.raises((Unworkable, ObjectChanged)):
        getattr(storage, delete)(ref)

    assert bench.fake.store.get(key) == made


def test_a_snapshot_is_deleted_with_one_call(bench, storage, snapshot, eventually):
    eventually(lambda: storage.get_snapshot(snapshot).state is SnapshotState.COMPLETED)
    begun = len(bench.fake.calls)

    storage.delete_snapshot(snapshot)

    assert asked(bench, begun) == [("delete", "volumesnapshots")]
    assert SNAPSHOT_KEY not in bench.fake.store.objects


@pytest.mark.parametrize("resource", ["persistentvolumeclaims", "volumesnapshots"])
def test_a_list_is_the_servers_own_word(bench, storage, volume, snapshot, resource):
    look = {"persistentvolumeclaims": storage.list_volumes, "volumesnapshots": storage.list_snapshots}[resource]
    assert len(look()) == 1
    bench.fake.trouble = lambda call: "503" if (call.verb, call.resource) == ("list", resource) else None

    with pytest.raises(TryLater):
        look()


def test_looking_changes_nothing(bench, storage, volume, snapshot):
    begun = len(bench.fake.calls)

    storage.get_volume(volume), storage.get_snapshot(snapshot), storage.mount(volume)

    assert [call for call in bench.fake.calls[begun:] if call.verb not in READS] == []


def test_a_volume_is_deleted_as_the_server_has_it_now(bench, storage, volume, eventually):
    """Somebody changed it since the copy was told."""
    eventually(lambda: storage.get_volume(volume).ready)
    bench.fake.stalled = True
    bench.fake.store.merge(KEY, {"metadata": {"annotations": {"their.io/note": "x"}}})

    storage.delete_volume(volume)

    assert KEY not in bench.fake.store.objects
