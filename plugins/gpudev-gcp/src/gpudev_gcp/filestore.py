"""Instances of Filestore as shares: how one is described, named and seen. Pure.

https://cloud.google.com/filestore/docs/reference/rest/v1/projects.locations.instances
"""

from __future__ import annotations

import uuid
from typing import Any, TypeAlias

from gpudev_gcp import marks
from gpudev_gcp.settings import GcpSettings
from gpudev_sdk.domain.gpu import GIB
from gpudev_sdk.errors import NoCapacity, Unworkable
from gpudev_sdk.providers.shares import ShareSighting, ShareSpec

Json: TypeAlias = dict[str, Any]

SHARE = "gpudev-share"
#: The driver as GKE has it: https://cloud.google.com/kubernetes-engine/docs/how-to/persistent-volumes/filestore-csi-driver
DRIVER = "filestore.csi.storage.gke.io"
#: What an instance calls its only share; at most 16 letters.
_FOLDER = "gpudev"
REGIONAL = ("REGIONAL",)
COMING, GOING, BROKEN = ("CREATING", "RESTORING"), ("DELETING",), ("ERROR", "SUSPENDED")
#: The smallest instance of each tier and the step by which it is larger, in GiB: https://cloud.google.com/filestore/docs/service-tiers
_SIZES = {"BASIC_HDD": (1024, 1), "BASIC_SSD": (2560, 1), "ZONAL": (1024, 256), "REGIONAL": (1024, 256)}
#: From 10 TiB on, zonal and regional ones are larger by 2.5 TiB.
_LARGE, _LARGE_STEP = 10240, 2560
#: google.rpc.Code: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
_RESOURCE_EXHAUSTED = 8


def share_name(install: uuid.UUID, share_id: uuid.UUID) -> str:
    """Return the name of a share's instance: 50 characters."""
    return f"gpudev-f-{install.hex[-8:]}-{share_id.hex}"


def describe(settings: GcpSettings, install: uuid.UUID, spec: ShareSpec) -> Json:
    """Return the instance of a share to make."""
    ours = {marks.INSTALL: str(install), SHARE: str(spec.share_id), "gpudev-owner": str(spec.owner_number)}
    return {
        "tier": settings.shared_tier,
        "description": "a shared folder of gpudev",
        "labels": settings.labels | ours,
        "fileShares": [{"name": _FOLDER, "capacityGb": str(capacity(settings.shared_tier, spec.size_bytes))}],
        "networks": [{"network": settings.shared_network, "modes": ["MODE_IPV4"]}],
    }


def capacity(tier: str, size_bytes: int) -> int:
    """Return how many GiB an instance has that holds so many bytes."""
    smallest, step = _SIZES[tier]
    wanted = max(smallest, -(-size_bytes // GIB))
    if step > 1 and wanted > _LARGE - step:
        wanted, step = max(wanted, _LARGE), _LARGE_STEP
    return -(-wanted // step) * step


def share_of(instance: Json, install: uuid.UUID) -> uuid.UUID | None:
    """Return the share that an instance is; None if it is none of ours. Labels alone say nothing: others may copy them."""
    labels = instance.get("labels") or {}
    if labels.get(marks.INSTALL) != str(install):
        return None
    try:
        share_id = uuid.UUID(labels.get(SHARE, ""))
    except ValueError:
        return None
    return share_id if _parts(instance)[1] == share_name(install, share_id) else None


def handle(instance: Json) -> str:
    """Return where an instance is and its name."""
    return "/".join(_parts(instance))


def source(instance: Json) -> str:
    """Return a share as its driver has it, `DRIVER/HANDLE`.

    https://github.com/kubernetes-sigs/gcp-filestore-csi-driver/blob/master/examples/kubernetes/pre-provision/preprov-pv.yaml
    """
    return f"{DRIVER}/modeInstance/{handle(instance)}/{instance['fileShares'][0]['name']}"


def address(instance: Json) -> str:
    """Return where a share is in its network, which the driver wants to be told; empty while it has none."""
    addresses = [each for network in instance.get("networks") or [] for each in network.get("ipAddresses") or []]
    return str(addresses[0]) if addresses else ""


def reason(instance: Json) -> str:
    """Say in words what an instance's state means, or nothing if it is ready."""
    state, said = str(instance.get("state") or "unknown"), str(instance.get("statusMessage") or "")
    return "" if state == "READY" else f"it is {state.lower()}" + (f": {said[:300]}" if said else "")


def see(instance: Json, share_id: uuid.UUID) -> ShareSighting:
    """Return what a look at an instance saw."""
    size = int(instance["fileShares"][0].get("capacityGb") or 0) * GIB
    return ShareSighting(
        share_id=share_id,
        presence="present",
        ready=instance.get("state") == "READY",
        handle=handle(instance),
        size_bytes=size or None,
        reason=reason(instance),
    )


def raise_failed(operation: Json, what: str) -> None:
    """Raise the error of an operation that failed at once: https://google.aip.dev/151"""
    error = operation.get("error") or {}
    if not error:
        return
    said = f"cannot {what}: {str(error.get('message') or 'Google does not say why')[:300]}"
    raise NoCapacity(said) if error.get("code") == _RESOURCE_EXHAUSTED else Unworkable(said)


def _parts(instance: Json) -> tuple[str, str]:
    """Return location and name of `projects/P/locations/L/instances/N`."""
    parts = str(instance.get("name") or "").split("/")
    return (parts[3], parts[5]) if len(parts) == 6 else ("", "")
