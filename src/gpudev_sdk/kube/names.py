"""Names and labels of everything we make: the install, the reservation in full, and the attempt.

Label values hold at most 63 of `A-Za-z0-9._-` (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/).
"""

from __future__ import annotations

import uuid

from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.kube.kinds import Json

PREFIX = "gpudev.io"
INSTALL = f"{PREFIX}/install"
RESERVATION = f"{PREFIX}/reservation"
ATTEMPT = f"{PREFIX}/attempt"
#: server, end, claim, disk or snapshot.
PART = f"{PREFIX}/part"
DISK, VOLUME, SNAPSHOT = f"{PREFIX}/disk", f"{PREFIX}/volume", f"{PREFIX}/snapshot"
GPU_TYPE = f"{PREFIX}/gpu-type"
#: The place of a pod in its gang, and how many there are.
RANK, NODES = f"{PREFIX}/rank", f"{PREFIX}/nodes"
#: On a server's record and pod: the volume object that was made for it.
STATIC = f"{PREFIX}/static-volume"
#: Annotations.
FILES, SLOTS, NAME, OWNER = (f"{PREFIX}/{what}" for what in ("files", "slots", "name", "owner"))
#: Keeps a pod's object until its end is recorded; keeps a claim until its disk may go.
FINALIZER = f"{PREFIX}/kept"

#: What a name ends with: nothing for the pod and its record.
FILES_SUFFIX, ENV_SUFFIX, GANG_SUFFIX = "-files", "-env", "-gang"


def server_name(install: uuid.UUID, server_id: ServerId) -> str:
    """Return the name of a server's pod and record: at most 57 characters up to a million attempts."""
    return f"gd-{_short(install)}-{server_id.reservation_id}-{server_id.attempt}"


def rank_name(server: str, rank: int) -> str:
    """Return the name of one pod of a gang."""
    return f"{server}-{rank}"


def rank_of(pod: Json) -> int:
    """Return the place of a pod in its gang; 0 of one that is alone."""
    return int((pod["metadata"].get("annotations") or {}).get(RANK, "0"))


def nodes_of(pod: Json) -> int:
    """Return how many pods its server has."""
    return int((pod["metadata"].get("annotations") or {}).get(NODES, "1"))


def volume_name(install: uuid.UUID, volume_id: uuid.UUID) -> str:
    """Return the name of a volume's claim."""
    return f"gd-{_short(install)}-v-{volume_id}"


def snapshot_name(install: uuid.UUID, snapshot_id: uuid.UUID) -> str:
    """Return the name of a snapshot's object."""
    return f"gd-{_short(install)}-s-{snapshot_id}"


def claim_name(install: uuid.UUID) -> str:
    """Return the name of the object that says who controls this backend."""
    return f"gd-{_short(install)}-claim"


def prefix(install: uuid.UUID) -> str:
    """Return what all names of an install begin with."""
    return f"gd-{_short(install)}-"


def _short(install: uuid.UUID) -> str:
    """Return what tells installs apart for people. The label holds the whole id, and decides."""
    return install.hex[-8:]


def server_labels(install: uuid.UUID, server_id: ServerId) -> dict[str, str]:
    """Return the labels of whatever belongs to one server."""
    return {
        INSTALL: str(install),
        PART: "server",
        RESERVATION: str(server_id.reservation_id),
        ATTEMPT: str(server_id.attempt),
    }


def selector(install: uuid.UUID, part: str) -> str:
    """Return the label selector of one part of an install."""
    return f"{INSTALL}={install},{PART}={part}"


def server_selector(install: uuid.UUID, server_id: ServerId) -> str:
    """Return the label selector of all that belongs to one server."""
    return ",".join(f"{name}={value}" for name, value in server_labels(install, server_id).items())


def server_of(item: Json) -> ServerId | None:
    """Return the server that an object belongs to, or None if its labels do not say."""
    labels = item["metadata"].get("labels") or {}
    try:
        return ServerId(uuid.UUID(labels[RESERVATION]), int(labels[ATTEMPT]))
    except (KeyError, ValueError):
        return None


def is_ours(item: Json, install: uuid.UUID) -> bool:
    """Say whether an object carries our install id."""
    return (item["metadata"].get("labels") or {}).get(INSTALL) == str(install)


def owned_by(owner: Json) -> list[Json]:
    """Return the ownerReferences of what shall go with `owner`."""
    metadata = owner["metadata"]
    kind = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
    return [{**kind, "name": metadata["name"], "uid": metadata["uid"]}]
