"""What the objects of a disk say: claims as volumes, VolumeSnapshots as snapshots. Pure.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/ and https://kubernetes.io/docs/concepts/storage/volume-snapshots/
"""

from __future__ import annotations

import datetime as dt
import uuid

from gpudev_sdk.domain.disk import SnapshotSighting, SnapshotState, VolumeRef, VolumeSighting, VolumeSpec
from gpudev_sdk.kube import ending, names, quantity
from gpudev_sdk.kube.kinds import CLAIM, SNAPSHOT, Json
from gpudev_sdk.kube.settings import KubeSettings

_OVER = ("Succeeded", "Failed")


def claim(spec: VolumeSpec, settings: KubeSettings, install: uuid.UUID, source: Json | None = None) -> Json:
    """Return the claim of a volume; `source` is the snapshot object it is restored from."""
    labels = {
        names.INSTALL: str(install),
        names.PART: "disk",
        names.VOLUME: str(spec.volume_id),
        names.DISK: str(spec.disk_id),
    }
    size = spec.size_bytes
    body: Json = {"accessModes": [settings.access_mode]}
    if settings.storage_class:
        body["storageClassName"] = settings.storage_class
    if source is not None:
        body["dataSource"] = {
            "apiGroup": SNAPSHOT.group_version.partition("/")[0],
            "kind": SNAPSHOT.name,
            "name": source["metadata"]["name"],
        }
        # A volume smaller than what it is restored from is refused by the driver, for ever.
        size = max(size, int(quantity.read((source.get("status") or {}).get("restoreSize"))))
    body["resources"] = {"requests": {"storage": quantity.size(size)}}
    name = names.volume_name(install, spec.volume_id)
    return CLAIM.body({"name": name, "labels": labels, "finalizers": [names.FINALIZER]}, spec=body)


def snapshot(snapshot_id: uuid.UUID, volume: VolumeRef, settings: KubeSettings, install: uuid.UUID) -> Json:
    """Return the object of a snapshot."""
    labels = {
        names.INSTALL: str(install),
        names.PART: "snapshot",
        names.SNAPSHOT: str(snapshot_id),
        names.VOLUME: str(volume.volume_id),
        names.DISK: str(volume.disk_id),
    }
    body: Json = {"source": {"persistentVolumeClaimName": names.volume_name(install, volume.volume_id)}}
    if settings.snapshot_class:
        body["volumeSnapshotClassName"] = settings.snapshot_class
    return SNAPSHOT.body({"name": names.snapshot_name(install, snapshot_id), "labels": labels}, spec=body)


def see_volume(found: Json, pods: list[Json], *, waits_for_pod: bool) -> VolumeSighting:
    """Return what a claim says; `pods` are all of its namespace. `waits_for_pod`: its class binds with the first use."""
    name, status = found["metadata"]["name"], found.get("status") or {}
    removed = "deletionTimestamp" in found["metadata"]
    bound = status.get("phase") == "Bound"
    lost = status.get("phase") == "Lost"
    reason = (
        "its claim was deleted by somebody else; the data is kept" if removed else "its volume is lost" if lost else ""
    )
    return VolumeSighting(
        volume_id=uuid.UUID(found["metadata"]["labels"][names.VOLUME]),
        presence="present",
        ready=not removed and (bound or (waits_for_pod and status.get("phase") == "Pending")),
        handle=handle_of(found),
        attachments=users_of(name, pods),
        reason=reason,
    )


def is_unbound(found: Json) -> bool:
    """Say whether a claim has no volume yet, so that nothing can run on it."""
    return (found.get("status") or {}).get("phase") == "Pending"


def users_of(claim_name: str, pods: list[Json]) -> tuple[str, ...]:
    """Return the pods that use a claim, or will, or may use it still on a node that nobody sees."""
    return tuple(
        pod["metadata"]["name"] for pod in pods if may_use(pod) for name in claims_of(pod) if name == claim_name
    )


def may_use(pod: Json) -> bool:
    """Say whether a pod uses its claims, or will, or may do so still on a node that nobody sees."""
    return (pod.get("status") or {}).get("phase") not in _OVER or ending.may_run_unseen(pod["status"])


def claims_of(pod: Json) -> list[str]:
    """Return the names of the claims among a pod's volumes."""
    held = [(volume.get("persistentVolumeClaim") or {}).get("claimName") for volume in pod["spec"].get("volumes") or []]
    return [name for name in held if name]


def handle_of(found: Json) -> str:
    """Return what tells an object from another of the same name, made later."""
    return str(found["metadata"]["uid"])


def is_complete(found: Json) -> bool:
    """Say whether a snapshot can be restored from."""
    return bool((found.get("status") or {}).get("readyToUse"))


def see_snapshot(found: Json) -> SnapshotSighting:
    """Return what a snapshot's object says."""
    status = found.get("status") or {}
    error = (status.get("error") or {}).get("message") or ""
    ready = is_complete(found)
    removed = "deletionTimestamp" in found["metadata"]
    # A driver's error is tried again by the sidecar; it is a failure only while nothing became of it.
    state = SnapshotState.COMPLETED if ready else SnapshotState.ERROR if error else SnapshotState.PENDING
    return SnapshotSighting(
        snapshot_id=uuid.UUID(found["metadata"]["labels"][names.SNAPSHOT]),
        presence="present",
        state=SnapshotState.PENDING if removed else state,
        handle=handle_of(found),
        size_bytes=int(quantity.read(status["restoreSize"])) if status.get("restoreSize") else None,
        reason="it is being deleted" if removed else error[:300],
        completed_at=_time(status.get("creationTime")) if ready else None,
    )


def _time(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
