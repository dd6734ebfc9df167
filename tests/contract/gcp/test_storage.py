"""Volumes on Compute Engine: what is asked for, what is found again, and what is said when it goes wrong."""

from __future__ import annotations

import uuid

import attrs
import pytest

from gpudev_gcp import marks
from gpudev_sdk.domain.disk import MountKind, Reach, SnapshotRef, VolumeRef
from gpudev_sdk.errors import Conflict, NoCapacity, TryLater, Unworkable
from tests.contract.gcp.bench import FAR_NODE, NODE
from tests.contract.gcp.fake_compute_world import PROJECT, Answer

ZONE, FAR_ZONE = "us-central1-a", "us-central1-b"


def verbs(fake):
    """Return the calls since the last look, as verb and the last two parts of the path."""
    return [(call.verb, *call.path.split("/")[-2:]) for call in fake.calls]


def test_a_disk_is_made_in_the_zone_of_its_node_with_our_labels_and_in_whole_gib(bench):
    spec = bench.spec(size_bytes=20 * 2**30 + 1, node=FAR_NODE)

    handle = bench.storage.create_volume(spec)

    disk = bench.disk()
    assert disk["zone"].endswith(f"/{FAR_ZONE}")
    assert disk["sizeGb"] == "21"
    assert disk["labels"] == {
        "gpudev-install": str(bench.context.install_id),
        "gpudev-disk": str(spec.disk_id),
        "gpudev-volume": str(spec.volume_id),
    }
    assert handle == f"{FAR_ZONE}/{disk['id']}"


def test_a_disk_has_the_settings_of_its_backend(fake, bench):
    key = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
    changes = {
        "disk_type": "hyperdisk-balanced",
        "iops": 3000,
        "throughput": 150,
        "kms_key": key,
        "labels": {"team": "ml"},
    }
    storage = bench.again(**changes)

    storage.create_volume(bench.spec())

    disk = bench.disk()
    assert disk["type"].endswith(f"/zones/{ZONE}/diskTypes/hyperdisk-balanced")
    assert (disk["provisionedIops"], disk["provisionedThroughput"]) == ("3000", "150")
    assert disk["diskEncryptionKey"] == {"kmsKeyName": key}
    assert disk["labels"]["team"] == "ml"
    assert disk["sizeGb"] == "4"


def test_a_small_disk_is_as_large_as_its_type_has_to_be(bench):
    bench.storage.create_volume(bench.spec(size_bytes=1))

    assert bench.disk()["sizeGb"] == "10"


def test_a_zone_that_is_said_is_taken_without_asking_for_the_node(fake, bench):
    bench.storage.create_volume(bench.spec(zone=FAR_ZONE, node="nobody"))

    assert bench.disk()["zone"].endswith(FAR_ZONE)
    assert not [call for call in fake.calls if call.path.endswith("/instances")]


def test_a_disk_reaches_as_far_as_its_zone(bench):
    assert bench.storage.reach is Reach.ZONE


def test_a_node_that_is_no_machine_of_the_project_is_said_with_what_to_do(bench):
    with pytest.raises(Unworkable, match="cannot tell in which zone the node 'nobody' is") as caught:
        bench.storage.create_volume(bench.spec(node="nobody"))

    assert "gcloud compute instances list" in caught.value.hint


def test_a_node_whose_name_two_zones_have_is_in_neither(fake, bench):
    fake.world.add_instance(NODE, FAR_ZONE)

    with pytest.raises(Unworkable, match="cannot tell in which zone"):
        bench.storage.create_volume(bench.spec())


def test_no_disk_is_made_in_a_zone_that_the_backend_does_not_have(bench):
    with pytest.raises(Unworkable, match=f"no disks are made in {FAR_ZONE}"):
        bench.again(zones=[ZONE]).create_volume(bench.spec(node=FAR_NODE))


def test_a_zone_that_google_does_not_have_is_said(bench):
    with pytest.raises(Unworkable, match="there is no such zone") as caught:
        bench.storage.create_volume(bench.spec(zone="europe-west99-a"))

    assert "gcloud compute zones list" in caught.value.hint


def test_a_volume_in_another_zone_than_the_box_is_said_with_both_zones(bench):
    spec = bench.spec()
    bench.storage.create_volume(spec)
    bench.settle()

    with pytest.raises(Unworkable, match=f"the disk is in {ZONE}, and the box would be in {FAR_ZONE}") as caught:
        bench.storage.create_volume(attrs.evolve(spec, node=FAR_NODE))

    assert "take a snapshot" in caught.value.hint


def test_a_volume_that_is_being_made_in_another_zone_is_not_made_again(fake, bench):
    fake.world.shown_late, fake.world.looks = True, 99
    spec = bench.spec()
    bench.storage.create_volume(spec)

    with pytest.raises(Unworkable, match=f"the disk is in {ZONE}"):
        bench.storage.create_volume(attrs.evolve(spec, node=FAR_NODE))

    assert len(fake.writes()) == 1


def test_a_create_is_begun_once_while_its_operation_runs(fake, bench):
    fake.world.shown_late, fake.world.looks = True, 99
    spec = bench.spec()

    first = bench.storage.create_volume(spec)

    assert bench.again().create_volume(spec) == first
    assert len(fake.writes()) == 1


def test_a_create_whose_answer_was_lost_finds_what_it_made(fake, bench):
    spec = bench.spec()
    fake.trouble = lambda call: "lose" if call.verb == "POST" else None
    with pytest.raises(TryLater, match="Google Cloud does not answer"):
        bench.storage.create_volume(spec)
    fake.trouble = lambda call: None

    handle = bench.storage.create_volume(spec)

    assert handle == f"{ZONE}/{bench.disk()['id']}"
    assert len(fake.world.disks) == 1


def test_two_who_make_the_same_volume_at_once_ask_by_the_same_request(fake, bench):
    spec = bench.spec()
    fake.trouble = lambda call: "cut" if call.verb == "POST" else None
    for storage in (bench.storage, bench.again()):
        with pytest.raises(TryLater):
            storage.create_volume(spec)

    requests = {call.options["requestId"] for call in fake.writes()}

    assert len(fake.writes()) == 2
    assert len(requests) == 1


def test_a_disk_made_a_moment_ago_that_no_list_shows_yet_is_found(fake, bench):
    spec = bench.spec()
    handle = bench.storage.create_volume(spec)
    bench.settle()
    fake.hidden = {"disks"}

    assert bench.storage.create_volume(spec) == handle
    assert len(fake.writes()) == 1


def test_a_create_that_failed_says_why_once_and_is_then_tried_again(fake, bench):
    spec = bench.spec()
    fake.world.failing = [("QUOTA_EXCEEDED", "Quota 'SSD_TOTAL_GB' exceeded.  Limit: 500.0 in region us-central1.")]
    bench.storage.create_volume(spec)
    bench.settle()

    seen = bench.storage.get_volume(VolumeRef(volume_id=spec.volume_id, disk_id=spec.disk_id))
    with pytest.raises(
        NoCapacity, match=r"a quota of the project is used up: QUOTA_EXCEEDED: Quota 'SSD_TOTAL_GB'"
    ) as caught:
        bench.storage.create_volume(spec)
    bench.storage.create_volume(spec)

    assert (seen.presence, seen.reason[:14]) == ("absent", "QUOTA_EXCEEDED")
    assert "quotas" in caught.value.hint
    assert len({call.options["requestId"] for call in fake.writes()}) == 2
    assert len(fake.world.disks) == 1


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("ZONE_RESOURCE_POOL_EXHAUSTED", NoCapacity, "Google has no room for it in this zone now"),
        ("RESOURCE_NOT_READY", TryLater, "it is still being worked on"),
        ("INVALID_FIELD_VALUE", Unworkable, "Google refuses it"),
        ("SOMETHING_NEW", TryLater, "Google has trouble: SOMETHING_NEW"),
    ],
)
def test_a_failed_operation_is_told_by_its_code(fake, bench, code, kind, words):
    spec = bench.spec()
    fake.world.failing = [(code, "it went wrong")]
    bench.storage.create_volume(spec)
    bench.settle()

    with pytest.raises(kind, match=words):
        bench.storage.create_volume(spec)


def test_a_volume_that_is_being_made_is_present_and_not_ready(fake, bench):
    fake.world.looks = 99
    spec = bench.spec()
    volume = VolumeRef(volume_id=spec.volume_id, disk_id=spec.disk_id, handle=bench.storage.create_volume(spec))

    seen = bench.storage.get_volume(volume)

    assert (seen.presence, seen.ready, seen.reason, seen.zone) == ("present", False, "it is being made", ZONE)
    with pytest.raises(TryLater, match="cannot be mounted yet: it is being made"):
        bench.storage.mount(volume)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("RESTORING", "it is being restored"),
        ("DELETING", "it is being deleted"),
        ("FAILED", "Google could not make it"),
        ("UNAVAILABLE", "Google cannot get at it now"),
        ("MELTING", "its status is MELTING"),
    ],
)
def test_a_disk_that_cannot_be_used_says_why(bench, status, reason):
    volume = bench.made()
    bench.disk()["status"] = status

    seen = bench.storage.get_volume(volume)

    assert (seen.presence, seen.ready, seen.reason) == ("present", False, reason)


def test_a_mount_is_the_driver_of_gke_and_the_whole_path_of_the_disk(bench):
    volume = bench.made()

    mount = bench.storage.mount(volume)

    name = marks.volume_name(bench.context.install_id, volume.volume_id)
    assert mount.kind is MountKind.CSI
    assert mount.source == f"pd.csi.storage.gke.io/projects/{PROJECT}/zones/{ZONE}/disks/{name}"


def test_a_disk_made_again_by_somebody_else_is_not_mounted_nor_deleted(bench):
    volume = bench.made()
    bench.disk()["id"] = "7"

    for act in (bench.storage.mount, bench.storage.delete_volume):
        with pytest.raises(Unworkable, match="it was deleted and made again by somebody else"):
            act(volume)


def test_a_disk_in_use_names_its_users_and_stays(fake, bench):
    volume = bench.made()
    with bench.attached(bench.storage.mount(volume).source):
        assert bench.storage.get_volume(volume).attachments == (NODE,)
        with pytest.raises(Conflict, match=f"the volume is in use by {NODE}"):
            bench.storage.delete_volume(volume)

    assert len(fake.writes()) == 1


def test_a_disk_that_came_into_use_meanwhile_is_a_conflict_too(fake, bench):
    volume = bench.made()
    refusal = Answer(400, "resourceInUseByAnotherResource", "The disk resource is already being used by 'x'")
    fake.trouble = lambda call: refusal if call.verb == "DELETE" else None

    with pytest.raises(Conflict, match="it is in use"):
        bench.storage.delete_volume(volume)


def test_a_volume_whose_disk_is_still_to_appear_is_not_taken_for_deleted(fake, bench):
    fake.world.shown_late, fake.world.looks = True, 99
    spec = bench.spec()
    handle = bench.storage.create_volume(spec)

    with pytest.raises(TryLater, match="still being made"):
        bench.storage.delete_volume(VolumeRef(volume_id=spec.volume_id, disk_id=spec.disk_id, handle=handle))


def test_deleting_again_while_it_is_being_deleted_asks_nothing_more(fake, bench):
    volume = bench.made()
    fake.world.looks = 99
    bench.storage.delete_volume(volume)

    bench.storage.delete_volume(volume)

    assert [call.verb for call in fake.writes()] == ["POST", "DELETE"]


def test_a_handle_makes_a_look_one_call(fake, bench):
    volume = bench.made()
    fake.calls.clear()

    bench.storage.get_volume(volume)

    assert [(verb, part) for verb, part, _ in verbs(fake)] == [("GET", "disks")]


def test_labels_copied_by_a_scanner_do_not_make_a_disk_ours(fake, bench):
    volume = bench.made()
    copy = bench.disk() | {"name": "backup-of-it", "id": "99"}
    fake.world.disks[ZONE, "backup-of-it"] = copy

    assert [seen.handle for seen in bench.storage.list_volumes()] == [volume.handle]


def test_a_disk_of_our_name_without_our_labels_is_not_ours_nor_overwritten(fake, bench):
    spec = bench.spec()
    bench.storage.create_volume(spec)
    bench.settle()
    bench.disk()["labels"] = {}

    assert bench.storage.list_volumes() == ()
    with pytest.raises(TryLater, match="is there and not ours"):
        bench.storage.create_volume(spec)


def test_the_same_volume_in_two_zones_is_said_and_neither_is_chosen(fake, bench):
    spec = bench.spec()
    bench.storage.create_volume(spec)
    bench.settle()
    twin = bench.disk()
    fake.world.disks[FAR_ZONE, twin["name"]] = twin | {"zone": twin["zone"].replace(ZONE, FAR_ZONE), "id": "5"}

    with pytest.raises(Unworkable, match=f"in {ZONE}, {FAR_ZONE}"):
        bench.storage.create_volume(spec)


def test_a_thousand_volumes_are_listed_in_three_calls_at_most(fake, bench):
    bench.made()
    disk = bench.disk()
    for number in range(999):
        volume_id = uuid.UUID(int=number + 1)
        name = marks.volume_name(bench.context.install_id, volume_id)
        labels = disk["labels"] | {"gpudev-volume": str(volume_id)}
        fake.world.disks[ZONE, name] = disk | {"name": name, "labels": labels}
    fake.calls.clear()

    listed = bench.storage.list_volumes()

    assert len(listed) == 1000
    assert len(fake.calls) <= 3


def test_a_list_that_does_not_reach_a_zone_is_no_answer(fake, bench):
    bench.made()
    fake.unreachable = {FAR_ZONE}

    with pytest.raises(TryLater, match=f"Google cannot see zones/{FAR_ZONE} now"):
        bench.storage.list_volumes()


def test_without_a_handle_a_volume_is_not_absent_while_a_zone_is_not_reached(fake, bench):
    fake.unreachable = {FAR_ZONE}

    seen = bench.storage.get_volume(VolumeRef(volume_id=uuid.uuid4(), disk_id=uuid.uuid4()))

    assert seen.presence == "unknown"
    assert FAR_ZONE in seen.reason


def test_a_restored_disk_is_as_large_as_its_snapshot(bench):
    volume = bench.made(size_bytes=30 * 2**30)
    taken = bench.taken(volume)
    spec = bench.spec(disk_id=volume.disk_id, node=FAR_NODE)

    bench.storage.create_volume_from_snapshot(spec, SnapshotRef(snapshot_id=taken.snapshot_id, disk_id=volume.disk_id))

    name = marks.volume_name(bench.context.install_id, spec.volume_id)
    assert bench.fake.world.disks[FAR_ZONE, name]["sizeGb"] == "30"


def test_an_empty_volume_is_never_taken_for_a_restored_one(bench):
    volume = bench.made()
    taken = bench.taken(volume)
    empty = bench.spec(disk_id=volume.disk_id)
    bench.storage.create_volume(empty)
    bench.settle()

    with pytest.raises(Unworkable, match="was made of nothing, not of gpudev-s-"):
        bench.storage.create_volume_from_snapshot(
            empty, SnapshotRef(snapshot_id=taken.snapshot_id, disk_id=volume.disk_id)
        )
