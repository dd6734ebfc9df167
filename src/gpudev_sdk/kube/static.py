"""Volumes that a cloud's own API made, as a pod can have them: a PersistentVolume that names it, and a claim. Pure.

They live as long as the server that uses them and are only names for the volume, which its storage keeps: the reclaim policy is
Retain. https://kubernetes.io/docs/concepts/storage/persistent-volumes/#static
"""

from __future__ import annotations

import attrs

from gpudev_sdk.domain.disk import Mount, MountKind
from gpudev_sdk.errors import Unworkable
from gpudev_sdk.kube import names
from gpudev_sdk.kube.kinds import CLAIM, VOLUME, Json

SUFFIX = "-disk"
#: What a volume is said to hold. Nothing reads it: the volume is as large as it is.
_NOMINAL = "1Gi"


@attrs.frozen(kw_only=True)
class Static:
    """A volume's two objects, to be made before the pod and taken away after it."""

    volume: Json
    claim: Json

    @property
    def name(self) -> str:
        """Return the name that both have."""
        return str(self.claim["metadata"]["name"])


def static(mount: Mount, record: Json, namespace: str, node: str) -> Static | None:
    """Return the objects of a mount that is no claim yet, or None for one that is. Raises Unworkable for an unlawful source."""
    if mount.kind is MountKind.CLAIM:
        return None
    metadata = record["metadata"]
    name = metadata["name"] + SUFFIX
    labels = metadata["labels"] | {names.DISK: str(mount.disk_id), names.VOLUME: str(mount.volume_id)}
    claim_ref = {"apiVersion": "v1", "kind": CLAIM.name, "namespace": namespace, "name": name}
    common = {
        "capacity": {"storage": _NOMINAL},
        "accessModes": [_access(mount)],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
    }
    volume = VOLUME.body({"name": name, "labels": labels}, spec=common | {"claimRef": claim_ref} | _source(mount, node))
    claim = CLAIM.body(
        {"name": name, "labels": labels, "ownerReferences": names.owned_by(record)},
        spec={
            "accessModes": common["accessModes"],
            "storageClassName": "",
            "volumeName": name,
            "resources": {"requests": common["capacity"]},
        },
    )
    return Static(volume=volume, claim=claim)


def noted(mount: Mount | None, server: str) -> dict[str, str]:
    """Return the annotation of a record and a pod by which the objects of a mount are found again; none if it needs none."""
    return {names.STATIC: server + SUFFIX} if mount is not None and mount.kind is not MountKind.CLAIM else {}


def as_claim(mount: Mount, claim: str) -> Mount:
    """Return a mount as its pod has it."""
    return attrs.evolve(mount, kind=MountKind.CLAIM, source=claim)


def _access(mount: Mount) -> str:
    if mount.shared:
        return "ReadWriteMany"
    return "ReadWriteOncePod" if mount.kind is MountKind.CSI else "ReadWriteOnce"


def _source(mount: Mount, node: str) -> Json:
    """A CSI source is `DRIVER/HANDLE`, the driver as it is registered: `ebs.csi.aws.com/vol-0abc`."""
    if mount.kind is MountKind.CSI:
        driver, _, handle = mount.source.partition("/")
        if not driver or not handle:
            raise Unworkable(f"{mount.source[:80]!r} is not DRIVER/HANDLE of a CSI volume")
        # A share is a file system already.
        system = {} if mount.shared else {"fsType": "ext4"}
        known = {"volumeAttributes": dict(mount.attributes)} if mount.attributes else {}
        return {"csi": {"driver": driver, "volumeHandle": handle} | system | known}
    if not mount.source.startswith("/") or ".." in mount.source.split("/"):
        raise Unworkable(f"{mount.source[:80]!r} is not an absolute path")
    on_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        # It has to be there: an empty folder in the place of a disk would be mistaken for it.
        "hostPath": {"path": mount.source, "type": "Directory"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_node]}]}},
    }
