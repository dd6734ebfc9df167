"""Claims as volumes and VolumeSnapshots as snapshots: objects out, sightings in."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from gpudev_sdk.domain.disk import SnapshotSighting, SnapshotState, VolumeRef, VolumeSighting, VolumeSpec
from gpudev_sdk.kube import disks
from gpudev_sdk.kube.settings import KubeSettings
from tests.unit.kube.objects import INSTALL, NOW, before, container, merged, placed, pod

VOLUME, DISK, TAKEN = (uuid.UUID(int=number) for number in (1, 2, 3))
SPEC = VolumeSpec(volume_id=VOLUME, disk_id=DISK, owner_number=1, size_bytes=2**30, node="node-a")
NAME = f"gd-aabbccdd-v-{VOLUME}"
OURS = {"gpudev.io/install": str(INSTALL)}
USES = {"volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": NAME}}]}
COLLECTED = {"conditions": [{"type": "DisruptionTarget", "reason": "DeletionByPodGC"}]}


def claim(phase="Bound", **changes):
    return merged(
        disks.claim(SPEC, KubeSettings(), INSTALL), {"metadata": {"uid": "uid-v"}, "status": {"phase": phase}}, changes
    )


def snapshot(**status):
    made = disks.snapshot(TAKEN, VolumeRef(volume_id=VOLUME, disk_id=DISK), KubeSettings(), INSTALL)
    return merged(made, {"metadata": {"uid": "uid-s"}, "status": status})


def seen(found, *pods, waits_for_pod=False):
    return disks.see_volume(found, list(pods), waits_for_pod=waits_for_pod)


def test_a_volume_is_a_claim_of_the_configured_class_that_our_finalizer_keeps():
    settings = KubeSettings(storage_class="fast", access_mode="ReadWriteOnce")

    assert disks.claim(SPEC, settings, INSTALL) == {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": NAME,
            "labels": OURS | {"gpudev.io/part": "disk", "gpudev.io/volume": str(VOLUME), "gpudev.io/disk": str(DISK)},
            "finalizers": ["gpudev.io/kept"],
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "fast",
            "resources": {"requests": {"storage": "1073741824"}},
        },
    }


def test_without_a_class_the_cluster_chooses():
    assert "storageClassName" not in disks.claim(SPEC, KubeSettings(), INSTALL)["spec"]


@pytest.mark.parametrize(("restore", "size"), [("1Mi", 2**30), ("1Gi", 2**30), ("3Gi", 3 * 2**30), (None, 2**30)])
def test_a_restored_volume_has_room_for_what_it_is_restored_from(restore, size):
    source = snapshot(readyToUse=True, restoreSize=restore)

    assert disks.claim(SPEC, KubeSettings(), INSTALL, source)["spec"] == {
        "accessModes": ["ReadWriteOncePod"],
        "dataSource": {
            "apiGroup": "snapshot.storage.k8s.io",
            "kind": "VolumeSnapshot",
            "name": f"gd-aabbccdd-s-{TAKEN}",
        },
        "resources": {"requests": {"storage": str(size)}},
    }


@pytest.mark.parametrize("kind", ["", "nightly"])
def test_a_snapshot_is_an_object_of_the_configured_class(kind):
    settings = KubeSettings(snapshot_class=kind)
    source = {"source": {"persistentVolumeClaimName": NAME}}

    assert disks.snapshot(TAKEN, VolumeRef(volume_id=VOLUME, disk_id=DISK), settings, INSTALL) == {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {
            "name": f"gd-aabbccdd-s-{TAKEN}",
            "labels": OURS
            | {
                "gpudev.io/part": "snapshot",
                "gpudev.io/snapshot": str(TAKEN),
                "gpudev.io/volume": str(VOLUME),
                "gpudev.io/disk": str(DISK),
            },
        },
        "spec": source | ({"volumeSnapshotClassName": kind} if kind else {}),
    }


@pytest.mark.parametrize(
    ("phase", "waits_for_pod", "ready"),
    [
        ("Bound", False, True),
        ("Bound", True, True),
        ("Pending", False, False),
        ("Pending", True, True),
        ("Lost", True, False),
    ],
)
def test_a_volume_is_ready_when_bound_or_when_its_class_waits_for_a_pod(phase, waits_for_pod, ready):
    assert seen(claim(phase), waits_for_pod=waits_for_pod).ready is ready


def test_a_ready_volume_is_seen_whole():
    assert seen(claim()) == VolumeSighting(
        volume_id=VOLUME, presence="present", ready=True, handle="uid-v", attachments=()
    )


def test_a_claim_without_a_status_is_not_ready():
    assert not seen(claim() | {"status": None}).ready


def test_a_lost_volume_says_so():
    assert seen(claim("Lost")).reason == "its volume is lost"


@pytest.mark.parametrize("waits_for_pod", [False, True])
def test_a_claim_that_somebody_deleted_is_there_and_says_that_its_data_is_kept(waits_for_pod):
    found = seen(claim(metadata={"deletionTimestamp": before(5)}), waits_for_pod=waits_for_pod)

    assert (found.presence, found.ready) == ("present", False)
    assert "deleted by somebody else; the data is kept" in found.reason


@pytest.mark.parametrize(
    ("pod", "is_used"),
    [
        (pod(spec=USES), True),
        (merged(placed("Running", container(running={})), {"spec": USES}), True),
        (merged(placed("Unknown"), {"spec": USES}), True),
        (merged(placed("Succeeded"), {"spec": USES}), False),
        (merged(placed("Failed"), {"spec": USES}), False),
        (merged(placed("Failed", container(running={}), status=COLLECTED), {"spec": USES}), True),
        (merged(placed("Failed", container(terminated={}), status=COLLECTED), {"spec": USES}), False),
        (pod(spec={"volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "other"}}]}), False),
        (pod(spec={"volumes": [{"name": "home", "emptyDir": {}}]}), False),
        (pod(), False),
    ],
    ids=[
        "a pod that waits for its node",
        "a pod that runs",
        "a pod whose node does not report",
        "a pod that ended",
        "a pod that failed",
        "a pod that may run unseen on a deleted node",
        "a pod that ended before its node was deleted",
        "a pod with another claim",
        "a pod without a claim",
        "a pod without volumes",
    ],
)
def test_a_volume_is_attached_to_whatever_may_use_it(pod, is_used):
    assert seen(claim(), pod).attachments == ((pod["metadata"]["name"],) if is_used else ())


def sighting(**changes):
    return SnapshotSighting(
        **({"snapshot_id": TAKEN, "presence": "present", "handle": "uid-s", "state": SnapshotState.PENDING} | changes)
    )


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, sighting()),
        ({"readyToUse": False, "creationTime": before(0)}, sighting()),
        ({"readyToUse": True, "creationTime": before(0), "restoreSize": "2Gi"},
         sighting(state=SnapshotState.COMPLETED, completed_at=NOW, size_bytes=2**31)),
        ({"readyToUse": False, "error": {"message": "no room"}},
         sighting(state=SnapshotState.ERROR, reason="no room")),
        ({"readyToUse": True, "creationTime": before(0), "error": {"message": "was slow"}},
         sighting(state=SnapshotState.COMPLETED, completed_at=NOW, reason="was slow")),
    ],
)  # fmt: skip
def test_a_snapshot_says_how_far_it_is(status, expected):
    assert disks.see_snapshot(snapshot(**status)) == expected


def test_the_time_of_a_snapshot_knows_its_zone():
    assert disks.see_snapshot(snapshot(readyToUse=True, creationTime=before(0))).completed_at.tzinfo == dt.UTC


def test_a_snapshot_that_is_being_deleted_is_not_complete():
    found = merged(snapshot(readyToUse=True), {"metadata": {"deletionTimestamp": before(5)}})

    assert disks.see_snapshot(found) == sighting(reason="it is being deleted")
