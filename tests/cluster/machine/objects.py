"""What the cluster has from the start: how disks and snapshots are asked for."""

from __future__ import annotations

DRIVER = "disk.gpudev.test"

STORAGE = "storage.k8s.io/v1"
SNAPSHOTS = "snapshot.storage.k8s.io/v1"
RBAC = "rbac.authorization.k8s.io/v1"


def storage_classes() -> list[dict]:
    """Return the classes of disks: made at once, or when a pod with one is placed."""
    return [_storage_class("disk", "Immediate"), _storage_class("disk-later", "WaitForFirstConsumer")]


def rights_of_nodes() -> dict:
    """Return what lets a kubelet read what it may, of any pod.

    The API server's own rule, only what pods bound to the node name, learns of a pod a moment after the kubelet does;
    a question that is refused in that moment is asked again after 10 to 15 seconds.
    """
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": RBAC,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "gpudev:nodes"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "system:node"},
        "subjects": [{"apiGroup": group, "kind": "Group", "name": "system:nodes"}],
    }


def snapshot_class() -> dict:
    """Return the class of snapshots; it can be made when the custom resources are served."""
    return {
        "apiVersion": SNAPSHOTS,
        "kind": "VolumeSnapshotClass",
        "metadata": {"name": "disk"},
        "driver": DRIVER,
        "deletionPolicy": "Delete",
    }


def driver() -> dict:
    """Return what the kubelet and the controllers must know of the driver."""
    # With File, the kubelet gives a disk's files to the pod's fsGroup, as it does for disks of clouds.
    spec = {"attachRequired": False, "podInfoOnMount": False, "fsGroupPolicy": "File"}
    return {"apiVersion": STORAGE, "kind": "CSIDriver", "metadata": {"name": DRIVER}, "spec": spec}


def _storage_class(name: str, binding: str) -> dict:
    return {
        "apiVersion": STORAGE,
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": DRIVER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": binding,
    }
