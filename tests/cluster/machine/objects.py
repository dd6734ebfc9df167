"""What the cluster has from the start: how disks and snapshots are asked for."""

from __future__ import annotations

DRIVER = "disk.gpudev.test"

_STORAGE = "storage.k8s.io/v1"


def all_objects() -> list[dict]:
    """Return the objects that are made when the API server is up."""
    return [_driver(), _storage_class("disk", "Immediate"), _storage_class("disk-later", "WaitForFirstConsumer")]


def snapshot_class() -> dict:
    """Return the class of snapshots; it can be made when the custom resources are served."""
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotClass",
        "metadata": {"name": "disk"},
        "driver": DRIVER,
        "deletionPolicy": "Delete",
    }


def _driver() -> dict:
    # With File, the kubelet gives a disk's files to the pod's fsGroup, as it does for disks of clouds.
    spec = {"attachRequired": False, "podInfoOnMount": False, "fsGroupPolicy": "File"}
    return {"apiVersion": _STORAGE, "kind": "CSIDriver", "metadata": {"name": DRIVER}, "spec": spec}


def _storage_class(name: str, binding: str) -> dict:
    return {
        "apiVersion": _STORAGE,
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": DRIVER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": binding,
    }
