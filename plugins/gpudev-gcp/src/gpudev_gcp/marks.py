"""Names and labels of all we make in Compute Engine, and how one tells what is ours. Pure.

Names follow RFC 1035 with at most 63 characters, labels hold `a-z 0-9 - _`:
https://cloud.google.com/compute/docs/naming-resources and https://cloud.google.com/compute/docs/labeling-resources#requirements
A name is made of our ids alone, so a thing is found by it. Labels say the same, and others may copy them: tools that make
snapshots by schedule do. So a thing is ours only if both agree.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

INSTALL, DISK, VOLUME, SNAPSHOT = (f"gpudev-{what}" for what in ("install", "disk", "volume", "snapshot"))
#: On a snapshot: Google's own number of the disk it was asked of. A disk that was made again has another.
SOURCE = "gpudev-source"


def volume_name(install: uuid.UUID, volume_id: uuid.UUID) -> str:
    """Return the name of a volume's disk: 50 characters."""
    return f"gpudev-v-{install.hex[-8:]}-{volume_id.hex}"


def snapshot_name(install: uuid.UUID, snapshot_id: uuid.UUID) -> str:
    """Return the name of a snapshot: 50 characters."""
    return f"gpudev-s-{install.hex[-8:]}-{snapshot_id.hex}"


def by_install(install: uuid.UUID) -> str:
    """Return the filter of a list that shows one install's things, and whatever has copies of its labels."""
    return f'labels.{INSTALL}="{install}"'


def by_name(name: str) -> str:
    """Return the filter of a list that shows things of one name."""
    return f'name="{name}"'


def volume_of(name: str, labels: Mapping[str, str], install: uuid.UUID) -> uuid.UUID | None:
    """Return the volume that a disk is; None if it is none of ours."""
    volume_id = _id(labels, VOLUME, install)
    return volume_id if volume_id is not None and name == volume_name(install, volume_id) else None


def snapshot_of(name: str, labels: Mapping[str, str], install: uuid.UUID) -> uuid.UUID | None:
    """Return the snapshot of ours that a snapshot's name and labels claim; None if none."""
    snapshot_id = _id(labels, SNAPSHOT, install)
    return snapshot_id if snapshot_id is not None and name == snapshot_name(install, snapshot_id) else None


def _id(labels: Mapping[str, str], label: str, install: uuid.UUID) -> uuid.UUID | None:
    if labels.get(INSTALL) != str(install):
        return None
    try:
        return uuid.UUID(labels.get(label, ""))
    except ValueError:
        return None
